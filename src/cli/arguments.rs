//! What may be typed after `hopwise`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An internet in one process: scripted, repeatable, with real packets.
#[derive(Debug, Parser)]
#[command(name = "hopwise", version, about, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a scenario and judge its expectations.
    ///
    /// Exits with 0 if all expectations are met, 1 if one is not, 2 if the scenario or the command line is wrong.
    Run(Run),
    /// Run a scenario many times, over seeds and values, on all processors, and show what it adds up to.
    ///
    /// Exits with 0 if every run met every expectation, 1 if one did not, 2 if something is wrong, 130 if interrupted.
    Sweep(Sweep),
    /// Put the records of a sweep's shards together.
    Merge(Merge),
    /// Read a scenario and show the network that it makes, without running it.
    Check(Check),
    /// List the bundled scenarios, or print one.
    Examples(Examples),
    /// Show everything that a scenario may name, with examples.
    Kinds(Kinds),
    /// Print the JSON Schema of scenarios, for editors.
    Schema,
    /// Write a commented scenario to start from.
    New(New),
}

/// Which scenario, and what to change about it.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// A scenario file, or the name of a bundled example.
    #[arg(value_name = "FILE|EXAMPLE")]
    pub(super) scenario: String,
    /// The seed of all luck in the run, instead of the scenario's own.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Change one value of the scenario: `--set links.wan.delay=200ms`. May be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
}

/// `hopwise run`
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The scenario.
    #[command(flatten)]
    pub(super) which: Which,
    /// Stop at this virtual time, whatever the scenario says: `--until 3s`.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Show only frames that match: `--trace 'tcp.syn || icmp'`. Applies to text, ladder and json.
    #[arg(long, value_name = "FILTER")]
    pub(super) trace: Option<String>,
    /// What to produce, and where: `text`, `ladder`, `summary`, `json`, `pcapng=FILE`. May be repeated.
    ///
    /// Without a path it goes to the standard output. Without this option: ladder and summary.
    #[arg(long, short, value_name = "KIND[=PATH]")]
    pub(super) output: Vec<String>,
    /// Show a part of a node's state at a time: `--show 3s:r1:route`. May be repeated. It disturbs nothing.
    #[arg(long, value_name = "TIME:NODE:WHAT")]
    pub(super) show: Vec<String>,
    /// Print nothing but what went wrong.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// `hopwise sweep`
#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// A scenario file, or the name of a bundled example.
    #[arg(value_name = "FILE|EXAMPLE")]
    pub(super) scenario: String,
    /// The seeds: from the first up to, but not including, the second.
    #[arg(long, value_name = "FIRST..END", default_value = "0..100")]
    pub(super) seeds: String,
    /// Have a value vary: `links.wan.loss=0%..5%:1%` or `nodes.client.tcp.congestion=reno,cubic`. May be repeated: then
    /// every combination has its turn with every seed.
    #[arg(long, value_name = "PATH=VALUES")]
    pub(super) vary: Vec<String>,
    /// Change one value of the scenario for all runs. May be repeated.
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,
    /// An outcome to show and keep: `bulk.goodput` of the program `bulk`. May be repeated. Without it the table counts,
    /// and files keep all outcomes.
    #[arg(long, value_name = "PROGRAM.OUTCOME")]
    pub(super) measure: Vec<String>,
    /// How many threads; as many as there are processors if left out. The results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) threads: usize,
    /// Write the record of every run: JSON Lines, or comma-separated values if the name ends in `.csv`.
    #[arg(long, short, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Go on where the file of `--out` ends.
    #[arg(long, requires = "out")]
    pub(super) resume: bool,
    /// Only every n-th run, beginning with the i-th: for one of n machines.
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<String>,
    /// Print nothing but what went wrong.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// `hopwise merge`
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Files that `hopwise sweep --out` has written.
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Write all records, in the order of the runs, as one file.
    #[arg(long, short, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// `hopwise check`
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The scenario.
    #[command(flatten)]
    pub(super) which: Which,
}

/// `hopwise examples`
#[derive(Debug, Args)]
pub(super) struct Examples {
    /// Print this example's file.
    pub(super) name: Option<String>,
    /// Print only the names, one a line.
    #[arg(long, conflicts_with = "name")]
    pub(super) names: bool,
}

/// `hopwise kinds`
#[derive(Debug, Args)]
pub(super) struct Kinds {
    /// Only what has this in its name: `jitter`, `ping`.
    pub(super) name: Option<String>,
}

/// `hopwise new`
#[derive(Debug, Args)]
pub(super) struct New {
    /// Where to write it; the standard output if left out. An existing file is left alone.
    pub(super) path: Option<PathBuf>,
}
