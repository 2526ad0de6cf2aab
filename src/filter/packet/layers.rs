//! The headers that a packet expression can name, and what can be said of each.

/// A header, or a stretch of bytes.
#[derive(Debug)]
pub struct LayerRow {
    /// As written in an expression: `ip`.
    pub name: &'static str,
    /// One sentence, with a full stop.
    pub doc: &'static str,
    /// What can be said of it.
    pub keys: &'static [KeyRow],
    /// Which headers may follow it; bytes always may.
    pub carries: &'static [&'static str],
}

/// Something that can be said of a header: `ttl=1`.
#[derive(Debug)]
pub struct KeyRow {
    /// As written in an expression.
    pub name: &'static str,
    /// What it can be set to.
    pub form: KeyForm,
    /// What holds if it is left out, in words; empty if it may not be left out.
    pub default: &'static str,
}

/// What a key can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// Letters of TCP flags, `SA` or `S.`, or their number.
    Flags,
    /// A whole number, or one of the words that stand for some of them.
    Integer {
        /// The largest.
        max: u64,
        /// Words for some of them.
        words: &'static [(&'static str, u64)],
    },
    /// An IPv4 address, or the name of a node.
    Ipv4,
    /// An IPv6 address, or the name of a node.
    Ipv6,
    /// An Ethernet address.
    Mac,
}

/// All headers that a packet expression can name, in alphabetical order.
#[must_use]
pub fn layers() -> &'static [LayerRow] {
    &LAYERS
}

impl LayerRow {
    /// The header of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        LAYERS.iter().find(|layer| layer.name == name)
    }

    /// What can be said under this name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static KeyRow> {
        self.keys.iter().find(|key| key.name == name)
    }
}

const BIT: KeyForm = KeyForm::Integer { max: 1, words: &[] };
const U8: KeyForm = KeyForm::Integer { max: 255, words: &[] };
const U16: KeyForm = KeyForm::Integer { max: 65_535, words: &[] };
const U32: KeyForm = KeyForm::Integer { max: 0xffff_ffff, words: &[] };

const ARP_OPERATION: KeyForm = KeyForm::Integer { max: 65_535, words: &[("request", 1), ("reply", 2)] };

const ICMP_TYPE: KeyForm = KeyForm::Integer {
    max: 255,
    words: &[("echo-reply", 0), ("unreachable", 3), ("redirect", 5), ("echo-request", 8), ("time-exceeded", 11)],
};

const ICMPV6_TYPE: KeyForm = KeyForm::Integer {
    max: 255,
    words: &[
        ("unreachable", 1),
        ("packet-too-big", 2),
        ("time-exceeded", 3),
        ("echo-request", 128),
        ("echo-reply", 129),
        ("router-solicitation", 133),
        ("neighbor-solicitation", 135),
        ("neighbor-advertisement", 136),
    ],
};

const NETWORK: &[&str] = &["arp", "ip", "ipv6"];

const fn key(name: &'static str, form: KeyForm, default: &'static str) -> KeyRow {
    KeyRow { name, form, default }
}

