//! The `hopwise` command: hands its arguments to the library and exits with its verdict.

use std::process::ExitCode;

fn main() -> ExitCode {
    hopwise::cli::main()
}
