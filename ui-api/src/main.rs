//! The `millwork` command.

fn main() -> std::process::ExitCode {
    millwork::cli::main()
}
