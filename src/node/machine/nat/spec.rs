//! How an address translator behaves: the knobs that RFC 4787, 5382 and 5508 name, and well-known settings of them.
//!
//! Old names mix mapping and filtering: a "full cone" maps and filters endpoint-independently, a "restricted cone" filters
//! by address, a "port-restricted cone" by address and port, and a "symmetric" NAT maps and filters by both. RFC 4787 §3
//! drops them for the three words of [`Dependence`]; here they live on as [`PRESETS`].

use std::net::Ipv4Addr;
use std::time::Duration;

use super::super::middle::{ESTABLISHED_FOR, TRANSITORY_FOR};

/// What a behaviour depends on beside the inside endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependence {
    /// On the far end's address and port.
    AddressAndPort,
    /// On the far end's address.
    Address,
    /// On nothing.
    Endpoint,
}

impl Dependence {
    /// As RFC 4787 has it, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AddressAndPort => "address-and-port-dependent",
            Self::Address => "address-dependent",
            Self::Endpoint => "endpoint-independent",
        }
    }
}

/// How the outside port of a new mapping is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortChoice {
    /// The inside port, or the next one that is free.
    Preserve,
    /// Any.
    Random,
    /// The one after the last.
    Sequential,
}

/// How one of several outside addresses is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Each new mapping takes the next address.
    Arbitrary,
    /// All mappings of one inside address share an outside address.
    Paired,
}

/// What becomes of what nobody inside has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsolicited {
    /// It vanishes.
    Drop,
    /// Its sender is told; of a SYN, only after six seconds (RFC 5382 REQ-4).
    Refuse,
}

/// Which protocols a port forwarding is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// Both.
    Both,
    /// TCP alone.
    Tcp,
    /// UDP alone.
    Udp,
}

/// What comes for one outside port is always passed on inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortForward {
    /// The port outside.
    pub port: u16,
    /// The address inside.
    pub address: Ipv4Addr,
    /// The port there.
    pub inside_port: u16,
    /// For which protocols.
    pub protocols: Forwarded,
}

/// How an address translator behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatSpec {
    /// The interface, by its index, whose addresses stand for everybody behind the others.
    pub outside: usize,
    /// Whether packets of one inside endpoint to different far ends share an outside endpoint (RFC 4787 §4.1).
    pub mapping: Dependence,
    /// Who may answer through a mapping (RFC 4787 §5).
    pub filtering: Dependence,
    /// How outside ports are chosen (RFC 4787 §4.2.1).
    pub port_choice: PortChoice,
    /// Whether an even port becomes an even one, and an odd one an odd one (RFC 4787 §4.2.2).
    pub keeps_parity: bool,
    /// The outside ports to choose from, both ends included. `None`: 1 to 1023 for ports in that range, 1024 to 65535
    /// for others (RFC 4787 §4.2.1).
    pub ports: Option<(u16, u16)>,
    /// How one of several outside addresses is chosen (RFC 4787 §4.1).
    pub pooling: Pooling,
    /// Whether hosts inside reach each other by their outside endpoints (RFC 4787 §6).
    pub hairpins: bool,
    /// Whether a packet from outside keeps a UDP or ICMP mapping alive too (RFC 4787 §4.3).
    pub refreshed_from_outside: bool,
    /// What becomes of what nobody inside has asked for.
    pub unsolicited: Unsolicited,
    /// How long a UDP mapping lasts that nobody uses.
    ///
    /// RFC 4787 REQ-5: at least two minutes; five are recommended.
    pub udp_for: Duration,
    /// How long an established TCP connection may be idle: at least 2 h 4 min (RFC 5382 REQ-5).
    pub tcp_established_for: Duration,
    /// How long a TCP connection may be half open or closing: at least 4 min (RFC 5382 REQ-5).
    pub tcp_transitory_for: Duration,
    /// How long an ICMP query is waited for: at least 60 s (RFC 5508 REQ-2).
    pub icmp_for: Duration,
    /// How many connections are known at once.
    pub sessions_max: usize,
    /// How many outside ports one inside address may hold; `None`: as many as there are (RFC 6888 REQ-4).
    pub ports_per_host: Option<usize>,
    /// What is always passed on inside.
    pub forwards: Vec<PortForward>,
}

