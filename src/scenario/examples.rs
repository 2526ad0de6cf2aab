//! The scenarios that come with the program, so that `run lossy-handshake` works anywhere.

/// A bundled scenario.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What it is called on the command line: the file's name without its ending, `course/` before it for the course's.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

impl Example {
    /// What it is about, in one sentence: the value of its `about` key.
    #[must_use]
    pub fn about(&self) -> &'static str {
        let line = self.text.lines().find_map(|line| line.strip_prefix("about = \""));
        line.and_then(|rest| rest.strip_suffix('"')).unwrap_or("")
    }

    /// Whether it belongs to the course, whose pages are in `docs/course`.
    #[must_use]
    pub fn is_of_course(&self) -> bool {
        self.name.starts_with("course/")
    }
}

/// Lists files of `scenarios/` by name.
macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        &[$(Example { name: $name, text: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*]
    };
}

/// Every bundled scenario, by name.
#[must_use]
pub fn examples() -> &'static [Example] {
    bundled![
        "address-already-in-use",
        "arp",
        "arp-poisoning",
        "arp-static",
        "backlog",
        "broadcast-storm",
        "bufferbloat",
        "chat",
        "congestion-control",
        "connect-timeout",
        "connection-refused",
        "cookies",
        "corruption",
        "count-to-infinity",
        "count-to-infinity-cured",
        "course/01-packets",
        "course/02-layers",
        "course/03-arp",
        "course/04-subnets",
        "course/05-ipv6",
        "course/06-ports",
        "course/07-tcp-echo",
        "course/08-udp-echo",
        "course/09-many-clients",
        "course/10-backlog",
        "course/11-refused-and-timeout",
        "course/12-handshake",
        "course/13-teardown",
        "course/14-half-close",
        "course/15-time-wait",
        "course/16-loss",
        "course/17-reordering",
        "course/18-flow-control",
        "course/19-congestion-control",
        "course/20-tcp-vs-udp",
        "course/21-fragmentation",
        "course/22-path-mtu",
        "course/23-ping",
        "course/24-traceroute",
        "course/25-routing-loop",
        "course/26-asymmetric",
        "course/27-dns-lookup",
        "course/28-dns-records",
        "course/29-dns-caching",
        "course/30-reverse-lookup",
        "course/31-http",
        "course/32-http-methods",
        "course/33-cookies-and-sessions",
        "course/34-tls",
        "course/35-loopback",
        "course/36-peer-to-peer",
        "course/37-firewall",
        "course/38-tools",
        "dead-gateway",
        "dhcp",
        "dhcp-decline",
        "dhcp-expiry",
        "dhcp-home",
        "dhcp-pool-exhausted",
        "dhcp-relay",
        "dhcp-renew-rebind",
        "dhcp-rogue",
        "dns-cname-chain",
        "dns-delegation-lame",
        "dns-dhcp",
        "dns-life-cycle",
        "dns-negative-caching",
        "dns-record-types",
        "dns-reverse-lookup",
        "dns-search-order",
        "dns-spoofing",
        "dns-truncation",
        "dont-fragment",
        "dual-stack",
        "duplicate-address",
        "duplication",
        "ecmp",
        "fdb-ageing",
        "firewall-ipv6",
        "firewall-reject-vs-drop",
        "firewall-stateful",
        "four-way-teardown",
        "fragmentation",
        "half-close",
        "happy-eyeballs",
        "http-chunked",
        "http-keep-alive",
        "http-methods",
        "http-ranges",
        "http-redirects",
        "http-request",
        "http-slow-server",
        "http-status-codes",
        "http-virtual-hosts",
        "icmp-rate-limit",
        "iperf-tcp",
        "iperf-udp",
        "ipv6-dad",
        "ipv6-forged-router",
        "ipv6-fragment-at-source",
        "ipv6-link-local",
        "ipv6-neighbor-discovery",
        "ipv6-packet-too-big",
        "ipv6-privacy",
        "ipv6-redirect",
        "ipv6-slaac",
        "ipv6-two-routers",
        "keep-alive",
        "link-flap",
        "loopback-vs-lan",
        "lossy-handshake",
        "lost-syn-ack",
        "mac-flooding",
        "mss-clamping",
        "nat-cgnat",
        "nat-hairpin",
        "nat-home",
        "nat-icmp-error",
        "nat-port-forward",
        "nat-symmetric",
        "ntp",
        "ntp-asymmetric",
        "null-routes",
        "ospf",
        "ospf-dead-interval",
        "ospf-dr-election",
        "ospf-ecmp",
        "ospf-link-cut",
        "path-mtu-ageing",
        "peer-to-peer",
        "peer-to-peer-relayed",
        "ping-loss",
        "pmtu-black-hole",
        "port-scan",
        "port-scan-udp",
        "ports",
        "proxy-arp",
        "record-route",
        "redirect",
        "reordering",
        "retransmission-timeout",
        "rip",
        "ripng",
        "router-on-a-stick",
        "routing-loop",
        "segment-loss",
        "sessions",
        "silent-routers",
        "simultaneous-open",
        "smurf",
        "spanning-tree",
        "spanning-tree-old",
        "switch-learning",
        "tcp-echo-many",
        "tcp-nagle",
        "tcpdump-two-sides",
        "teardrop",
        "three-way-handshake",
        "tls-1-2",
        "tls-expired",
        "tls-handshake",
        "tls-lossy",
        "tls-resumption",
        "tls-sni",
        "tls-unknown-issuer",
        "tls-wrong-name",
        "traceroute",
        "traceroute6",
        "ttl-expiry",
        "udp-echo",
        "udp-hole-punching",
        "udp-hole-punching-fails",
        "udp-vs-tcp",
        "views",
        "vlan",
        "world",
        "zero-window",
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_says_what_it_is_about_and_the_list_is_in_order() {
        assert!(examples().iter().all(|example| !example.about().is_empty()));
        assert!(examples().windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
