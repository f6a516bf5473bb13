//! `hoop certificate`: a certificate for a gateway, from an authority made for it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hoop_runtime::clock;
use jiff::{ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::Failure;
use super::output;

/// How long the certificates hold.
const DAYS: i64 = 365;

/// Makes an authority and a server certificate that it signed: for tests, and for a start without a certificate of your
/// own. The authority's key is not kept: nobody can sign anything else with it.
///
/// Writes `ca.pem` (for clients: sslmode=verify-full sslrootcert=ca.pem), `server.crt` and `server.key` (for `tls` of a
/// listener). A file that is there already is never overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names and addresses by which clients reach the gateway
    #[arg(value_name = "NAME", default_values = ["localhost", "127.0.0.1", "::1"])]
    names: Vec<String>,
    /// Where the files go
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let made = make(&args.names).map_err(|error| Failure::said(format!("no certificate can be made: {error}")))?;
    fs::create_dir_all(&args.directory).map_err(|error| cannot(&args.directory, &error))?;
    let files =
        [("ca.pem", made.authority, 0o644), ("server.crt", made.certificate, 0o644), ("server.key", made.key, 0o600)];
    if let Some((name, ..)) = files.iter().find(|(name, ..)| args.directory.join(name).exists()) {
        let there = args.directory.join(name);
        return Err(Failure::said(format!("`{}` is there already; name another --directory", there.display())));
    }
    for (name, text, mode) in files {
        let file = args.directory.join(name);
        write(&file, &text, mode).map_err(|error| cannot(&file, &error))?;
    }
    let directory = args.directory.display();
    writeln!(
        output::out(),
        "made ca.pem, server.crt and server.key in {directory}, good for {DAYS} days for {}",
        args.names.join(", ")
    )?;
    Ok(ExitCode::SUCCESS)
}

fn cannot(file: &Path, error: &std::io::Error) -> Failure {
    Failure::said(format!("`{}` cannot be written: {error}", file.display()))
}

/// Three PEM texts.
struct Made {
    authority: String,
    certificate: String,
    key: String,
}

fn make(names: &[String]) -> Result<Made, rcgen::Error> {
    let authority = authority()?;
    let key = KeyPair::generate()?;
    let mut params = lasting(CertificateParams::new(names)?);
    let first = names.iter().find(|name| name.parse::<IpAddr>().is_err()).or(names.first());
    params.distinguished_name.push(DnType::CommonName, first.map_or("hoop", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &authority)?;
    Ok(Made { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = lasting(CertificateParams::new(Vec::new())?);
    params.distinguished_name.push(DnType::CommonName, "hoop's own authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Good from yesterday on, so that a clock that is a little late does not refuse it.
fn lasting(mut params: CertificateParams) -> CertificateParams {
    let day = |offset: i64| {
        let today = TimeZone::UTC.to_datetime(clock::now()).date();
        let date = today.saturating_add(offset.days());
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-1);
    params.not_after = day(DAYS);
    params
}

fn write(file: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    file.write_all(text.as_bytes())
}
