//! `inject`: a packet that nobody in the network has made.

use std::net::IpAddr;

use super::command::{Order, find_node};
use super::{ActionBuilder, Occasion, Plan};
use crate::id::{NodeId, PortId};
use crate::network::Network;
use crate::node::Command;
use crate::read::{Diagnostic, Field, Form, Item, Kind, Need, Span, Table};
use crate::wire::Layer;

/// The largest injected frame: an Ethernet header and the largest IP packet.
const BYTES_MAX: usize = 14 + 65_535;

/// `do = "inject"`.
pub(super) const INJECT: Kind<ActionBuilder> = Kind {
    name: "inject",
    doc: "Has a node send a packet that none of its programs has made; wrong checksums stay wrong.",
    example: "[[at]]\nt = \"15s\"\ndo = \"inject\"\nnode = \"client:eth0\"\n\
              hex = '45000021 00000000 4011 0000 0a000001 0a000002 0fa0 829a 000d 0000 68656c6c6f'\n",
    fields: &[
        Field {
            name: "node",
            form: Form::Text,
            need: Need::Required,
            doc: "Which node sends it, and through which interface if not the routes are to say: `client`, `client:eth0`.",
        },
        Field {
            name: "hex",
            form: Form::Text,
            need: Need::Optional,
            doc: "The packet's bytes in hexadecimal; blanks do not count.",
        },
        Field {
            name: "layer",
            form: Form::OneOf(&["ethernet", "ip"]),
            need: Need::Optional,
            doc: "What `hex` begins with; found out if left out.",
        },
    ],
    build,
};
