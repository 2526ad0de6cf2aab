//! What the standards leave to who runs a machine: which ICMP messages it sends and believes, and how a router treats
//! what passes.
//!
//! What is said of ICMP errors and redirects holds for ICMPv6 too.
//!
//! Plain data, like the rest of [`spec`](super::spec); each knob is obeyed in a file of its own.

use std::time::Duration;

use crate::time::Time;

/// How many ICMP errors a machine sends each second, and at once, unless told otherwise.
///
/// Linux's `icmp_msgs_per_sec` and `icmp_msgs_burst`: more than any lesson needs, less than a flood makes of it.
const ERRORS_PER_SECOND: u32 = 10_000;

/// How a machine treats IPv4 where the standards let it choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipv4Settings {
    /// Whether it tells senders what became of their packets. A machine that does not is a `*` in a traceroute.
    pub sends_errors: bool,
    /// How many ICMP errors and redirects it sends.
    pub error_limit: IcmpLimit,
    /// Whether a router tells hosts on its link of a better first hop.
    pub sends_redirects: bool,
    /// Whether it believes a router that tells it of one. Hosts do, routers do not (RFC 1812 §5.2.7.2).
    pub accepts_redirects: bool,
    /// Whether a router passes on what is for the broadcast address of one of its subnets. RFC 2644: not by default.
    pub forwards_directed_broadcasts: bool,
    /// Whether a router drops what comes from where it would not send an answer to (RFC 1812 §5.3.8, RFC 2827). "If this
    /// feature is implemented, it MUST be disabled by default." Of IPv6 too.
    pub checks_sources: bool,
    /// Whether a router lowers the segment size that a SYN announces to what fits the links that it passes; of IPv6 too.
    pub clamps_mss: bool,
    /// How long a path's MTU is remembered. Zero: until a crash.
    ///
    /// RFC 1191 §6.3: "on the order of 10 minutes", and "an implementation should provide a means for changing the timeout
    /// duration, including setting it to 'infinity'." Not less than five minutes, by RFC 1191 §3. It holds for IPv6 too.
    pub path_mtu_age: Duration,
}

impl Default for Ipv4Settings {
    /// Those of a host.
    fn default() -> Self {
        Self {
            sends_errors: true,
            error_limit: IcmpLimit::default(),
            sends_redirects: true,
            accepts_redirects: true,
            forwards_directed_broadcasts: false,
            checks_sources: false,
            clamps_mss: false,
            path_mtu_age: Duration::from_secs(600),
        }
    }
}

impl Ipv4Settings {
    /// When a path's MTU that is learned at `now` is to be forgotten.
    pub(super) fn path_mtu_end(&self, now: Time) -> Time {
        if self.path_mtu_age.is_zero() { Time::MAX } else { now + self.path_mtu_age }
    }
}

/// A token bucket for ICMP errors.
///
/// RFC 1812 §4.3.2.8 describes both numbers; a machine that is asked to complain oftener keeps silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpLimit {
    /// How many in the long run; at least 1.
    pub per_second: u32,
    /// How many at once, after a quiet time; at least 1.
    pub burst: u32,
}

impl Default for IcmpLimit {
    fn default() -> Self {
        Self { per_second: ERRORS_PER_SECOND, burst: ERRORS_PER_SECOND }
    }
}
