//! What the gateway reads in certificates: the names of a client, and what a SCRAM login is bound to.

use std::collections::BTreeSet;

use hoop_runtime::config::CertificateName;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What a SCRAM login is bound to: the hash of the server's certificate (RFC 5929, `tls-server-end-point`).
///
/// The hash is that of the certificate's signature, SHA-256 in place of older ones. `None` for signatures that name
/// no hash of their own, such as Ed25519: PostgreSQL does not bind to those either.
#[must_use]
pub fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let read = read(certificate)?;
    let hash = match read.signature_algorithm.algorithm.as_bytes() {
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

/// The names that a certificate bears; none where it cannot be read. Of several common names none counts: which of them
/// is meant, readers disagree about.
#[must_use]
pub fn names(certificate: &CertificateDer<'_>) -> BTreeSet<CertificateName> {
    let Some(read) = read(certificate) else { return BTreeSet::new() };
    let mut common = read.subject().iter_common_name();
    let common = match (common.next(), common.next()) {
        (Some(name), None) => name.as_str().ok().map(|name| CertificateName::Common(name.to_owned())),
        (_, _) => None,
    };
    let alternative = read.subject_alternative_name().ok().flatten();
    let alternative = alternative.into_iter().flat_map(|extension| &extension.value.general_names).filter_map(name);
    common.into_iter().chain(alternative).collect()
}

fn read<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (rest, read) = X509Certificate::from_der(certificate).ok()?;
    rest.is_empty().then_some(read)
}

fn name(name: &GeneralName<'_>) -> Option<CertificateName> {
    match name {
        GeneralName::DNSName(name) => Some(CertificateName::Dns(name.to_ascii_lowercase())),
        GeneralName::URI(uri) => Some(CertificateName::Uri((*uri).to_owned())),
        GeneralName::RFC822Name(address) => Some(CertificateName::Email((*address).to_owned())),
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::IPAddress(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SignatureAlgorithm};

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
    fn bytes_that_are_no_certificate_say_nothing() {
        for bytes in
            [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x84, 1, 1, 1, 1], &[0x30, 0x82, 0xff, 0xff, 0], &[0; 64]]
        {
            assert_eq!(end_point(&CertificateDer::from(bytes)), None);
            assert!(names(&CertificateDer::from(bytes)).is_empty());
        }
    }

    fn certificate(common: &[&str], alternative: &[SanType]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        common.iter().for_each(|name| params.distinguished_name.push(DnType::CommonName, *name));
        params.subject_alt_names = alternative.to_vec();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn names_of_a_client() {
        let check = |common: &[&str], alternative: &[SanType], expected: &[&str]| {
            let names: Vec<String> = names(&certificate(common, alternative)).iter().map(ToString::to_string).collect();
            assert_eq!(names, expected);
        };
        let text = |text: &str| text.try_into().unwrap();
        check(&[], &[], &[]);
        check(&["etl-7"], &[], &["cn:etl-7"]);
        let all = [
            SanType::DnsName(text("Etl.Internal")),
            SanType::URI(text("spiffe://corp/etl")),
            SanType::Rfc822Name(text("etl@corp.example")),
            SanType::IpAddress([10, 0, 0, 1].into()),
        ];
        check(&["ETL"], &all, &["cn:ETL", "dns:etl.internal", "uri:spiffe://corp/etl", "email:etl@corp.example"]);
    }
}
