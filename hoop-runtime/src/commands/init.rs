//! `hoop init`: a policy and a gateway's file to begin with, which run as they are.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hoop_runtime::schema;

use super::Failure;
use super::output::{self, STRONG};

/// Writes a commented policy, the gateway's own file, a password, and JSON Schemas for editors. What is there is never
/// overwritten.
///
/// Exit status: 0, or 2 where a file is there already or cannot be written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  hoop init shop && cd shop
  hoop check policy.yaml && hoop test policy.yaml
  hoop-pg --config gateway.yaml check")]
pub(super) struct Args {
    /// The folder; made where it is not there
    #[arg(default_value = ".", value_name = "DIR")]
    directory: PathBuf,
}

const POLICY: &str = include_str!("init/policy.yaml");
const GATEWAY: &str = include_str!("init/gateway.yaml");
/// The password of the one caller.
const SECRET: &str = "etl-7.secret";

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let texts = [
        ("policy.yaml", POLICY.to_owned()),
        ("gateway.yaml", GATEWAY.replace("OPERATING_SYSTEM_USER", &user())),
        ("policy.schema.json", schema::text(&schema::policy())),
        ("gateway.schema.json", schema::text(&schema::gateway())),
        (SECRET, format!("{:032x}\n", rand::random::<u128>())),
    ];
    let taken: Vec<&str> =
        texts.iter().map(|(name, _)| *name).filter(|name| args.directory.join(name).exists()).collect();
    if !taken.is_empty() {
        let (names, directory) = (taken.join("`, `"), args.directory.display());
        return Err(Failure::said(format!(
            "`{names}` is there already in `{directory}`: nothing was written; name another folder"
        )));
    }
    fs::create_dir_all(&args.directory).map_err(|error| unwritable(&args.directory, &error))?;
    for (name, text) in &texts {
        let path = args.directory.join(name);
        write(&path, text, *name == SECRET).map_err(|error| unwritable(&path, &error))?;
        writeln!(output::out(), "wrote {}", path.display())?;
    }
    writeln!(
        output::out(),
        "next: {STRONG}hoop check policy.yaml{STRONG:#}, hoop test policy.yaml, hoop-pg --config gateway.yaml"
    )?;
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str, secret: bool) -> io::Result<()> {
    let mode = if secret { 0o600 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::said(format!("`{}` cannot be written: {error}", path.display()))
}

/// The operating-system user, who may answer approvals.
fn user() -> String {
    let name = uzers::get_current_username().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "root".to_owned())
}
