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
    /// Give this machine a place in a scenario's network, in real time.
    ///
    /// A TUN or TAP device leads into the network until Ctrl-C, and leaves no trace. Real programs talk to simulated hosts,
    /// and the other way round. On the terminal, `help` lists what can be done meanwhile.
    #[cfg(target_os = "linux")]
    Attach(Attach),
    /// Print the certificate of the authority that a scenario's clients trust, for `curl --cacert`.
    Ca(Ca),
    /// Read a scenario and show the network that it makes, without running it.
    Check(Check),
    /// List the bundled scenarios, or print one.
    Examples(Examples),
    /// Explain one packet of a run: header by header, hop by hop, why it was sent and what became of it.
    ///
    /// The number is the one that all outputs of a run show. Without a number the packets are listed.
    Explain(Explain),
    /// Show everything that a scenario may name, with examples.
    Kinds(Kinds),
    /// Repeat a session that `hopwise attach` has recorded, to the same bytes, without a device.
    Replay(Replay),
    /// Print the JSON Schema of scenarios, for editors.
    Schema,
    /// Divide a network into subnets, and show addresses, masks and bits.
    Subnet(Subnet),
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

/// What a run is to show.
#[derive(Debug, Args)]
pub(super) struct Outputs {
    /// Show only frames that match: `--trace 'tcp.syn || icmp'`. Applies to text, ladder and json.
    #[arg(long, value_name = "FILTER")]
    pub(super) trace: Option<String>,
    /// What to produce, and where: `text`, `ladder`, `summary`, `json`, `pcapng=FILE`. May be repeated.
    ///
    /// Without a path it goes to the standard output.
    #[arg(long, short, value_name = "KIND[=PATH]")]
    pub(super) output: Vec<String>,
    /// Print nothing but what went wrong.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// How far a run goes, and what is looked at on the way.
#[derive(Debug, Args)]
pub(super) struct How {
    /// Stop at this virtual time, whatever the scenario says: `--until 3s`.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// What to show. Without `--output`: ladder and summary.
    #[command(flatten)]
    pub(super) outputs: Outputs,
    /// Show a part of a node's state at a time: `--show 3s:r1:route`. May be repeated. It disturbs nothing.
    #[arg(long, value_name = "TIME:NODE:WHAT")]
    pub(super) show: Vec<String>,
}

/// `hopwise run`
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The scenario.
    #[command(flatten)]
    pub(super) which: Which,
    /// How.
    #[command(flatten)]
    pub(super) how: How,
}

/// `hopwise attach`
#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub(super) struct Attach {
    /// The scenario.
    #[command(flatten)]
    pub(super) which: Which,
    /// Where this machine takes its place: a gateway, a host, a switch, a router or a link of the scenario. May be repeated.
    ///
    /// Perhaps with a device, its kind and a network namespace: `access`, `access=hop0`, `access=tap:hop0@blue`. Without
    /// this option: at every gateway of the scenario.
    #[arg(long, value_name = "NODE[=[KIND:]DEVICE[@NETNS]]")]
    pub(super) at: Vec<String>,
    /// How fast virtual time passes: `0.1` is a tenth of real time.
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub(super) speed: String,
    /// Let the network be up for so long already: `--warm-up 40s` for protocols that take their time.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(super) warm_up: String,
    /// End the session at this virtual time; otherwise it ends with Ctrl-C.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Keep what comes in, for `hopwise replay`.
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Take commands at this socket, as on the terminal: `link wan down`.
    #[arg(long, value_name = "PATH")]
    pub(super) control: Option<PathBuf>,
    /// Route a further network into the simulation, such as `0.0.0.0/0` within a network namespace. May be repeated.
    #[arg(long, value_name = "NET")]
    pub(super) route: Vec<String>,
    /// What to show while the session goes on. Without `--output` and `--trace` nobody watches, which is fastest.
    #[command(flatten)]
    pub(super) outputs: Outputs,
}

/// `hopwise replay`
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A file that `hopwise attach --record` has written.
    pub(super) file: PathBuf,
    /// Replay what can be read of a damaged file.
    #[arg(long)]
    pub(super) salvage: bool,
    /// How.
    #[command(flatten)]
    pub(super) how: How,
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

/// `hopwise ca`
#[derive(Debug, Args)]
pub(super) struct Ca {
    #[command(flatten)]
    pub(super) which: Which,
}

/// `hopwise explain`
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The scenario.
    #[command(flatten)]
    pub(super) which: Which,
    /// The packet's number, with or without `#`; left out: all are listed.
    #[arg(value_name = "NUMBER")]
    pub(super) number: Option<String>,
    /// All bytes of the packet too, as a hexdump.
    #[arg(long)]
    pub(super) bytes: bool,
    /// As a page for a browser, into a file; to the standard output if no file is named.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with_all = ["json", "bytes"])]
    pub(super) html: Option<String>,
    /// As one JSON object.
    #[arg(long, conflicts_with = "bytes")]
    pub(super) json: bool,
    /// List only packets that match: `--trace 'tcp.syn || icmp'`.
    #[arg(long, value_name = "FILTER", conflicts_with = "number")]
    pub(super) trace: Option<String>,
    /// Stop the run at this virtual time: `--until 3s`.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
}

/// `hopwise subnet`
#[derive(Debug, Args)]
pub(super) struct Subnet {
    /// A network, or an address in it: `10.0.0.0/24`, `2001:db8::/48`.
    #[arg(value_name = "ADDRESS/LENGTH")]
    pub(super) network: String,
    /// Divide it into equal subnets of this prefix length: `--into /26`.
    #[arg(long, value_name = "/LENGTH", conflicts_with = "hosts")]
    pub(super) into: Option<String>,
    /// Divide it into subnets for so many hosts each, no larger than needed: `--hosts 50,20,10`.
    #[arg(long, value_name = "N,N,…")]
    pub(super) hosts: Option<String>,
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
