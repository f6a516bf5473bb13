//! How subcommands write: colour on a terminal alone, nothing that could deceive its reader.

use std::fmt::Display;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use hoop_runtime::diagnostics::{Colour, printable};
use hoopcore::Verdict;

/// Titles of what follows.
pub(super) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(super) const FAINT: Style = Style::new().dimmed();
/// What nobody is to overlook.
pub(super) const LOUD: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const NOTABLE: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Whom the output is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A person
    #[default]
    Text,
    /// A program
    Json,
}

/// Standard output; styles are taken out where it is no terminal, or `NO_COLOR` is set.
pub(super) fn out() -> AutoStream<io::StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// Whether standard error shows colours.
pub(super) fn colour_of_errors() -> Colour {
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Always | ColorChoice::AlwaysAnsi => Colour::Terminal,
        ColorChoice::Auto | ColorChoice::Never => Colour::Plain,
    }
}

/// The same text on one line, with every character spelt out that could deceive its reader.
pub(super) fn spelled(text: &str) -> String {
    printable(text).replace('\n', "\\u{a}")
}

/// Says on standard error why a subcommand could not do its work.
pub(super) fn complain(what: &impl Display) {
    let text = what.to_string();
    let line = if text.starts_with("error") { text } else { format!("{BAD}error{BAD:#}: {}", printable(&text)) };
    drop(writeln!(AutoStream::auto(io::stderr().lock()), "{line}"));
}

/// The style of a verdict.
pub(super) fn style_of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Allow => GOOD,
        Verdict::Mask | Verdict::Approve => NOTABLE,
        Verdict::Block => BAD,
    }
}

/// The style of good and of bad news.
pub(super) fn style_of_success(good: bool) -> Style {
    if good { GOOD } else { BAD }
}
