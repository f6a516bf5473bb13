//! How clients connect: a line for each database that a listener leads to, to be copied from the log.

use std::net::IpAddr;
use std::path::Path;

use hoop_runtime::config::{Config, ListenAddr, Listener};

/// The connection strings of a listener that listens at `address`, for `psql` and every other client on libpq.
///
/// The gateway does not know by which name clients reach it, nor who they are: `HOST` and `USER` stand for that where the
/// address and the configuration do not tell.
#[must_use]
pub fn lines(config: &Config, listener: &Listener, address: &ListenAddr) -> Vec<String> {
    let place = place(address);
    let trust = trust(listener);
    let user = config.identities.names().next().unwrap_or("USER");
    databases(config, listener)
        .map(|name| format!("{place} user={} dbname={}{trust}", quoted(user), quoted(&name)))
        .collect()
}

/// A value as libpq reads it: in quotes where it is no plain word.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@');
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    let escaped: String =
        value.chars().flat_map(|c| matches!(c, '\'' | '\\').then_some('\\').into_iter().chain([c])).collect();
    format!("'{escaped}'")
}

fn place(address: &ListenAddr) -> String {
    match address {
        ListenAddr::Tcp(address) => format!("host={} port={}", host(address.ip()), address.port()),
        ListenAddr::Unix(path) => {
            let folder = path.parent().unwrap_or(Path::new(".")).display().to_string();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let port = name.strip_prefix(".s.PGSQL.").unwrap_or("5432").to_owned();
            format!("host={} port={port}", quoted(&folder))
        }
    }
}

fn host(address: IpAddr) -> String {
    match address {
        address if address.is_loopback() => "localhost".to_owned(),
        address if address.is_unspecified() => "HOST".to_owned(),
        address => address.to_string(),
    }
}

/// Clients verify the gateway by the authority that stands beside its certificate, else by those of their system.
fn trust(listener: &Listener) -> String {
    let Some(tls) = &listener.tls else { return String::new() };
    let authority = tls.certificate.with_file_name("ca.pem");
    let file = authority.canonicalize().map_or_else(|_| "system".to_owned(), |file| file.display().to_string());
    format!(" sslmode=verify-full sslrootcert={}", quoted(&file))
}

fn databases<'a>(config: &'a Config, listener: &'a Listener) -> impl Iterator<Item = String> + 'a {
    let resources = config.resources.iter();
    let led = resources.filter(|(name, _)| listener.resource.as_ref().is_none_or(|only| only == *name));
    led.flat_map(move |(name, target)| {
        target.databases.iter().map(move |database| match &listener.resource {
            Some(_) => database.clone(),
            None => format!("{name}/{database}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is told of a gateway with this listener.
    fn told(listener: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("secret", "x");
        write("policy.yaml", "hoop: 1\nrules: []\n");
        for file in ["server.crt", "server.key", "ca.pem", "other.crt"] {
            fs::create_dir_all(folder.path().join("bare")).unwrap();
            write(file, "");
            write(&format!("bare/{file}"), "");
        }
        fs::remove_file(folder.path().join("bare/ca.pem")).unwrap();
        let resource = |databases: &str| {
            format!("{{ kind: postgres, address: db, databases: [{databases}], credential: {{ user: app }} }}")
        };
        let text = format!(
            "policy: [policy.yaml]\naudit: {{ directory: audit }}\n\
             identities: {{ etl-7: {{ password: {{ file: secret }} }} }}\n\
             resources: {{ orders: {}, users: {} }}\nlisteners: [{listener}]\n",
            resource("shop, old"),
            resource("people"),
        );
        write("gateway.yaml", &text);
        let config = Config::read(&folder.path().join("gateway.yaml")).unwrap();
        let listener = &config.listeners[0];
        let folder = folder.path().canonicalize().unwrap();
        lines(&config, listener, &listener.address).join("\n").replace(&folder.display().to_string(), "~")
    }

    #[test]
    fn values_are_quoted_as_libpq_reads_them() {
        let check = |value: &str, expected: &str| assert_eq!(quoted(value), expected);
        check("shop", "shop");
        check("orders-db/shop_1.x", "orders-db/shop_1.x");
        check("my shop", "'my shop'");
        check("", "''");
        check("it's", r"'it\'s'");
        check(r"a\b", r"'a\\b'");
        check("a=b", "'a=b'");
        check("caf\u{e9}", "caf\u{e9}");
    }

    #[test]
    fn one_line_for_each_database() {
        let check = |listener: &str, expected: &str| assert_eq!(told(listener), expected, "{listener}");
        check(
            r#"{ protocol: postgres, address: "127.0.0.1:6432", resource: orders, tls: { certificate: server.crt, key: server.key } }"#,
            "host=localhost port=6432 user=etl-7 dbname=shop sslmode=verify-full sslrootcert=~/ca.pem\n\
             host=localhost port=6432 user=etl-7 dbname=old sslmode=verify-full sslrootcert=~/ca.pem",
        );
        check(
            r#"{ protocol: postgres, address: "0.0.0.0:5432", resource: users, tls: { certificate: bare/server.crt, key: bare/server.key } }"#,
            "host=HOST port=5432 user=etl-7 dbname=people sslmode=verify-full sslrootcert=system",
        );
        check(
            r#"{ protocol: postgres, address: "10.0.0.7:5432", plaintext: loopback }"#,
            "host=10.0.0.7 port=5432 user=etl-7 dbname=orders/shop\n\
             host=10.0.0.7 port=5432 user=etl-7 dbname=orders/old\n\
             host=10.0.0.7 port=5432 user=etl-7 dbname=users/people",
        );
        check(
            r#"{ protocol: postgres, address: "unix:/run/hoop/.s.PGSQL.6432", resource: users }"#,
            "host=/run/hoop port=6432 user=etl-7 dbname=people",
        );
    }
}
