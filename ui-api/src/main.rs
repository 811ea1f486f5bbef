//! The `millwork` command.

fn main() {}
