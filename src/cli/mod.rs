//! The front door: arguments, terminal, exit code.
//!
//! The only floor that touches the outside: files, the terminal, the environment and, for the progress bar, the clock. What
//! it prints was made further down. A reader who goes away (`| head`) is no failure.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done; every expectation is met |
//! | 1 | an expectation is not met, or the run was given up |
//! | 2 | the scenario or the command line is wrong, or a file cannot be read or written |
//! | 130 | a sweep was interrupted; what is done is kept |

mod arguments;
#[cfg(target_os = "linux")]
mod attach;
mod explain;
mod listing;
mod load;
mod merge;
mod outputs;
mod progress;
mod replay;
mod run;
mod screen;
mod subnet;
mod sweep;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use terminal::Terminal;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// All is well.
    Met,
    /// An expectation is not met.
    NotMet,
    /// Nothing could be judged: the user is told why.
    Wrong,
    /// The user wanted no more.
    Interrupted,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Met => Self::SUCCESS,
            Verdict::NotMet => Self::from(1),
            Verdict::Wrong => Self::from(2),
            // As a shell tells of a program that SIGINT has ended: 128 + 2.
            Verdict::Interrupted => Self::from(130),
        }
    }
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    // clap itself exits with 2 for a wrong command line and with 0 for --help and --version.
    let arguments = Arguments::parse();
    let terminal = Terminal::new(arguments.color);
    let verdict = match arguments.command {
        #[cfg(target_os = "linux")]
        Command::Attach(attach) => attach::attach(&attach, &terminal),
        Command::Ca(ca) => listing::ca(&ca, &terminal),
        Command::Check(check) => listing::check(&check, &terminal),
        Command::Explain(explain) => explain::explain(&explain, &terminal),
        Command::Examples(examples) => listing::examples(&examples, &terminal),
        Command::Merge(merge) => merge::merge(&merge, &terminal),
        Command::Sweep(sweep) => sweep::sweep(&sweep, &terminal),
        Command::Kinds(kinds) => listing::kinds(&kinds, &terminal),
        Command::New(new) => listing::new(&new, &terminal),
        Command::Replay(replay) => replay::replay(&replay, &terminal),
        Command::Run(run) => run::run(&run, &terminal),
        Command::Schema => listing::schema(&terminal),
        Command::Subnet(subnet) => subnet::subnet(&subnet, &terminal),
    };
    verdict.into()
}
