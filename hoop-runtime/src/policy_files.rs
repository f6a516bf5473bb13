//! A policy from its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hoopcore::mask::Keyring;
use hoopcore::policy::{Problem, Severity};
use hoopcore::{Policy, PolicyErrors};

use crate::diagnostics::Sources;

/// A larger file is refused before it is read.
const LIMIT: u64 = 8 << 20;

/// A policy with the texts that it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The texts of its files.
    pub sources: Sources,
}

/// Why a policy cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFilesError {
    /// A file cannot be read.
    #[error("the policy file `{}` cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The policy has problems.
    #[error("{}", sources.render_all(problems))]
    Wrong {
        /// Each, in the order of the files.
        problems: Vec<Problem>,
        /// The texts that they are in.
        sources: Sources,
    },
    /// Reading it failed in a way that it never should.
    #[error("the policy could not be read because of a mistake in hoop: report it, with the files")]
    Unfinished,
}

/// The one policy that several files make up.
///
/// # Errors
/// Where a file cannot be read, or with every problem of all files at once.
pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Loaded, PolicyFilesError> {
    parse_as(read(paths)?, Policy::from_files)
}

/// The same, with keys for its pseudonyms and shifts; one that is missing is a problem of the policy.
///
/// # Errors
/// As [`load`].
pub fn load_with_keys<P: AsRef<Path>>(paths: &[P], keys: &Keyring) -> Result<Loaded, PolicyFilesError> {
    parse_with_keys(read(paths)?, keys)
}

/// The texts of the files.
pub(crate) fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Sources, PolicyFilesError> {
    let (mut sources, mut garbled) = (Sources::default(), Vec::new());
    for path in paths.iter().map(AsRef::as_ref) {
        let name = path.display().to_string();
        let bytes = bytes(path).map_err(|error| PolicyFilesError::Unreadable { path: path.to_owned(), error })?;
        garbled.extend(not_utf8(&name, &bytes));
        sources.insert(name, String::from_utf8_lossy(&bytes));
    }
    if !garbled.is_empty() {
        return Err(PolicyFilesError::Wrong { problems: garbled, sources });
    }
    Ok(sources)
}

/// The policy that these texts are together.
pub(crate) fn parse_with_keys(sources: Sources, keys: &Keyring) -> Result<Loaded, PolicyFilesError> {
    parse_as(sources, |files| Policy::from_files_with_keys(files, keys))
}

fn parse_as(
    sources: Sources,
    compile: impl FnOnce(&[(&str, &str)]) -> Result<Policy, PolicyErrors>,
) -> Result<Loaded, PolicyFilesError> {
    let files: Vec<(&str, &str)> = sources.iter().collect();
    match compile(&files) {
        Ok(policy) => Ok(Loaded { policy, sources }),
        Err(PolicyErrors { problems }) => Err(PolicyFilesError::Wrong { problems, sources }),
    }
}

/// Where a file stops being text.
fn not_utf8(name: &str, bytes: &[u8]) -> Option<Problem> {
    let good = std::str::from_utf8(bytes).err()?.valid_up_to();
    let before = String::from_utf8_lossy(bytes.get(..good)?);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let last = before.rsplit('\n').next().unwrap_or_default();
    Some(Problem {
        severity: Severity::Error,
        message: format!("the file is not UTF-8: here is the byte 0x{:02x}", bytes.get(good)?),
        file: Some(name.into()),
        line: number(before.matches('\n').count() + 1),
        column: number(last.chars().count() + 1),
        width: 1,
        label: None,
        help: Some("save the file as UTF-8".to_owned()),
    })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > LIMIT {
        return Err(io::Error::other("it is larger than 8 MiB; split it into several files"));
    }
    fs::read(path)
}
