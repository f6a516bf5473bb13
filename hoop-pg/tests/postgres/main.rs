//! hoop-pg in front of a real PostgreSQL, driven by tokio-postgres, by `psql` and by bare bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod approvals;
mod big;
mod cancels;
mod catalog;
mod charset;
#[path = "../support/cluster.rs"]
mod cluster;
mod copies;
mod denials;
mod direct;
mod front;
mod full;
mod gate;
mod hostile;
mod inference;
mod interference;
mod json;
mod limits;
mod logins;
mod masking;
mod observe;
mod places;
mod provider;
mod pseudonyms;
mod relay;
mod reload;
mod replication;
mod same;
mod script;
mod setting;
mod stalls;
mod timeouts;
mod tokens;
mod wire;
