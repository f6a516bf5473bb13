//! The `hoop-pg` gateway.

fn main() {}
