//! Data for the benches, which live beside this folder, each named in `Cargo.toml`.

pub mod policies;
pub mod random;
pub mod rows;
