//! How a host's TCP behaves: what `sysctl net.ipv4.tcp_*` and socket options are elsewhere.

use std::time::Duration;

/// Which algorithm decides how much data may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Congestion {
    /// RFC 9438, as Linux has it.
    #[default]
    Cubic,
    /// None: only the receiver's window limits the sender.
    None,
    /// RFC 5681.
    Reno,
}

/// How lost segments are found and sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recovery {
    /// As smoltcp has it: RFC 6298 timeouts of at least one second, fast retransmit of one segment, no SACK.
    #[default]
    Stock,
}

/// How a host's TCP behaves. Applies to connections that begin after it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSettings {
    /// How long unacknowledged data, or a FIN, is sent again before the connection is given up.
    ///
    /// 924.6 s is Linux's default: 15 retransmissions with its timeouts. Any segment of the peer starts it anew.
    pub give_up_after: Duration,
    /// How long a connect may take before it fails with "timed out".
    ///
    /// 127 s is Linux's default: SYNs at 0, 1, 3, 7, 15, 31 and 63 s, and a last wait.
    pub connect_timeout: Duration,
    /// Which algorithm decides how much data may be on its way.
    pub congestion: Congestion,
    /// How long an acknowledgment may wait for company; `None` sends each at once. Every second segment is
    /// acknowledged at once anyway.
    pub ack_delay: Option<Duration>,
    /// After how much silence an idle connection is probed; `None` (the default) never does.
    pub keep_alive: Option<Duration>,
    /// How many keep-alive probes may go unanswered before the connection is given up.
    pub keep_alive_probes: u32,
    /// Whether small segments wait for an acknowledgment of what is on its way (Nagle's algorithm).
    pub nagle: bool,
    /// How many bytes may wait to be read by the program: the largest window. At most 1 GiB.
    ///
    /// Taken in full for each connection when it begins; nothing grows by itself.
    pub receive_buffer: usize,
    /// How lost segments are found and sent again.
    pub recovery: Recovery,
    /// How many bytes a program may write before they are acknowledged.
    ///
    /// Taken in full for each connection when it begins; nothing grows by itself.
    pub send_buffer: usize,
    /// How many times a SYN|ACK is sent again before a half-open connection is forgotten.
    pub syn_ack_retries: u32,
    /// How many times a SYN is sent again; then the rest of [`connect_timeout`](Self::connect_timeout) is silence.
    pub syn_retries: u32,
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self {
            give_up_after: Duration::from_millis(924_600),
            connect_timeout: Duration::from_secs(127),
            congestion: Congestion::default(),
            ack_delay: Some(Duration::from_millis(10)),
            keep_alive: None,
            keep_alive_probes: 9,
            nagle: true,
            receive_buffer: 65_536,
            recovery: Recovery::default(),
            send_buffer: 65_536,
            syn_ack_retries: 5,
            syn_retries: 6,
        }
    }
}
