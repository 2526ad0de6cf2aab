//! `inject`: a packet that nobody in the network has made.
//!
//! What begins with an Ethernet header goes onto the link of an interface as it is; an IP packet is routed by the node
//! as one of its own. What is wrong in it stays wrong.

use std::net::IpAddr;

use super::command::{Order, find_node};
use super::{ActionBuilder, Occasion, Plan};
use crate::filter::{PacketDefaults, PacketExpression};
use crate::id::{NodeId, PortId};
use crate::network::Network;
use crate::node::Command;
use crate::read::{Diagnostic, Field, Form, Item, Kind, Need, Span, Table};
use crate::record::Names;
use crate::wire::Layer;

/// The largest frame: an Ethernet header and the largest IP packet.
const BYTES_MAX: usize = 14 + 65_535;

/// `do = "inject"`.
pub(super) const INJECT: Kind<ActionBuilder> = Kind {
    name: "inject",
    doc: "Has a node send a packet that none of its programs has made; what is wrong in it stays wrong.",
    example: "[[at]]\nt = \"15s\"\ndo = \"inject\"\nnode = \"client:eth0\"\n\
              packet = 'ip(dst=10.0.0.2, ttl=1) / udp(sport=4000, dport=33434) / \"probe\"'\n",
    fields: &[
        Field {
            name: "node",
            form: Form::Text,
            need: Need::Required,
            doc: "Which node sends it, and through which interface if the routes are not to say: `client`, `client:eth0`.",
        },
        Field {
            name: "packet",
            form: Form::Text,
            need: Need::Optional,
            doc: "A packet expression: `'ip(dst=server, ttl=1) / udp(dport=9) / \"hello\"'`.",
        },
        Field {
            name: "hex",
            form: Form::Text,
            need: Need::Optional,
            doc: "In place of `packet`, its bytes in hexadecimal; blanks do not count.",
        },
        Field {
            name: "layer",
            form: Form::OneOf(&["ethernet", "ip"]),
            need: Need::Optional,
            doc: "What `hex` begins with. If left out: with IP if its length field fits, otherwise with Ethernet.",
        },
    ],
    build,
};

fn build(table: &Table<'_>, occasion: Occasion) -> Option<Box<dyn Plan>> {
    let sender = table.item("node").map(|item| Sender::read(&item));
    let contents = match (table.item("packet"), table.item("hex")) {
        (Some(_), Some(hex)) => {
            let diagnostic = Diagnostic::new(hex.span, "an injection cannot have both `packet` and `hex`");
            table.reader.report(diagnostic.label("one of them says what is sent"));
            None
        }
        (Some(item), None) => read_packet(table, &item),
        (None, Some(item)) => read_hex(table, &item),
        (None, None) => {
            let diagnostic = Diagnostic::new(table.span.clone(), "this entry does not say what is injected");
            table.reader.report(diagnostic.label("`packet = '…'` or `hex = '…'` is missing"));
            None
        }
    };
    Some(Box::new(Injection { occasion, sender: sender??, contents: contents? }))
}

/// Who sends the packet.
#[derive(Debug)]
struct Sender {
    node: String,
    port: Option<String>,
    span: Span,
}

impl Sender {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = item.text("a node, or a node and its interface, in quotes")?;
        let (node, port) = text.split_once(':').map_or((text, None), |(node, port)| (node, Some(port)));
        let known = &item.reader.scope.nodes;
        if !known.iter().any(|name| name == node) {
            let diagnostic = Diagnostic::new(item.part(0..node.len()), format!("no node is called `{node}`"));
            item.reader.report_unknown(diagnostic.not_among(node, known.iter().map(String::as_str)), &["nodes"]);
            return None;
        }
        Some(Self { node: node.to_owned(), port: port.map(str::to_owned), span: item.span.clone() })
    }

    /// Which port it is.
    fn port(&self, node: NodeId, names: &Names) -> Result<Option<PortId>, Diagnostic> {
        let Some(port) = &self.port else { return Ok(None) };
        let known = &names.nodes[node.0 as usize].ports;
        let index = known.iter().position(|name| name == port).and_then(|index| u16::try_from(index).ok());
        index.map(|index| Some(PortId(index))).ok_or_else(|| {
            let title = format!("`{}` has no interface `{port}`", self.node);
            Diagnostic::new(self.span.clone(), title).not_among(port, known.iter().map(String::as_str))
        })
    }
}

/// What is sent.
#[derive(Debug)]
enum Contents {
    Bytes {
        layer: Layer,
        bytes: Vec<u8>,
    },
    Expression {
        expression: PacketExpression,
        /// As written.
        text: String,
        /// Where the text stands in the file.
        place: Span,
    },
}

fn read_packet(table: &Table<'_>, item: &Item<'_>) -> Option<Contents> {
    if table.has("layer") {
        table.report("layer", "a packet expression says itself what it begins with", "`layer` belongs to `hex`");
    }
    let expression = table.get("packet")?;
    let text = item.text("a packet expression in quotes")?.to_owned();
    let place = item.part(0..text.len());
    Some(Contents::Expression { expression, text, place })
}

