//! The cluster itself: what all other tests stand on.

use std::process::Command;
use std::sync::OnceLock;

use crate::cluster::{Cluster, psql};

/// The cluster of this test binary.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start().unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn takes_a_password_over_verified_tls() {
    let cluster = cluster();
    let dsn = format!(
        "host=localhost port={} user=postgres password={} dbname=postgres sslmode=verify-full sslrootcert={}",
        cluster.port,
        cluster.password,
        cluster.ca().display()
    );
    let output = Command::new(psql().unwrap())
        .args(["-XAt", "-c", "select ssl from pg_stat_ssl where pid = pg_backend_pid()", &dsn])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "t\n", "{}", String::from_utf8_lossy(&output.stderr));
}
