//! Masking: cells by text cases, detectors by corpora, and what holds for all bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cells;
mod copies;
mod corpora;
mod detectors;
mod floods;
mod order;
mod origins;
mod passage;
mod paths;
mod properties;
