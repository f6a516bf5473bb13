//! Programs to read and to run live beside this file, each named in `Cargo.toml`.