static LAYERS: [LayerRow; 10] = [
    LayerRow {
        name: "arp",
        doc: "An ARP message; alone it gets the Ethernet header that it needs.",
        keys: &[
            key("op", ARP_OPERATION, "request"),
            key("hwsrc", KeyForm::Mac, "the node's own"),
            key("psrc", KeyForm::Ipv4, "the node's own"),
            key("hwdst", KeyForm::Mac, "zeros"),
            key("pdst", KeyForm::Ipv4, ""),
        ],
        carries: &[],
    },
    LayerRow {
        name: "bytes",
        doc: "A stretch of bytes that are all alike.",
        keys: &[key("count", U16, ""), key("value", U8, "0")],
        carries: &[],
    },
    LayerRow {
        name: "eth",
        doc: "An Ethernet header.",
        keys: &[
            key("dst", KeyForm::Mac, "broadcast"),
            key("src", KeyForm::Mac, "the node's own"),
            key("type", U16, "what follows"),
        ],
        carries: &["arp", "ip", "ipv6", "vlan"],
    },
    LayerRow {
        name: "icmp",
        doc: "An ICMP message over IPv4; in an error, the packet that it quotes follows.",
        keys: &[
            key("type", ICMP_TYPE, "echo-request"),
            key("code", U8, "0"),
            key("id", U16, "1 in an echo"),
            key("seq", U16, "1 in an echo"),
            key("mtu", U16, "0"),
            key("gateway", KeyForm::Ipv4, "0.0.0.0"),
            key("checksum", U16, "the right one"),
        ],
        carries: &["ip"],
    },
    LayerRow {
        name: "icmpv6",
        doc: "An ICMP message over IPv6; in an error, the packet that it quotes follows.",
        keys: &[
            key("type", ICMPV6_TYPE, "echo-request"),
            key("code", U8, "0"),
            key("id", U16, "1 in an echo"),
            key("seq", U16, "1 in an echo"),
            key("mtu", U32, "0"),
            key("target", KeyForm::Ipv6, "not there"),
            key("checksum", U16, "the right one"),
        ],
        carries: &["ipv6"],
    },
    LayerRow {
        name: "ip",
        doc: "An IPv4 header.",
        keys: &[
            key("src", KeyForm::Ipv4, "the node's own"),
            key("dst", KeyForm::Ipv4, ""),
            key("ttl", U8, "64"),
            key("id", U16, "0"),
            key("df", BIT, "0"),
            key("mf", BIT, "0"),
            key("offset", KeyForm::Integer { max: 65_528, words: &[] }, "0; in bytes, a multiple of 8"),
            key("dscp", KeyForm::Integer { max: 63, words: &[] }, "0"),
            key("ecn", KeyForm::Integer { max: 3, words: &[] }, "0"),
            key("proto", U8, "what follows"),
            key("len", U16, "the right one"),
            key("checksum", U16, "the right one"),
        ],
        carries: &["icmp", "ip", "ipv6", "tcp", "udp"],
    },
    LayerRow {
        name: "ipv6",
        doc: "An IPv6 header.",
        keys: &[
            key("src", KeyForm::Ipv6, "the node's own"),
            key("dst", KeyForm::Ipv6, ""),
            key("hlim", U8, "64"),
            key("flow", KeyForm::Integer { max: 0xf_ffff, words: &[] }, "0"),
            key("tclass", U8, "0"),
            key("nxt", U8, "what follows"),
            key("plen", U16, "the right one"),
        ],
        carries: &["icmpv6", "ip", "ipv6", "tcp", "udp"],
    },
    LayerRow {
        name: "tcp",
        doc: "A TCP header.",
        keys: &[
            key("sport", U16, "49152"),
            key("dport", U16, ""),
            key("seq", U32, "0"),
            key("ack", U32, "0"),
            key("flags", KeyForm::Flags, "S"),
            key("window", U16, "65535"),
            key("urgent", U16, "0"),
            key("mss", U16, "no such option"),
            key("wscale", U8, "no such option"),
            key("sackok", BIT, "0"),
            key("checksum", U16, "the right one"),
        ],
        carries: &[],
    },
    LayerRow {
        name: "udp",
        doc: "A UDP header.",
        keys: &[
            key("sport", U16, "49152"),
            key("dport", U16, ""),
            key("len", U16, "the right one"),
            key("checksum", U16, "the right one"),
        ],
        carries: &[],
    },
    LayerRow {
        name: "vlan",
        doc: "An IEEE 802.1Q tag behind an Ethernet header.",
        keys: &[
            key("id", KeyForm::Integer { max: 4095, words: &[] }, ""),
            key("priority", KeyForm::Integer { max: 7, words: &[] }, "0"),
            key("type", U16, "what follows"),
        ],
        carries: NETWORK,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_carries_only_what_it_knows() {
        assert!(LAYERS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for layer in &LAYERS {
            assert!(layer.doc.ends_with('.'));
            assert!(layer.carries.iter().all(|name| LayerRow::find(name).is_some()), "{}", layer.name);
        }
    }
}
