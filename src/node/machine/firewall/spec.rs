//! What a firewall is told: rules in order, and what happens where none of them decides.

use crate::filter::Filter;

/// Where a packet meets the firewall; the words of `iptables` are INPUT, FORWARD and OUTPUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// It has come in for this machine.
    In,
    /// It is passing through.
    Forward,
    /// This machine sends it.
    Out,
}

impl Chain {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Forward, Self::Out];

    /// As in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Forward => "forward",
            Self::Out => "out",
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It goes on.
    Accept,
    /// It vanishes.
    Drop,
    /// It is refused, and its sender is told.
    Reject(Refusal),
}

impl Verb {
    /// As in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject(_) => "reject",
        }
    }
}

/// How a packet is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A TCP segment by a reset, as if nobody listened; anything else by ICMP "communication administratively
    /// prohibited".
    Fitting,
    /// By ICMP "port unreachable".
    PortUnreachable,
    /// By ICMP "communication administratively prohibited".
    Prohibited,
}

/// What a packet is to the connections that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It belongs to one that has been answered, or is the answer.
    Established,
    /// It belongs to none, and could not begin one.
    Invalid,
    /// It begins one, or belongs to one that was not answered yet.
    New,
    /// It is an ICMP error about a packet of one.
    Related,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Established, Self::Invalid, Self::New, Self::Related];

    /// As in a scenario.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Invalid => "invalid",
            Self::New => "new",
            Self::Related => "related",
        }
    }
}

/// One rule. It is for packets for which everything that it says holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallRule {
    /// What it is called: it signs its victims with that, and its counters have it.
    pub name: Option<String>,
    /// The line of the scenario file, from 1; `None` for what Rust code added.
    pub line: Option<u32>,
    /// In which chains; empty: in all.
    pub chains: Vec<Chain>,
    /// By which interface the packet came in, by its index.
    pub arrives_by: Option<usize>,
    /// By which interface the packet is to leave, by its index.
    pub leaves_by: Option<usize>,
    /// Which packets, from their IP header on.
    pub filter: Option<Filter>,
    /// In which states; empty: in any.
    pub states: Vec<State>,
    /// What becomes of them.
    pub verb: Verb,
}

impl FirewallRule {
    /// A rule for everything.
    #[must_use]
    pub fn new(verb: Verb) -> Self {
        Self {
            name: None,
            line: None,
            chains: Vec::new(),
            arrives_by: None,
            leaves_by: None,
            filter: None,
            states: Vec::new(),
            verb,
        }
    }
}

/// How many connections a firewall knows unless told otherwise: Linux's default on a machine of one gigabyte.
pub const TRACKED_DEFAULT: usize = 65_536;

/// The most connections that a firewall can be told to know.
pub const TRACKED_MAX: usize = 1 << 20;

/// What a firewall is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallSpec {
    /// What becomes of packets for which no rule decides: of those that come in, pass through, go out.
    pub policies: [Verb; 3],
    /// The first that is for a packet decides.
    pub rules: Vec<FirewallRule>,
    /// How many connections are known at once, if some rule asks for their state.
    pub tracked_max: usize,
}

impl Default for FirewallSpec {
    /// One that lets everything through.
    fn default() -> Self {
        Self { policies: [Verb::Accept; 3], rules: Vec::new(), tracked_max: TRACKED_DEFAULT }
    }
}

impl FirewallSpec {
    /// Whether some rule asks what state a packet's connection is in.
    #[must_use]
    pub fn is_stateful(&self) -> bool {
        self.rules.iter().any(|rule| !rule.states.is_empty())
    }
}
