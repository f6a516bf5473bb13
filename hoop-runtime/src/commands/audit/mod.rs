//! `hoop audit`: reads what gateways recorded.

mod reader;
mod words;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Subcommand;
use hoop_runtime::config::Places;
use hoop_runtime::trail::{Mode, measure};
use serde_json::Value;

use self::reader::{Line, Reader};
use self::words::{Record, verdict};
use super::Failure;
use super::output::{self, Format, STRONG};

/// How often `--follow` looks for more, and how long a line that is half there may take to be whole.
const PAUSE: Duration = Duration::from_millis(300);

/// Reads the audit trail.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show records, the oldest first
    Show(Show),
    /// Measure how many records a disk takes, and how long a command waits for its own
    Measure(Measure),
}

/// Writes records into a folder of its own in DIR, and takes it away again.
#[derive(Debug, clap::Args)]
struct Measure {
    /// A directory on the disk to measure
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// How many clients wait at the same time
    #[arg(long, default_values_t = [1, 8, 64], value_delimiter = ',')]
    clients: Vec<usize>,
    /// Bytes of a record
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// Seconds for each number of clients
    #[arg(long, default_value_t = 2)]
    seconds: u64,
}

/// Exit status: 0, 1 where a line is no whole record, 2 where the trail cannot be read.
#[derive(Debug, clap::Args)]
struct Show {
    /// The trail's directory
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    directory: Option<PathBuf>,
    /// The gateway's file, which names the directory
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    config: Option<PathBuf>,
    /// Wait for more
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    only: Only,
    /// For a person, or the lines as they are
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which records are shown: those for which all of this holds.
#[derive(Clone, Debug, Default, clap::Args)]
struct Only {
    /// Only those of this session, as its login names it
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only those about this caller
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only decisions with this verdict: allow, mask, approve, block
    #[arg(long, value_name = "VERDICT", value_parser = known_verdict)]
    verdict: Option<String>,
    /// Only those that name this rule
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
}

fn known_verdict(word: &str) -> Result<String, String> {
    let known = verdict(word).map(|verdict| verdict.to_string());
    known.ok_or_else(|| "known: allow, mask, approve, block".to_owned())
}

impl Only {
    fn holds(&self, record: &Value) -> bool {
        let is = |wanted: &Option<String>, path: &str| {
            wanted.as_deref().is_none_or(|wanted| record.pointer(path).and_then(Value::as_str) == Some(wanted))
        };
        is(&self.session, "/session")
            && is(&self.user, "/who/user")
            && is(&self.verdict, "/verdict")
            && (is(&self.rule, "/rule/name") || self.is_asked_for_by(record))
    }

    /// An approval names all rules that ask for it.
    fn is_asked_for_by(&self, record: &Value) -> bool {
        let mut rules = record.pointer("/rules").and_then(Value::as_array).into_iter().flatten();
        rules.any(|rule| rule.as_str() == self.rule.as_deref())
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Show(args) => show(args),
        What::Measure(args) => weigh(args),
    }
}

fn weigh(args: &Measure) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = args.directory.join(format!("hoop-measure-{}", std::process::id()));
    let mut out = output::out();
    writeln!(out, "{STRONG}{:<8}{:>12}{:>10}{:>10}{STRONG:#}", "CLIENTS", "RECORDS/S", "P50", "P99")?;
    let time = Duration::from_secs(args.seconds);
    for clients in &args.clients {
        let measured = runtime.block_on(measure(&folder, Mode::Durable, *clients, args.bytes, time));
        fs::remove_dir_all(&folder).map_err(|error| unreadable(&folder, &error))?;
        let measured = measured.map_err(|error| unreadable(&folder, &error))?;
        let wait = |percent| format!("{:.2} ms", measured.wait(percent).as_secs_f64() * 1e3);
        writeln!(out, "{clients:<8}{:>12.0}{:>10}{:>10}", measured.rate(), wait(50), wait(99))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(show: &Show) -> Result<ExitCode, Failure> {
    let directory = directory_of(show)?;
    let mut printer = Printer { directory: &directory, show, reader: Reader::default(), broken: false };
    printer.advance()?;
    if show.follow {
        loop {
            thread::sleep(PAUSE);
            printer.advance()?;
        }
    }
    printer.report_torn()?;
    Ok(if printer.broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn directory_of(show: &Show) -> Result<PathBuf, Failure> {
    match (&show.directory, &show.config) {
        (Some(directory), _) => Ok(directory.clone()),
        (None, Some(config)) => Ok(Places::read(config).map_err(Failure::said)?.audit),
        (None, None) => Err(Failure::Said("say where the trail is: `--directory DIR` or `--config FILE`".to_owned())),
    }
}

fn unreadable(directory: &Path, error: &io::Error) -> Failure {
    Failure::Said(format!("the audit trail in `{}` cannot be read: {error}", directory.display()))
}

/// Why no more records are printed.
#[derive(Debug)]
enum Stop {
    Reading(io::Error),
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

struct Printer<'a> {
    directory: &'a Path,
    show: &'a Show,
    reader: Reader,
    /// Something was no record.
    broken: bool,
}

impl Printer<'_> {
    /// Prints what was written since the last time.
    fn advance(&mut self) -> Result<(), Failure> {
        let Self { directory, show, reader, broken } = self;
        let mut out = output::out();
        let read = reader.advance(directory, |line| {
            let written = match (line, show.format) {
                (Line::Record(record, _), _) if !show.only.holds(&record) => Ok(()),
                (Line::Record(_, text), Format::Json) => out.write_all(&[&text, b"\n".as_slice()].concat()),
                (Line::Record(record, _), Format::Text) => writeln!(out, "{}", Record(&record).in_words()),
                (Line::Other(text), _) => {
                    *broken = true;
                    output::complain(&format!("no record: {}", String::from_utf8_lossy(&text)));
                    Ok(())
                }
            };
            written.map_err(Stop::Output)
        });
        match read {
            Ok(()) => Ok(out.flush()?),
            Err(Stop::Reading(error)) => Err(unreadable(directory, &error)),
            Err(Stop::Output(error)) => Err(error.into()),
        }
    }

    /// A file whose end is no whole line was cut off by a crash; its last record was never acknowledged. Where the gateway
    /// runs it may just be writing it: that line is waited for a little.
    fn report_torn(&mut self) -> Result<(), Failure> {
        let before = self.reader.partial().clone();
        if before.is_empty() {
            return Ok(());
        }
        thread::sleep(PAUSE);
        self.advance()?;
        for (path, _) in before.iter().filter(|(path, read)| self.reader.partial().get(*path) == Some(read)) {
            let name = path.strip_prefix(self.directory).unwrap_or(path);
            output::complain(&format!("`{}` ends in a part of a record, which nobody acted on", name.display()));
            self.broken = true;
        }
        Ok(())
    }
}
