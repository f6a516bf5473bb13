//! `hoop audit`: reads what gateways recorded.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Subcommand;
use hoop_runtime::config::Places;
use hoop_runtime::diagnostics::printable;
use hoop_runtime::trail::{Mode, measure};
use hoopcore::Verdict;
use serde_json::Value;

use super::Failure;
use super::output::{self, FAINT, Format, LOUD, STRONG};

/// How often `--follow` looks for more.
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
    let only = show.only.clone();
    let mut reader = Reader { format: show.format, only, read: BTreeMap::new(), broken: false };
    loop {
        let finds = reader.advance(&directory).map_err(|error| unreadable(&directory, &error))?;
        reader.print(&finds)?;
        if !show.follow {
            reader.report_torn(&directory);
            return Ok(if reader.broken { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        thread::sleep(PAUSE);
    }
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

struct Reader {
    format: Format,
    only: Only,
    /// How far each file was read.
    read: BTreeMap<PathBuf, u64>,
    broken: bool,
}

impl Reader {
    /// Whole lines that were written since the last time, file by file.
    fn advance(&mut self, directory: &Path) -> io::Result<Vec<Vec<u8>>> {
        let mut files: Vec<PathBuf> = fs::read_dir(directory)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
            .collect();
        files.sort();
        let mut lines = Vec::new();
        for path in files {
            self.advance_file(path, &mut lines)?;
        }
        Ok(lines)
    }

    fn advance_file(&mut self, path: PathBuf, lines: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let mut file = File::open(&path)?;
        let read = self.read.entry(path).or_default();
        file.seek(SeekFrom::Start(*read))?;
        let mut file = BufReader::new(file);
        loop {
            let mut line = Vec::new();
            let bytes = file.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                return Ok(());
            }
            *read += bytes as u64;
            lines.push(line);
        }
    }

    fn print(&mut self, lines: &[Vec<u8>]) -> Result<(), Failure> {
        let mut out = output::out();
        for line in lines {
            match (serde_json::from_slice::<Value>(line), self.format) {
                (Ok(record), _) if !self.only.holds(&record) => {}
                (Ok(_), Format::Json) => out.write_all(&[line, b"\n".as_slice()].concat())?,
                (Ok(record), Format::Text) => writeln!(out, "{}", Record(&record).in_words())?,
                (Err(_), _) => {
                    self.broken = true;
                    output::complain(&format!("no record: {}", String::from_utf8_lossy(line)));
                }
            }
        }
        out.flush()?;
        Ok(())
    }

    /// A file whose end is no whole line was cut off by a crash; its last record was never acknowledged.
    fn report_torn(&mut self, directory: &Path) {
        for (path, read) in &self.read {
            if fs::metadata(path).is_ok_and(|file| file.len() > *read) {
                let name = path.strip_prefix(directory).unwrap_or(path);
                output::complain(&format!("`{}` ends in a part of a record, which nobody acted on", name.display()));
                self.broken = true;
            }
        }
    }
}

/// One record as a line for a person.
struct Record<'a>(&'a Value);

impl Record<'_> {
    fn in_words(&self) -> String {
        let time = self.text("/time");
        let body = match self.text("/kind").as_str() {
            "decision" => self.decision(),
            "closing" => self.closing(),
            "login" => self.login(),
            "login_refused" => {
                let bad = output::style_of_success(false);
                format!("{bad}refused{bad:#}   {} {}", self.parties(), self.text("/reason"))
            }
            "segment" => self.segment(),
            "timed_out" => {
                let bad = output::style_of_success(false);
                let (timeout, after) = (self.text("/timeout"), self.text("/after"));
                format!("{bad}timed out{bad:#} {} {timeout} after {after}", self.parties())
            }
            "policy_reloaded" => {
                format!(
                    "{STRONG}policy{STRONG:#}    {} is in force after {}",
                    self.short("/after"),
                    self.short("/before")
                )
            }
            "policy_refused" => {
                let bad = output::style_of_success(false);
                let problems = self.0["problems"].as_u64().unwrap_or_default();
                let (stays, reason) = (self.short("/policy"), self.text("/reason"));
                format!("{bad}policy{bad:#}    NOT reloaded, {stays} stays: {reason} (problems: {problems})")
            }
            kind => self.approval(kind),
        };
        let observed = if self.is_observed() { format!("{LOUD}OBSERVED{LOUD:#} ") } else { String::new() };
        format!("{FAINT}{time}{FAINT:#} {observed}{body}").trim_end().to_owned()
    }

    /// The beginning of a digest.
    fn short(&self, path: &str) -> String {
        self.text(path).chars().take(12).collect()
    }

    /// By which consent of people a command went on.
    fn grant(&self) -> String {
        let number = |path: &str| self.0.pointer(path).and_then(Value::as_u64);
        match (self.text("/grant/approval").as_str(), number("/grant/use"), number("/grant/of")) {
            ("", ..) => String::new(),
            (id, Some(number), Some(of)) => format!(" {{{id} {number}/{of}}}"),
            (id, number, _) => format!(" {{{id} {}}}", number.unwrap_or_default()),
        }
    }

    fn is_observed(&self) -> bool {
        self.0["observed"] == true
    }

    fn login(&self) -> String {
        let reason = self.text("/reason");
        let would = if reason.is_empty() { String::new() } else { format!(" [would be refused: {reason}]") };
        let (how, session) = (self.text("/who/how"), self.text("/session"));
        format!("{STRONG}login{STRONG:#}     {} how={how} session={session}{would}", self.parties())
    }

    fn segment(&self) -> String {
        let (after, failure) = (self.text("/after"), self.text("/failure"));
        match (after.as_str(), failure.as_str()) {
            ("", _) => format!("{FAINT}the gateway begins{FAINT:#}"),
            (after, "") => format!("{FAINT}the trail goes on after {after}{FAINT:#}"),
            (after, failure) => {
                let bad = output::style_of_success(false);
                format!("{bad}failed{bad:#}    {after} could not be written to its end: {failure}")
            }
        }
    }

    fn decision(&self) -> String {
        let word = self.text("/verdict");
        let style = verdict(&word).map(output::style_of).unwrap_or_default();
        let word = if self.is_observed() { format!("would {word}") } else { word };
        let (rule, reason) = (self.text("/rule/name"), self.text("/reason"));
        let why = if reason.is_empty() { rule } else { format!("{rule}: {reason}") };
        format!("{style}{word:<9}{style:#} {} [{why}]{} {}", self.parties(), self.grant(), self.text("/command"))
    }

    fn closing(&self) -> String {
        let number = |path: &str| self.0.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        let error = self.text("/completion/error");
        let masked = if self.is_observed() { "would_mask" } else { "masked" };
        format!(
            "{FAINT}{:<9}{FAINT:#} {} rows={} bytes={} {masked}={}{}{} {error}",
            self.text("/completion/status"),
            self.parties(),
            number("/completion/rows"),
            number("/completion/bytes"),
            number("/completion/cells_masked"),
            self.masked_by(),
            self.would_end(),
        )
    }

    /// What masked how many cells.
    fn masked_by(&self) -> String {
        let masked = self.0.pointer("/completion/masked_by").and_then(Value::as_array).into_iter().flatten();
        let told: Vec<String> = masked
            .map(|masked| {
                let name = masked["column"].as_str().or(masked["detector"].as_str()).unwrap_or("in doubt");
                format!("{} {}", printable(name), masked["cells"].as_u64().unwrap_or_default())
            })
            .collect();
        if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
    }

    /// What would have ended an execution that was only watched.
    fn would_end(&self) -> String {
        let (limit, why) = (self.text("/completion/would_end/limit"), self.text("/completion/would_end/unmaskable"));
        match (limit.as_str(), why.as_str()) {
            ("", "") => String::new(),
            ("", why) => format!(" [would be refused: {why}]"),
            (limit, _) => format!(" [would be ended by {}: {limit}]", self.text("/rule/name")),
        }
    }

    fn approval(&self, kind: &str) -> String {
        let word = kind.strip_prefix("approval_").unwrap_or(kind);
        let rules = self.0.pointer("/rules").and_then(Value::as_array).into_iter().flatten();
        let rules: Vec<&str> = rules.filter_map(Value::as_str).collect();
        let (id, by, answer) = (self.text("/approval"), self.text("/by"), self.text("/answer"));
        format!("{STRONG}{word:<9}{STRONG:#} {id} [{}] {by} {answer}", printable(&rules.join(", ")))
    }

    fn parties(&self) -> String {
        let (user, resource, database) = (self.text("/who/user"), self.text("/on/resource"), self.text("/on/database"));
        let slash = if database.is_empty() { "" } else { "/" };
        format!("{user}@{resource}{slash}{database}")
    }

    /// A text of the record, on one line and harmless to a terminal; empty where there is none.
    fn text(&self, path: &str) -> String {
        let text = self.0.pointer(path).and_then(Value::as_str).unwrap_or_default();
        printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    [Verdict::Allow, Verdict::Mask, Verdict::Approve, Verdict::Block]
        .into_iter()
        .find(|verdict| verdict.to_string() == word)
}
