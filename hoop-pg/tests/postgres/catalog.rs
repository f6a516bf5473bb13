//! Where protected values can be read from, in a database full of views, partitions and copies.

use std::collections::BTreeMap;
use std::sync::Arc;

use hoop_pg::catalog::{self, Loaded};
use hoop_pg::settings;
use hoop_pg::upstream::{Connection, Upstream};
use hoop_runtime::config::{Credential, Enforcement, ServerAddr, SessionTimeouts, Target, UpstreamTls, Verify};
use hoopcore::mask::Origin;
use hoopcore::policy::{ColumnPattern, Glob};
use hoopcore::request::Exposures;
use hoopcore::{ResourceKind, SessionFacts};
use tokio_postgres::{Client, NoTls};

use crate::cluster::Cluster;
use crate::direct::cluster;
use crate::front::Front;

pub(crate) fn target(cluster: &Cluster) -> Target {
    Target {
        kind: ResourceKind::Postgres,
        address: ServerAddr::Tcp { host: "localhost".into(), port: cluster.port },
        databases: vec!["postgres".into()],
        labels: BTreeMap::new(),
        mode: Enforcement::Enforce,
        tls: UpstreamTls { verify: Verify::Full, ca: Some(cluster.ca()), direct: false },
        credential: Credential::new("postgres", Some(cluster.password.as_str().into())),
        timeouts: SessionTimeouts::default(),
    }
}

