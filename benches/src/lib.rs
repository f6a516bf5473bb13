//! The benches live beside this file, each named in `Cargo.toml`.
