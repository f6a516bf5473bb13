//! TLS on both sides: the certificate that clients see, and what is checked of a server's.

use std::path::PathBuf;
use std::sync::Arc;

use hoop_runtime::authorities::{self, PemError, certificates};
use hoop_runtime::config::{Certificate, ClientCertificates, UpstreamTls, Verify};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio_rustls::TlsAcceptor;

use crate::certificate::end_point;

/// The name of PostgreSQL's protocol in TLS (ALPN): a connection that begins with TLS must say it.
pub const ALPN: &[u8] = b"postgresql";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
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
    /// Certificates cannot be read, or no authority can be trusted.
    #[error("{0}")]
    Pem(#[from] PemError),
}

/// Takes TLS connections of clients.
///
/// # Errors
/// Where the certificate or its key cannot be read, or do not belong together.
pub fn acceptor(files: &Certificate) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| PemError::File { path: files.key.clone(), error })?;
    let unusable = |error| TlsError::Unusable { path: files.certificate.clone(), error };
    let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(unusable)?.with_client_cert_verifier(client_verifier(files.clients.as_ref())?);
    let mut config = config.with_single_cert(chain, key).map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What is checked of a client's certificate.
fn client_verifier(clients: Option<&ClientCertificates>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(ClientCertificates { ca, required }) = clients else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let roots = Arc::new(authorities::trusted(Some(ca))?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let verifier = if *required { verifier } else { verifier.allow_unauthenticated() };
    let unusable = |error: VerifierBuilderError| rustls::Error::General(error.to_string());
    verifier.build().map_err(|error| TlsError::Unusable { path: ca.clone(), error: unusable(error) })
}

/// What a SCRAM login to a listener with this certificate is bound to.
///
/// # Errors
/// Where the certificate cannot be read.
pub fn own_end_point(files: &Certificate) -> Result<Option<Vec<u8>>, TlsError> {
    Ok(certificates(&files.certificate)?.first().and_then(end_point))
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
    let roots = Arc::new(authorities::trusted(tls.ca.as_deref())?);
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
