//! Whose packets are meant: `flow = 'client > server:80'`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::IpProtocol;

use crate::expect::Passage;
use crate::network::Network;
use crate::read::{Diagnostic, Endpoint, Item, Read, Span};
use crate::wire::flow::Flow;

/// A conversation as a scenario names it: `tcp client > server:80`. The left side's packets are `>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conversation {
    protocol: Option<Protocol>,
    from: Party,
    to: Party,
}

/// What a flow may be limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Arp,
    Icmp,
    Tcp,
    Udp,
}

const PROTOCOLS: [(&str, Protocol); 4] =
    [("arp", Protocol::Arp), ("icmp", Protocol::Icmp), ("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];

/// One side: a host's name, an address, or `*` for anybody; perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Party {
    endpoint: Endpoint,
    span: Span,
}

impl<'d> Read<'d> for Conversation {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("a flow in quotes")?;
        let Some((left, right)) = text.split_once('>') else {
            let diagnostic = Diagnostic::new(item.span.clone(), format!("`{text}` is not a flow"));
            item.reader.report(diagnostic.label("such as 'client > server:80'"));
            return None;
        };
        let left = left.strip_suffix('-').unwrap_or(left);
        let word = left.split_whitespace().next().unwrap_or_default();
        // A host may be called `tcp`: the word is a protocol only if a host follows it.
        let protocol = PROTOCOLS.iter().find(|(name, _)| *name == word && left.trim().len() > word.len());
        let skipped = protocol.map_or(0, |(name, _)| left.len() - left.trim_start().len() + name.len());
        let from = Party::read(item, &left[skipped..], skipped);
        let to = Party::read(item, right, text.len() - right.len());
        Some(Self { protocol: protocol.map(|(_, protocol)| *protocol), from: from?, to: to? })
    }
}

impl Party {
    /// Reads one side, which begins at `offset` of the literal.
    fn read(item: &Item<'_>, text: &str, offset: usize) -> Option<Self> {
        let begins_at = offset + (text.len() - text.trim_start().len());
        let trimmed = text.trim();
        let span = item.part(begins_at..begins_at + trimmed.len());
        if trimmed.is_empty() {
            item.reader.report(
                Diagnostic::new(item.span.clone(), "a side of the flow is missing")
                    .label("such as 'client > server:80', or `*` for anybody"),
            );
            return None;
        }
        let endpoint = match Endpoint::parse(trimmed) {
            Ok(endpoint) => endpoint,
            Err((range, message)) => {
                item.report_part(begins_at + range.start..begins_at + range.end, message, "such as `server:80`");
                return None;
            }
        };
        let known = &item.reader.scope.nodes;
        let is_known =
            endpoint.host == "*" || endpoint.host.parse::<IpAddr>().is_ok() || known.contains(&endpoint.host);
        if !is_known {
            let place = item.part(begins_at..begins_at + endpoint.host.len());
            let diagnostic = Diagnostic::new(place, format!("no node is called `{}`", endpoint.host));
            let diagnostic = diagnostic.not_among(&endpoint.host, known.iter().map(String::as_str));
            item.reader.report_unknown(diagnostic, &["nodes"]);
            return None;
        }
        Some(Self { endpoint, span })
    }

    fn resolve(&self, network: &Network) -> Result<Side, Diagnostic> {
        let host = self.endpoint.host.as_str();
        let addresses = match (host, host.parse(), network.find_node(host)) {
            ("*", ..) => None,
            (_, _, Some(node)) => Some(network.names().addresses_of(node).collect()),
            (_, Ok(address), None) => Some(vec![address]),
            (_, Err(_), None) => Some(Vec::new()),
        };
        if addresses.as_ref().is_some_and(Vec::is_empty) {
            let diagnostic = Diagnostic::new(self.span.clone(), format!("`{host}` has no address"));
            return Err(diagnostic.label("a flow is between hosts or routers"));
        }
        Ok(Side { addresses, port: self.endpoint.port })
    }
}

