//! What a machine counts of IPv6.

use crate::record::Value;

#[derive(Debug, Default)]
pub(super) struct Counters {
    /// IPv6 packets that came in on a link.
    pub(super) received: u64,
    /// Those that were for others and went out again.
    pub(super) forwarded: u64,
    /// Whole packets that were for this machine.
    pub(super) delivered: u64,
    /// Packets that this machine made and sent, loopback included, discovery left out.
    pub(super) sent: u64,
    pub(super) fragments_created: u64,
    pub(super) fragments_received: u64,
    pub(super) reassembled: u64,
    pub(super) reassembly_failed: u64,
    pub(super) path_mtus_learned: u64,
    /// SYNs that announced more than fits.
    pub(super) mss_clamped: u64,
    pub(super) icmp_received: u64,
    pub(super) echo_replies: u64,
    pub(super) unreachables: u64,
    pub(super) too_bigs: u64,
    pub(super) times_exceeded: u64,
    pub(super) parameter_problems: u64,
    /// Errors that RFC 4443 §2.4 (e) forbids.
    pub(super) errors_withheld: u64,
    /// Errors that the settings forbid.
    pub(super) errors_silenced: u64,
    /// Errors beyond the rate of RFC 4443 §2.4 (f).
    pub(super) errors_limited: u64,
    pub(super) neighbor_solicitations: u64,
    pub(super) neighbor_advertisements: u64,
    pub(super) router_solicitations: u64,
    pub(super) router_advertisements: u64,
    pub(super) redirects: u64,
    pub(super) redirects_accepted: u64,
    pub(super) neighbors_failed: u64,
    pub(super) duplicates: u64,
    pub(super) listener_reports: u64,
    pub(super) resets: u64,
}

impl Counters {
    /// All of them, in a fixed order.
    pub(super) fn list(&self) -> impl Iterator<Item = (String, Value)> {
        self.named().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)))
    }

    fn named(&self) -> [(&'static str, u64); 29] {
        [
            ("ip6.received", self.received),
            ("ip6.forwarded", self.forwarded),
            ("ip6.delivered", self.delivered),
            ("ip6.sent", self.sent),
            ("ip6.fragments_created", self.fragments_created),
            ("ip6.fragments_received", self.fragments_received),
            ("ip6.reassembled", self.reassembled),
            ("ip6.reassembly_failed", self.reassembly_failed),
            ("ip6.path_mtus_learned", self.path_mtus_learned),
            ("ip6.mss_clamped", self.mss_clamped),
            ("icmp6.received", self.icmp_received),
            ("icmp6.sent.echo_reply", self.echo_replies),
            ("icmp6.sent.destination_unreachable", self.unreachables),
            ("icmp6.sent.packet_too_big", self.too_bigs),
            ("icmp6.sent.time_exceeded", self.times_exceeded),
            ("icmp6.sent.parameter_problem", self.parameter_problems),
            ("icmp6.errors_withheld", self.errors_withheld),
            ("icmp6.errors_silenced", self.errors_silenced),
            ("icmp6.errors_limited", self.errors_limited),
            ("nd.sent.neighbor_solicitation", self.neighbor_solicitations),
            ("nd.sent.neighbor_advertisement", self.neighbor_advertisements),
            ("nd.sent.router_solicitation", self.router_solicitations),
            ("nd.sent.router_advertisement", self.router_advertisements),
            ("nd.sent.redirect", self.redirects),
            ("nd.redirects_accepted", self.redirects_accepted),
            ("nd.failed", self.neighbors_failed),
            ("nd.duplicates", self.duplicates),
            ("mld.reports_sent", self.listener_reports),
            ("tcp6.resets_sent", self.resets),
        ]
    }
}
