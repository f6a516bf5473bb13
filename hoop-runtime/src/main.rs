//! The `hoop` command.

fn main() {}
