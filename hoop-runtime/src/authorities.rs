//! The authorities whose certificates are trusted.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};

/// Why certificates cannot be had, or a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// The file cannot be read, or is not PEM.
    #[error("`{}` cannot be read as PEM: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// A certificate in the file is none of an authority.
    #[error("`{}` cannot be used: {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// The system names no authority.
    #[error("the system has no certificates of authorities; name a file with `ca`")]
    NoAuthorities,
}

/// The certificates in a PEM file, at least one.
///
/// # Errors
/// Where it cannot be read, is not PEM, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let unreadable = |error| PemError::File { path: path.to_owned(), error };
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found.map_err(unreadable)? {
        found if found.is_empty() => Err(unreadable(pem::Error::NoItemsFound)),
        found => Ok(found),
    }
}

/// The authorities in a PEM file, or without one those of the system.
///
/// # Errors
/// Where there is none.
pub fn trusted(file: Option<&Path>) -> Result<RootCertStore, PemError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(PemError::NoAuthorities) } else { Ok(roots) };
    };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| PemError::Unusable { path: path.to_owned(), error })?;
    }
    Ok(roots)
}