/// A client of the cluster itself.
pub(crate) async fn connect(database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster().url(database), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A fresh database with this schema, and a client on it.
pub(crate) async fn database(name: &str, schema: &str) -> Client {
    connect("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let client = connect(name).await;
    client.batch_execute(schema).await.unwrap();
    client
}

async fn connection(database: &str, settings: &[(&str, &str)]) -> Connection {
    let upstream = Arc::new(Upstream::new(&target(cluster())).unwrap());
    upstream.connect(database, settings).await.unwrap()
}

fn pattern(text: &str) -> ColumnPattern {
    let mut parts = text.split('.').map(Glob::new);
    let mut part = || parts.next().unwrap();
    ColumnPattern { schema: part(), relation: part(), column: part() }
}

async fn load(database: &str, patterns: &[&str]) -> Loaded {
    let patterns: Vec<ColumnPattern> = patterns.iter().map(|text| pattern(text)).collect();
    catalog::load(&mut connection(database, &settings::PINS).await.stream, &patterns).await.unwrap()
}

fn facts(loaded: &Loaded) -> SessionFacts {
    let mut facts = SessionFacts::default();
    loaded.tell(&mut facts);
    facts
}

/// Each exposed column of the schemas `public` and `other`, as `relation.column`.
fn exposed(loaded: &Loaded) -> String {
    let facts = facts(loaded);
    let Exposures::Known(exposures) = facts.exposures else { panic!("nothing was looked up") };
    let own = |exposure: &&hoopcore::request::Exposure| {
        matches!(exposure.relation.schema.as_deref(), Some("public" | "other"))
    };
    let names = exposures
        .iter()
        .filter(own)
        .map(|exposure| format!("{}.{}", exposure.relation.name, exposure.column.as_deref().unwrap_or("*")));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names.join(" ")
}

const SHOP: &str = r#"
    CREATE TABLE customers (id int PRIMARY KEY, name text, email text, ssn varchar(20),
        low text GENERATED ALWAYS AS (lower(email)) STORED, len int GENERATED ALWAYS AS (length(name)) STORED);
    CREATE VIEW bare AS SELECT id, email AS mail FROM customers;
    CREATE VIEW nested AS SELECT mail AS m, id FROM bare;
    CREATE VIEW computed AS SELECT id, upper(email) AS up, length(name) AS n FROM customers;
    CREATE VIEW innocent AS SELECT id, upper(name) AS up FROM customers WHERE id > 1;
    CREATE VIEW filtered AS SELECT id, upper(name) AS up FROM customers WHERE email LIKE 'a%';
    CREATE VIEW whole AS SELECT id, c FROM customers c;
    CREATE VIEW cast_row AS SELECT id, c::text AS t FROM customers c;
    CREATE VIEW json AS SELECT row_to_json(c) AS j FROM customers c;
    CREATE VIEW either AS SELECT email FROM customers UNION SELECT name FROM customers;
    CREATE VIEW inner_select AS SELECT x.e, x.i FROM (SELECT email AS e, id AS i FROM customers) x;
    CREATE VIEW with_query AS WITH q AS (SELECT ssn, id FROM customers) SELECT * FROM q;
    CREATE VIEW scalar AS SELECT 1 AS one, (SELECT max(email) FROM customers) AS top;
    CREATE VIEW joined AS SELECT a.id, b.mail FROM customers a JOIN bare b USING (id);
    CREATE VIEW renamed(a, b) AS SELECT id, ssn FROM customers;
    CREATE VIEW "odd }name{ (" AS SELECT email AS " :resorigtbl 0 } (", id FROM customers;
    CREATE RECURSIVE VIEW walk(i, e) AS SELECT id, email FROM customers UNION ALL SELECT i, e FROM walk WHERE false;
    CREATE MATERIALIZED VIEW kept AS SELECT id, email FROM customers;
    CREATE VIEW over_kept AS SELECT email || '' AS e, id FROM kept;
    CREATE VIEW elsewhere AS SELECT 1 AS id;
    CREATE SCHEMA other;
    CREATE TABLE other.customers (email text);
    CREATE VIEW other.v AS SELECT email FROM other.customers;
"#;

#[tokio::test]
async fn views() {
    let _client = database("catalog_views", SHOP).await;
    let found = exposed(&load("catalog_views", &["public.customers.email"]).await);
    let expected = [
        "bare.mail",
        "cast_row.t",
        "computed.up",
        "customers.email",
        "customers.low",
        "either.email",
        "inner_select.e",
        "joined.mail",
        "json.j",
        "kept.email",
        "nested.m",
        "odd }name{ (. :resorigtbl 0 } (",
        "over_kept.e",
        "scalar.top",
        "walk.e",
        "walk.i",
        "whole.c",
    ];
    assert_eq!(found, expected.join(" "));
    let found = exposed(&load("catalog_views", &["*.*.ssn"]).await);
    assert_eq!(found, "cast_row.t customers.ssn json.j renamed.b whole.c with_query.ssn");
    assert_eq!(exposed(&load("catalog_views", &["*.nothing.*", "public.customers.ema"]).await), "");
    assert_eq!(exposed(&load("catalog_views", &[]).await), "");
    let found = exposed(&load("catalog_views", &["other.*.email"]).await);
    assert_eq!(found, "customers.email v.email");
    let found = exposed(&load("catalog_views", &["public.bare.mail"]).await);
    assert_eq!(found, "bare.mail joined.mail nested.m");
}

/// The server's own word: what it describes for the text of each view must come out as the view itself does.
#[tokio::test]
async fn views_come_out_as_the_server_describes_their_text() {
    let client = database("catalog_described", SHOP).await;
    let catalog = load("catalog_described", &["public.customers.email", "public.customers.ssn"]).await.catalog;
    let views = "SELECT c.oid, c.relname, pg_get_viewdef(c.oid) FROM pg_class c
        WHERE c.relkind IN ('v', 'm') AND c.relnamespace IN ('public'::regnamespace, 'other'::regnamespace)";
    let mut compared = 0;
    for row in client.query(views, &[]).await.unwrap() {
        let (oid, name, text): (u32, String, String) = (row.get(0), row.get(1), row.get(2));
        let described = client.prepare(&text).await.unwrap();
        for (attribute, column) in (1..).zip(described.columns()) {
            if let (Some(relation), Some(source)) = (column.table_oid(), column.column_id()) {
                assert_eq!(catalog.origin(oid, attribute), catalog.origin(relation, source), "{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared} columns");
}

#[tokio::test]
async fn partitions_children_and_long_values() {
    let client = database(
        "catalog_partitions",
        "CREATE TABLE people (id int, ssn text) PARTITION BY RANGE (id);
         CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (10);
         CREATE TABLE people_2 (ssn text, id int);
         ALTER TABLE people ATTACH PARTITION people_2 FOR VALUES FROM (10) TO (20);
         CREATE TABLE base (a text); CREATE TABLE derived (b text) INHERITS (base);
         CREATE VIEW over_derived AS SELECT b FROM derived;",
    )
    .await;
    let check = async |pattern: &str, expected: &str| {
        assert_eq!(exposed(&load("catalog_partitions", &[pattern]).await), expected, "{pattern}");
    };
    check("public.people.ssn", "people.ssn people_1.ssn people_2.ssn").await;
    check("public.people_2.ssn", "people.ssn people_2.ssn").await;
    check("public.base.a", "base.a derived.a").await;
    check("public.derived.a", "base.a derived.a").await;
    check("public.derived.b", "derived.b over_derived.b").await;

    let catalog = load("catalog_partitions", &["public.people.ssn"]).await.catalog;
    let oid = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, u32>(0);
    let toast = oid("SELECT reltoastrelid FROM pg_class WHERE relname = 'people_1'").await;
    assert!(matches!(catalog.origin(toast, 3), Origin::Columns(_)));
    let statistics = oid("SELECT 'pg_stats'::regclass::oid").await;
    assert!(matches!(catalog.origin(statistics, 10), Origin::Columns(_)));
    let activity = oid("SELECT 'pg_stat_activity'::regclass::oid").await;
    assert_eq!(catalog.origin(activity, 1), Origin::Clean);
    let base = oid("SELECT 'base'::regclass::oid").await;
    assert_eq!(catalog.origin(base, 1), Origin::Clean);
    assert_eq!(catalog.origin(base, 2), Origin::Unknown);
    assert_eq!(catalog.origin(base, -1), Origin::Clean);
    assert_eq!(catalog.origin(base, 0), Origin::Derived);
    assert_eq!(catalog.origin(u32::MAX, 1), Origin::Unknown);
    let people = oid("SELECT 'people'::regclass::oid").await;
    assert!(matches!(catalog.origin(people, 0), Origin::Columns(_)));
    assert_eq!(catalog.origin(people, 1), Origin::Clean);
}

#[tokio::test]
async fn views_of_statistics_are_found_although_the_catalog_forgets_them() {
    let schema = "CREATE TABLE customers (email text);
        CREATE VIEW raw AS SELECT starelid, stanumbers1 FROM pg_statistic;
        CREATE VIEW cooked AS SELECT most_common_freqs AS m FROM pg_stats;
        CREATE VIEW again AS SELECT m FROM cooked;";
    let _client = database("catalog_statistics", schema).await;
    let found = exposed(&load("catalog_statistics", &["public.customers.email"]).await);
    assert_eq!(found, "again.m cooked.m customers.email raw.stanumbers1 raw.starelid");
}

#[tokio::test]
async fn path_and_shadows() {
    let schema = "CREATE SCHEMA evil; CREATE EXTENSION citext;
        CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
        CREATE FUNCTION public.harmless_name() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END';
        CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);";
    let _client = database("catalog_path", schema).await;
    let check = async |path: &str, expected: &str| {
        let settings: Vec<(&str, &str)> = settings::PINS.into_iter().chain([("search_path", path)]).collect();
        let mut connection = connection("catalog_path", &settings).await;
        let loaded = catalog::load(&mut connection.stream, &[pattern("*.*.email")]).await.unwrap();
        let facts = facts(&loaded);
        assert_eq!(facts.search_path.join(" "), expected, "{path}");
        let shadows: Vec<&str> = facts.shadows.iter().map(String::as_str).collect();
        assert_eq!(shadows, ["=", "upper"]);
    };
    check("public", "public").await;
    check("evil, public", "evil public").await;
    check("pg_catalog, evil", "evil").await;
    // An operator before the catalog's own changes nothing in what the gateway asks.
    check("evil, pg_catalog", "").await;
    check("nothing", "").await;
}

#[tokio::test]
async fn a_session_is_left_as_it_was() {
    let _client = database("catalog_again", "CREATE TABLE customers (email text)").await;
    let settings: Vec<(&str, &str)> = settings::PINS.into_iter().chain([("statement_timeout", "7777")]).collect();
    let mut connection = connection("catalog_again", &settings).await;
    let email = [pattern("public.customers.email")];
    for _ in 0..3 {
        let loaded = catalog::load(&mut connection.stream, &email).await.unwrap();
        assert_eq!(exposed(&loaded), "customers.email");
        assert_eq!(facts(&loaded).search_path, ["public"]);
    }
}

/// A function that an open transaction made may be what a shipped name stands for: it is asked for like any other.
#[tokio::test]
async fn what_a_transaction_makes_may_shadow_what_is_shipped() {
    drop(database("catalog_made", "").await);
    let policy = "
hoop: 1
rules:
  - { rule: make, who: anyone, on: db, allow: { sql: create } }
  - { rule: drop, who: anyone, on: db, allow: { sql: drop } }
";
    let front = Front::open(policy, "catalog_made", "").await;
    let client = front.connect().await;
    let upper = async || client.simple_query("SELECT upper('x'::varchar)").await;
    let make = "CREATE FUNCTION public.upper(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1::text'";
    client.batch_execute("BEGIN; CREATE TABLE public.made (id int)").await.unwrap();
    upper().await.unwrap();
    client.batch_execute(make).await.unwrap();
    let refused = upper().await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), "refused by rule `default`: no rule allows `call` on `upper`");
    client.batch_execute("ROLLBACK").await.unwrap();
    upper().await.unwrap();
}
