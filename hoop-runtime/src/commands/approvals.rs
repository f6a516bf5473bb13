//! `hoop approvals`: see what waits, and answer for it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use hoop_runtime::approvals::{Answered, Ask, GrantSummary, Reply, Summary, ask};
use hoop_runtime::config::Places;

use super::Failure;
use super::output::{self, Format, STRONG, spelled};

/// The gateway knows you by your operating-system user; its file names who may answer.
///
/// Exit status: 0, or 2 where the gateway cannot be reached or refuses.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The gateway's socket for approvals
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The gateway's file, which names the socket
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// For a person, or JSON
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the commands that wait, the oldest first
    List,
    /// Show one in full: who, on what, the statement with its values, which rules ask
    Show {
        /// Its id
        id: String,
    },
    /// Let it be carried out
    Approve {
        /// Its id
        id: String,
    },
    /// Refuse it
    Deny {
        /// Its id
        id: String,
    },
    /// List what people agreed to beyond one execution, and is in force
    Grants,
    /// Take such a consent back: the next execution asks again
    Revoke {
        /// Its id
        id: String,
    },
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let socket = socket(args)?;
    let question = match &args.what {
        What::List => Ask::List,
        What::Show { id } => Ask::Show(id.clone()),
        What::Approve { id } => Ask::Approve(id.clone()),
        What::Deny { id } => Ask::Deny(id.clone()),
        What::Grants => Ask::Grants,
        What::Revoke { id } => Ask::Revoke(id.clone()),
    };
    let reply = ask(&socket, &question)
        .map_err(|error| Failure::Said(format!("no gateway answers on `{}`: {error}", socket.display())))?;
    if let Reply::Refused(why) = reply {
        return Err(Failure::Said(why));
    }
    match args.format {
        Format::Text => tell(&reply)?,
        Format::Json => writeln!(output::out(), "{}", serde_json::to_string(&reply).map_err(Failure::said)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn socket(args: &Args) -> Result<PathBuf, Failure> {
    match (&args.socket, &args.config) {
        (Some(socket), _) => Ok(socket.clone()),
        (None, Some(config)) => Places::read(config)
            .map_err(Failure::said)?
            .approvals
            .ok_or_else(|| Failure::Said(format!("`{}` names no `approvals.socket`", config.display()))),
        (None, None) => Err(Failure::Said("say where the gateway is: `--socket PATH` or `--config FILE`".to_owned())),
    }
}

fn tell(reply: &Reply) -> Result<(), Failure> {
    match reply {
        Reply::List(waiting) => list(waiting),
        Reply::Held(detail) => Ok(super::held::show(detail, &mut output::out())?),
        Reply::Answered(answered) => Ok(writeln!(output::out(), "{}", in_words(*answered))?),
        Reply::Grants(grants) => list_grants(grants),
        Reply::Revoked => Ok(writeln!(output::out(), "revoked: the next execution asks again")?),
        Reply::Refused(why) => Err(Failure::Said(why.clone())),
    }
}

fn in_words(answered: Answered) -> &'static str {
    match answered {
        Answered::Released => "approved: it is carried out now",
        Answered::StillWaiting => "noted: it waits for more people",
        Answered::Refused => "refused: its caller is told",
        Answered::CallerLeft => "too late: its caller has left, nothing is carried out",
    }
}

fn list(waiting: &[Summary]) -> Result<(), Failure> {
    let mut out = output::out();
    if waiting.is_empty() {
        return Ok(writeln!(out, "nothing waits")?);
    }
    writeln!(out, "{STRONG}{:<11}{:>7}  {:<16} {:<20} COMMAND{STRONG:#}", "ID", "LEFT", "WHO", "ON")?;
    for one in waiting {
        let (left, who, on) = (left(one.seconds_left), spelled(&one.user), spelled(&one.resource));
        writeln!(out, "{:<11}{left:>7}  {who:<16} {on:<20} {}", one.id, on_one_line(&one.command))?;
    }
    Ok(())
}

fn list_grants(grants: &[GrantSummary]) -> Result<(), Failure> {
    let mut out = output::out();
    if grants.is_empty() {
        return Ok(writeln!(out, "no consent goes further than what was carried out")?);
    }
    writeln!(out, "{STRONG}{:<11}{:<28}{:<16} {:<20} COMMAND{STRONG:#}", "ID", "GOOD FOR", "WHO", "ON")?;
    for one in grants {
        let (who, on) = (spelled(&one.user), spelled(&one.resource));
        writeln!(out, "{:<11}{:<28}{who:<16} {on:<20} {}", one.id, good_for(one), on_one_line(&one.command))?;
    }
    Ok(())
}

/// What is left of a grant, in words.
fn good_for(grant: &GrantSummary) -> String {
    let times = grant.left.map(|left| format!("{left} more, "));
    let session = if grant.session { ", its session" } else { "" };
    format!("{}{}{session}", times.unwrap_or_default(), left(grant.seconds_left))
}

pub(super) fn left(seconds: i64) -> String {
    match seconds {
        i64::MIN..=0 => "expired".to_owned(),
        1..=119 => format!("{seconds} s"),
        120.. => format!("{} min", seconds / 60),
    }
}

fn on_one_line(command: &str) -> String {
    let words = spelled(&command.split_whitespace().collect::<Vec<_>>().join(" "));
    match words.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", words.get(..at).unwrap_or_default()),
        None => words,
    }
}

/// How far consent goes, in words.
pub(super) fn scope(grant: &str) -> String {
    match grant {
        "once" => "this once".to_owned(),
        "session" => "the rest of its session".to_owned(),
        terms => terms.to_owned(),
    }
}
