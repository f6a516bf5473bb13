//! The policy: verdicts by text cases, problems of policy files, decisions and what becomes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod again;
mod approvals;
mod corpora;
mod digest;
mod effects;
mod limits;
mod problems;
mod records;
mod requests;
mod verdicts;
