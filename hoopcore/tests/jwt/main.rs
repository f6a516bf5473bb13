//! Signed tokens: cases in text, corpora, test vectors of others, and what holds for all bytes.
#![cfg(feature = "jwt")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod corpus;
mod hostile;
mod issuers;
mod minted;
mod wycheproof;
