//! TLS on both sides: the certificate that clients see, and what is checked of a server's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hoop_runtime::config::{Certificate, UpstreamTls, Verify};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tokio_rustls::TlsAcceptor;

/// The name of PostgreSQL's protocol in TLS (ALPN): a connection that begins with TLS must say it.
pub const ALPN: &[u8] = b"postgresql";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("`{}` cannot be read as PEM: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// A certificate or key does not serve its purpose.
    #[error("`{}` cannot be used: {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// A host's name cannot stand in a certificate.
    #[error("`{0}` cannot be the name of a host")]
    Host(String),
    /// The system names no authority.
    #[error("the system has no certificates of authorities; name a file with `ca`")]
    NoAuthorities,
}

/// Takes TLS connections of clients.
///
/// # Errors
/// Where the certificate or its key cannot be read, or do not belong together.
pub fn acceptor(files: &Certificate) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unreadable(&files.key, error))?;
    let unusable = |error| TlsError::Unusable { path: files.certificate.clone(), error };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What is checked of a server's certificate; `None` where the configuration says that the way is not encrypted.
///
/// # Errors
/// Where the authorities to trust cannot be read.
pub fn connector(tls: &UpstreamTls) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let names = match tls.verify {
        Verify::Full => true,
        Verify::Ca => false,
        Verify::None => return Ok(None),
    };
    let roots = Arc::new(authorities(tls.ca.as_deref())?);
    let unusable = |error| TlsError::Unusable { path: tls.ca.clone().unwrap_or_default(), error };
    let versions =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)?;
    let mut config = if names {
        versions.with_root_certificates(roots).with_no_client_auth()
    } else {
        versions.dangerous().with_custom_certificate_verifier(AuthorityOnly::new(roots)).with_no_client_auth()
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Some(Arc::new(config)))
}

/// The name that a server's certificate must bear.
///
/// # Errors
/// Where no certificate can bear it.
pub fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Host(host.to_owned()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn unreadable(path: &Path, error: pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), error }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match chain {
        Ok(chain) if chain.is_empty() => Err(unreadable(path, pem::Error::NoItemsFound)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(unreadable(path, error)),
    }
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) };
    };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::Unusable { path: path.to_owned(), error })?;
    }
    Ok(roots)
}

/// Checks that a trusted authority signed a server's certificate, whatever name stands in it.
#[derive(Debug)]
struct AuthorityOnly {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl AuthorityOnly {
    fn new(roots: Arc<RootCertStore>) -> Arc<Self> {
        Arc::new(Self { roots, provider: provider() })
    }
}

impl ServerCertVerifier for AuthorityOnly {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a SCRAM login is bound to: the hash of the server's certificate (RFC 5929, `tls-server-end-point`).
///
/// The hash is that of the certificate's signature, SHA-256 in place of older ones. `None` for signatures that name
/// no hash of their own, such as Ed25519: PostgreSQL does not bind to those either.
#[must_use]
pub fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let hash = match signature_algorithm(certificate)? {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4 | 5 | 11]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1 | 3, 2]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => Sha256::digest(certificate).to_vec(),
        // RSA, ECDSA with SHA-384.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => {
            Sha384::digest(certificate).to_vec()
        }
        // RSA, ECDSA with SHA-512.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => {
            Sha512::digest(certificate).to_vec()
        }
        _ => return None,
    };
    Some(hash)
}

/// The object identifier of the algorithm that a certificate is signed with (RFC 5280, 4.1.1.2).
fn signature_algorithm<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let (whole, _) = element(SEQUENCE, certificate)?;
    let (_signed_part, rest) = element(SEQUENCE, whole)?;
    let (algorithm, _) = element(SEQUENCE, rest)?;
    Some(element(OBJECT_IDENTIFIER, algorithm)?.0)
}

/// The contents of the DER element at the start of `bytes`, if it has that tag, and what follows it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk::<2>().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};

    use super::*;

    #[test]
    fn a_login_is_bound_to_the_hash_of_the_certificate() {
        let check = |algorithm: &'static SignatureAlgorithm, expected: fn(&[u8]) -> Option<Vec<u8>>| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let certificate = CertificateParams::new(["db.internal".to_owned()]).unwrap().self_signed(&key).unwrap();
            assert_eq!(end_point(certificate.der()), expected(certificate.der()), "{algorithm:?}");
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, |der| Some(Sha256::digest(der).to_vec()));
        check(&rcgen::PKCS_ECDSA_P384_SHA384, |der| Some(Sha384::digest(der).to_vec()));
        check(&rcgen::PKCS_ED25519, |_| None);
    }

    #[test]
    fn bytes_that_are_no_certificate_are_not_bound_to() {
        for bytes in
            [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x84, 1, 1, 1, 1], &[0x30, 0x82, 0xff, 0xff, 0], &[0; 64]]
        {
            assert_eq!(end_point(&CertificateDer::from(bytes)), None);
        }
    }
}