/// How many connections a translator knows unless told otherwise: what home routers are built for.
pub const SESSIONS_DEFAULT: usize = 16_384;

/// The most connections that a translator can be told to know.
pub const SESSIONS_MAX: usize = 1 << 20;

impl NatSpec {
    /// A home router's: `PRESETS`' first row.
    #[must_use]
    pub fn home(outside: usize) -> Self {
        Self {
            outside,
            mapping: Dependence::Endpoint,
            filtering: Dependence::AddressAndPort,
            port_choice: PortChoice::Preserve,
            keeps_parity: true,
            ports: None,
            pooling: Pooling::Paired,
            hairpins: true,
            refreshed_from_outside: true,
            unsolicited: Unsolicited::Drop,
            udp_for: Duration::from_secs(300),
            tcp_established_for: ESTABLISHED_FOR,
            tcp_transitory_for: TRANSITORY_FOR,
            icmp_for: Duration::from_secs(60),
            sessions_max: SESSIONS_DEFAULT,
            ports_per_host: None,
            forwards: Vec::new(),
        }
    }

    /// The preset of this name, if there is one.
    #[must_use]
    pub fn preset(name: &str, outside: usize) -> Option<Self> {
        let home = Self::home(outside);
        Some(match name {
            // RFC 6888: a provider's translator, shared by many homes. REQ-1 asks for RFC 4787's MUSTs, REQ-2 for paired
            // pooling, REQ-3 forbids to choose by what is inside, REQ-4 to let one subscriber use up all ports.
            "cgnat" => Self {
                filtering: Dependence::Endpoint,
                port_choice: PortChoice::Random,
                keeps_parity: false,
                unsolicited: Unsolicited::Refuse,
                ports_per_host: Some(2000),
                sessions_max: 1 << 18,
                ..home
            },
            "full-cone" => Self { filtering: Dependence::Endpoint, ..home },
            "home" | "port-restricted-cone" => home,
            "restricted-cone" => Self { filtering: Dependence::Address, ..home },
            "rfc" => Self { filtering: Dependence::Endpoint, unsolicited: Unsolicited::Refuse, ..home },
            "symmetric" => Self {
                mapping: Dependence::AddressAndPort,
                port_choice: PortChoice::Random,
                keeps_parity: false,
                ..home
            },
            _ => return None,
        })
    }
}

/// The names that [`NatSpec::preset`] knows.
pub const PRESETS: &[&str] =
    &["cgnat", "full-cone", "home", "port-restricted-cone", "restricted-cone", "rfc", "symmetric"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_keeps_the_timers_that_the_standards_ask_for() {
        for name in PRESETS {
            let spec = NatSpec::preset(name, 1).unwrap();
            // RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2.
            assert!(spec.udp_for >= Duration::from_secs(120), "{name}");
            assert!(spec.tcp_established_for >= Duration::from_secs(7440), "{name}");
            assert!(spec.tcp_transitory_for >= Duration::from_secs(240), "{name}");
            assert!(spec.icmp_for >= Duration::from_secs(60), "{name}");
            // RFC 4787 REQ-9: "A NAT MUST support Hairpinning."
            assert!(spec.hairpins, "{name}");
        }
        assert_eq!(NatSpec::preset("nonsense", 1), None);
    }

    #[test]
    fn only_a_symmetric_nat_breaks_rfc_4787_req_1() {
        // REQ-1: "A NAT MUST have an 'Endpoint-Independent Mapping' behavior."
        let depends = |name: &&&str| NatSpec::preset(name, 1).unwrap().mapping != Dependence::Endpoint;
        assert_eq!(PRESETS.iter().filter(depends).collect::<Vec<_>>(), [&"symmetric"]);
    }
}
