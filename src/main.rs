//! The `hopwise` command: hands its arguments to the library and exits with its verdict.

use std::process::ExitCode;

/// A run makes a network and throws it away: the system's allocator hands that memory back and asks for it again, page by
/// page, which takes almost half of the time of ten thousand short runs and keeps two threads from being twice as fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hopwise::cli::main()
}
