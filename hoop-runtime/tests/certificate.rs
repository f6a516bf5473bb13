//! `hoop certificate`: what it makes lets a client verify the gateway in full.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

fn certificate(directory: &Path, names: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoop"));
    command.arg("certificate").arg("--directory").arg(directory).args(names).output().unwrap()
}

/// Whether a client that trusts the authority alone takes the server for the one of this name.
fn verifies(directory: &Path, name: &str) -> bool {
    let file = |name: &str| directory.join(name);
    let certificates =
        |name: &str| CertificateDer::pem_file_iter(file(name)).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates("server.crt"), key);
    let mut roots = RootCertStore::empty();
    certificates("ca.pem").into_iter().for_each(|ca| roots.add(ca).unwrap());
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server.unwrap())).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        client.write_tls(&mut there).unwrap();
        server.read_tls(&mut there.as_slice()).unwrap();
        if server.process_new_packets().is_err() {
            return false;
        }
        server.write_tls(&mut back).unwrap();
        client.read_tls(&mut back.as_slice()).unwrap();
        if client.process_new_packets().is_err() {
            return false;
        }
    }
    true
}

#[test]
fn clients_verify_what_it_makes_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let made = certificate(directory.path(), &["gateway.internal", "10.0.0.7"]);
    assert!(made.status.success(), "{made:?}");
    assert!(verifies(directory.path(), "gateway.internal"));
    assert!(verifies(directory.path(), "10.0.0.7"));
    assert!(!verifies(directory.path(), "elsewhere.internal"));
}

#[test]
fn the_key_is_its_owners_and_nothing_is_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    assert!(certificate(directory.path(), &[]).status.success());
    let key = directory.path().join("server.key");
    let (mode, before) = (key.metadata().unwrap().permissions().mode() & 0o777, std::fs::read(&key).unwrap());
    let again = certificate(directory.path(), &[]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!((mode, again.status.code()), (0o600, Some(2)));
    assert!(said.contains("is there already; name another --directory"), "{said}");
    assert_eq!(std::fs::read(&key).unwrap(), before);
}
