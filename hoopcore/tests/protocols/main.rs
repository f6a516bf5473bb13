//! What requests and command lines do, by cases that are read without Rust, and by the cases of the corpora.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod corpora;
mod hostile;
