//! Problems of a file, shown with their line and a mark under the word.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use hoopcore::policy::{Problem, Severity};

use crate::trail::is_deceptive;

/// The texts that problems are in, by file name.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Adds a file's text. Its lines may end as on any system.
    pub fn insert(&mut self, name: impl Into<String>, text: impl AsRef<str>) {
        self.0.insert(name.into(), text.as_ref().replace("\r\n", "\n").replace('\r', "\n"));
    }

    /// All texts, by file name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// One line of a file, counted from one.
    #[must_use]
    pub fn line(&self, name: &str, line: u32) -> Option<&str> {
        self.0.get(name)?.lines().nth(line.checked_sub(1)? as usize)
    }

    /// A problem as text for a person: what is wrong, where, and what to do.
    #[must_use]
    pub fn render(&self, problem: &Problem, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Plain => Renderer::plain(),
            Colour::Terminal => Renderer::styled(),
        };
        renderer.decor_style(DecorStyle::Ascii).render(&[self.group(problem)])
    }

    /// All problems, one after another, without colour.
    #[must_use]
    pub fn render_all(&self, problems: &[Problem]) -> String {
        let texts: Vec<String> = problems.iter().map(|problem| self.render(problem, Colour::Plain)).collect();
        texts.join("\n\n")
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(printable(&problem.message));
        let source = problem.file.as_deref().and_then(|name| Some((name, self.0.get(name)?)));
        let mut group = match source {
            Some((name, text)) => {
                let mark = AnnotationKind::Primary.span(span(text, problem));
                let mark = mark.label(problem.label.as_deref().map(printable));
                Group::with_title(title).element(Snippet::source(text.as_str()).path(name).annotation(mark))
            }
            None => Group::with_title(title),
        };
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        group
    }
}

/// Whether a text may hold the escape sequences of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// No.
    Plain,
    /// Yes.
    Terminal,
}

/// The same text with every character that could deceive a terminal's reader spelt out; lines stay lines.
#[must_use]
pub fn printable(text: &str) -> String {
    let spell = |c: char| match c {
        '\n' => "\n".to_owned(),
        c if is_deceptive(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(spell).collect()
}

/// Where a problem's mark stands, in bytes of its file's text.
fn span(text: &str, problem: &Problem) -> Range<usize> {
    let line = text.split_inclusive('\n').nth(problem.line.saturating_sub(1) as usize).unwrap_or_default();
    let before: usize = text.split_inclusive('\n').take(problem.line.saturating_sub(1) as usize).map(str::len).sum();
    let line = line.trim_end_matches(['\n', '\r']);
    let byte_of = |character: usize| line.char_indices().nth(character).map_or(line.len(), |(at, _)| at);
    let from = problem.column.saturating_sub(1) as usize;
    before + byte_of(from)..before + byte_of(from.saturating_add(problem.width as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: u32, column: u32, width: u32) -> Problem {
        Problem {
            severity: Severity::Error,
            message: "unknown detector `crad`".to_owned(),
            file: Some("policy.yaml".into()),
            line,
            column,
            width,
            label: Some("did you mean `card`?".to_owned()),
            help: Some("`hoop detectors` lists them with examples".to_owned()),
        }
    }

    #[test]
    fn a_problem_is_shown_under_its_word() {
        let mut sources = Sources::default();
        sources.insert("policy.yaml", "hoop: 1\n      detect:  { crad: partial }\n");
        let expected = "\
error: unknown detector `crad`
 --> policy.yaml:2:18
  |
2 |       detect:  { crad: partial }
  |                  ^^^^ did you mean `card`?
  |
  = help: `hoop detectors` lists them with examples";
        assert_eq!(sources.render(&problem(2, 18, 4), Colour::Plain), expected);
    }

    #[test]
    fn marks_beyond_the_text_do_not_panic() {
        let mut sources = Sources::default();
        sources.insert("policy.yaml", "héllo\r\n\twörld");
        for (line, column, width) in [(1, 2, 1), (2, 99, 9), (9, 9, 9), (0, 0, 0), (u32::MAX, u32::MAX, u32::MAX)] {
            assert!(sources.render(&problem(line, column, width), Colour::Plain).contains("crad"));
        }
    }

    #[test]
    fn hostile_text_is_spelt_out() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}"), "a\\u{1b}[2J\nb\\u{202e}");
    }
}