impl Conversation {
    /// The conversation between addresses.
    ///
    /// # Errors
    ///
    /// When a side has no address.
    pub(super) fn resolve(&self, network: &Network) -> Result<Talk, Diagnostic> {
        let (from, to) = (self.from.resolve(network)?, self.to.resolve(network)?);
        Ok(Talk { protocol: self.protocol, from, to })
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol.and_then(|mine| PROTOCOLS.iter().find(|(_, protocol)| *protocol == mine));
        if let Some((name, _)) = protocol {
            write!(f, "{name} ")?;
        }
        let side = |party: &Party| match party.endpoint.port {
            Some(port) if party.endpoint.host.contains(':') => format!("[{}]:{port}", party.endpoint.host),
            Some(port) => format!("{}:{port}", party.endpoint.host),
            None => party.endpoint.host.clone(),
        };
        write!(f, "{} > {}", side(&self.from), side(&self.to))
    }
}

/// A conversation between addresses: tells which packets belong to it, and which way they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Talk {
    protocol: Option<Protocol>,
    from: Side,
    to: Side,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    /// `None`: anybody's.
    addresses: Option<Vec<IpAddr>>,
    port: Option<u16>,
}

impl Side {
    fn is(&self, address: IpAddr, port: Option<u16>) -> bool {
        self.is_address(address) && self.port.is_none_or(|wanted| port == Some(wanted))
    }

    fn is_address(&self, address: IpAddr) -> bool {
        self.addresses.as_ref().is_none_or(|addresses| addresses.contains(&address))
    }
}

impl Talk {
    /// Which way a packet of this flow goes, if it belongs to the conversation.
    pub(super) fn passage(&self, flow: &Flow) -> Option<Passage> {
        if !self.carries(flow.protocol) {
            return None;
        }
        self.between(flow, |side, address, port| side.is(address, port))
    }

    /// The same for a packet whose ports are not known, a later fragment.
    pub(super) fn passage_of_fragment(&self, flow: &Flow) -> Option<Passage> {
        if !self.carries(flow.protocol) {
            return None;
        }
        self.between(flow, |side, address, _| side.is_address(address))
    }

    /// Which way an ICMP error goes that complains about a packet of this flow: against it.
    pub(super) fn passage_of_complaint(&self, quoted: &Flow) -> Option<Passage> {
        match self.between(quoted, |side, address, port| side.is(address, port))? {
            Passage::Back => Some(Passage::Forth),
            Passage::Forth => Some(Passage::Back),
        }
    }

    /// Which way an ARP message goes, if both addresses are of the conversation.
    pub(super) fn passage_of_arp(&self, sender: Ipv4Addr, target: Ipv4Addr) -> Option<Passage> {
        let is_meant = matches!(self.protocol, None | Some(Protocol::Arp)) && !self.has_ports();
        let ways = [(&self.from, &self.to, Passage::Forth), (&self.to, &self.from, Passage::Back)];
        let fits =
            |(from, to, _): &&(&Side, &Side, Passage)| from.is_address(sender.into()) && to.is_address(target.into());
        if is_meant { ways.iter().find(fits).map(|(.., passage)| *passage) } else { None }
    }

    /// Whether ports matter, so that packets without ports do not belong.
    pub(super) fn has_ports(&self) -> bool {
        self.from.port.is_some() || self.to.port.is_some()
    }

    fn between(&self, flow: &Flow, is: impl Fn(&Side, IpAddr, Option<u16>) -> bool) -> Option<Passage> {
        let (source_port, destination_port) = (flow.source_port(), flow.destination_port());
        if is(&self.from, flow.source, source_port) && is(&self.to, flow.destination, destination_port) {
            return Some(Passage::Forth);
        }
        let is_back = is(&self.from, flow.destination, destination_port) && is(&self.to, flow.source, source_port);
        is_back.then_some(Passage::Back)
    }

    fn carries(&self, protocol: IpProtocol) -> bool {
        match self.protocol {
            None => true,
            Some(Protocol::Arp) => false,
            Some(Protocol::Icmp) => matches!(protocol, IpProtocol::Icmp | IpProtocol::Icmpv6),
            Some(Protocol::Tcp) => protocol == IpProtocol::Tcp,
            Some(Protocol::Udp) => protocol == IpProtocol::Udp,
        }
    }
}
