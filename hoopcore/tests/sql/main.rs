//! The analysis of SQL: cases as text, limits, and properties.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod analyses;
mod bounds;
mod cases;
mod lexical;
mod print;
mod properties;
