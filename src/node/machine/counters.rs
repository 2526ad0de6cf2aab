//! What a machine counts.

use crate::record::Value;

/// Everything that a machine's IP layer and its neighbors count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// IP packets that came in on a link.
    pub(super) received: u64,
    /// IP packets that were for others and went out again.
    pub(super) forwarded: u64,
    /// Whole packets that were for this machine.
    pub(super) delivered: u64,
    /// Packets that this machine made and sent, loopback included.
    pub(super) sent: u64,
    pub(super) fragments_created: u64,
    pub(super) fragments_received: u64,
    pub(super) reassembled: u64,
    pub(super) reassembly_failed: u64,
    pub(super) icmp_received: u64,
    pub(super) echo_replies: u64,
    pub(super) unreachables: u64,
    pub(super) times_exceeded: u64,
    pub(super) parameter_problems: u64,
    pub(super) redirects: u64,
    /// Better ways that this machine was told of and believed.
    pub(super) redirects_accepted: u64,
    /// SYNs that announced more than fits.
    pub(super) mss_clamped: u64,
    /// Packets whose source does not lie where they came from.
    pub(super) spoofed: u64,
    /// Packets for everybody on another subnet.
    pub(super) broadcasts_forwarded: u64,
    /// Errors that RFC 1122 §3.2.2 forbids.
    pub(super) errors_withheld: u64,
    /// Errors beyond the limit of the machine's settings.
    pub(super) errors_limited: u64,
    /// Errors that a silent machine does not send.
    pub(super) errors_silenced: u64,
    pub(super) resets: u64,
    pub(super) arp_received: u64,
    pub(super) arp_requests: u64,
    pub(super) arp_replies: u64,
    pub(super) arp_probes: u64,
    pub(super) arp_conflicts: u64,
    pub(super) arp_defences: u64,
    /// Answers for others.
    pub(super) arp_proxied: u64,
    pub(super) arp_announced: u64,
    pub(super) neighbors_failed: u64,
    pub(super) path_mtus_learned: u64,
}

impl Counters {
    /// All of them, in a fixed order.
    pub(super) fn list(&self) -> Vec<(String, Value)> {
        self.named().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }

    fn named(&self) -> [(&'static str, u64); 32] {
        [
            ("ip.received", self.received),
            ("ip.forwarded", self.forwarded),
            ("ip.delivered", self.delivered),
            ("ip.sent", self.sent),
            ("ip.fragments_created", self.fragments_created),
            ("ip.fragments_received", self.fragments_received),
            ("ip.reassembled", self.reassembled),
            ("ip.reassembly_failed", self.reassembly_failed),
            ("ip.path_mtus_learned", self.path_mtus_learned),
            ("ip.redirects_accepted", self.redirects_accepted),
            ("ip.mss_clamped", self.mss_clamped),
            ("ip.spoofed", self.spoofed),
            ("ip.broadcasts_forwarded", self.broadcasts_forwarded),
            ("icmp.received", self.icmp_received),
            ("icmp.sent.echo_reply", self.echo_replies),
            ("icmp.sent.destination_unreachable", self.unreachables),
            ("icmp.sent.time_exceeded", self.times_exceeded),
            ("icmp.sent.parameter_problem", self.parameter_problems),
            ("icmp.sent.redirect", self.redirects),
            ("icmp.errors_withheld", self.errors_withheld),
            ("icmp.errors_limited", self.errors_limited),
            ("icmp.errors_silenced", self.errors_silenced),
            ("tcp.resets_sent", self.resets),
            ("arp.received", self.arp_received),
            ("arp.requests_sent", self.arp_requests),
            ("arp.replies_sent", self.arp_replies),
            ("arp.proxied", self.arp_proxied),
            ("arp.announced", self.arp_announced),
            ("arp.failed", self.neighbors_failed),
            ("arp.probes_sent", self.arp_probes),
            ("arp.conflicts", self.arp_conflicts),
            ("arp.defences", self.arp_defences),
        ]
    }
}