fn read_hex(table: &Table<'_>, item: &Item<'_>) -> Option<Contents> {
    let text = item.text("hexadecimal digits in quotes")?;
    let wrong = text.char_indices().find(|(_, c)| !c.is_ascii_hexdigit() && !c.is_whitespace());
    if let Some((at, c)) = wrong {
        item.report_part(at..at + c.len_utf8(), format!("`{c}` is not a hexadecimal digit"), "0 to 9 and a to f");
        return None;
    }
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()).collect();
    if digits.is_empty() || digits.len() % 2 == 1 || digits.len() / 2 > BYTES_MAX {
        let diagnostic = Diagnostic::new(item.span.clone(), format!("{} digits make no packet", digits.len()));
        item.reader.report(diagnostic.label(format!("two for each byte, up to {BYTES_MAX} bytes")));
        return None;
    }
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let layer = match table.has("layer").then(|| table.one_of("layer", &["ethernet", "ip"])) {
        Some(word) => {
            if word? == "ip" {
                Layer::Ip
            } else {
                Layer::Ethernet
            }
        }
        None => {
            if is_ip(&bytes) {
                Layer::Ip
            } else {
                Layer::Ethernet
            }
        }
    };
    Some(Contents::Bytes { layer, bytes })
}

/// Whether these are the bytes of one IP packet, by its version and its length field.
fn is_ip(bytes: &[u8]) -> bool {
    let length = |at: usize| bytes.get(at..at + 2).map(|field| usize::from(u16::from_be_bytes([field[0], field[1]])));
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => length(2) == Some(bytes.len()),
        Some(6) => length(4).map(|payload| payload + 40) == Some(bytes.len()),
        _ => false,
    }
}

#[derive(Debug)]
struct Injection {
    occasion: Occasion,
    sender: Sender,
    contents: Contents,
}

impl Plan for Injection {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let node = find_node(network, &self.sender.node);
        let port = self.sender.port(node, network.names())?;
        let (layer, bytes) = self.contents.bytes(node, port, network)?;
        let command = Command::Inject { port, layer, bytes };
        network.plan(self.occasion.at, Box::new(Order { node, command, text: self.describe() }));
        Ok(())
    }

    fn describe(&self) -> String {
        let port = self.sender.port.as_deref().map(|port| format!(":{port}")).unwrap_or_default();
        let what = match &self.contents {
            Contents::Bytes { bytes, .. } => format!("{} bytes", bytes.len()),
            Contents::Expression { text, .. } => text.clone(),
        };
        format!("inject at {}{port}: {what}", self.sender.node)
    }
}

impl Contents {
    /// The bytes, where what was left out is filled in from the sending node.
    fn bytes(&self, node: NodeId, port: Option<PortId>, network: &Network) -> Result<(Layer, Vec<u8>), Diagnostic> {
        match self {
            Self::Bytes { layer, bytes } => Ok((*layer, bytes.clone())),
            Self::Expression { expression, text, place } => {
                let names = network.names();
                let resolve = |name: &str| addresses(name, network);
                // Without an interface of its own the first one speaks for the node.
                let interface = names.interfaces.get(&(node, port.unwrap_or(PortId(0))));
                let own = interface.map(|interface| interface.addresses.clone()).unwrap_or_default();
                let own: Vec<IpAddr> = own.into_iter().chain(names.addresses_of(node)).collect();
                let defaults = PacketDefaults {
                    mac: interface.map_or([0; 6], |interface| interface.mac),
                    ipv4: own.iter().find_map(|address| if let IpAddr::V4(v4) = address { Some(*v4) } else { None }),
                    ipv6: own.iter().find_map(|address| if let IpAddr::V6(v6) = address { Some(*v6) } else { None }),
                    resolve: &resolve,
                };
                expression.build(&defaults).map_err(|error| {
                    // Byte for byte only if the text stands in the file as it is, without escapes.
                    let is_plain = place.len() == text.len();
                    let part = place.start + error.span.start..place.start + error.span.end;
                    let span = if is_plain { part } else { place.clone() };
                    Diagnostic { span, ..error.into_diagnostic() }
                })
            }
        }
    }
}

/// The addresses of `r1`, or of its interface `r1:wan`.
fn addresses(name: &str, network: &Network) -> Vec<IpAddr> {
    let names = network.names();
    let (node, port) = name.split_once(':').map_or((name, None), |(node, port)| (node, Some(port)));
    let Some(node) = network.find_node(node) else { return Vec::new() };
    let Some(port) = port else { return names.addresses_of(node).collect() };
    let of_port = names.interfaces.iter().find(|((owner, id), _)| *owner == node && names.port(node, *id) == port);
    of_port.map(|(_, interface)| interface.addresses.clone()).unwrap_or_default()
}
