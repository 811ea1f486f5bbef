//! The guard of child processes, for programs that embed the engine and are not `millwork` themselves.

fn main() -> std::process::ExitCode {
    millwork_flow::process::guard_main()
}
