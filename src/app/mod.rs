//! Programs that a scenario can run on its machines.
//!
//! Each is one small file over [`net`](crate::net): what a person would start in a terminal of that machine, with the
//! output and the failures that the well-known program of its kind has. A program tells what it did in three ways: it
//! logs lines, it reports named outcomes while it goes (so that a program that is stopped half-way has told what it
//! had), and it finishes or fails as the real program would exit with zero or not.
//!
//! What a scenario may write for each is a row of [`KINDS`]; what each reports is a row of [`OUTCOMES`]. When and where
//! a program runs (`on`, `start`, `stop`) is not read here but by whoever builds the machines.
//!
//! | file | what it holds |
//! |---|---|
//! | `calendar` | virtual time as a date |
//! | `dhcp` | how machines come to their addresses: client, server, relay agent |
//! | `dns` | name servers, resolvers, and `dig` and `nslookup` |
//! | `exchange` | both directions of a TCP connection at once |
//! | `fields` | keys that several programs share, and how they are read |
//! | `http` | a web server, and `curl` |
//! | `icmp` | echo requests, and what `ping` and `traceroute` call an ICMP error |
//! | `lines` | lines of text out of a stream of bytes |
//! | `names` | what `ping` and `traceroute` call the machines that answer |
//! | `numbered` | datagrams that carry a number and a time, and how their receiver judges them |
//! | `payload` | what is sent: given text, or a pattern |
//! | `ping_state` | what `ping` has sent and seen, and the lines that it prints |
//! | `places` | what routing programs are told of single interfaces |
//! | `port_state` | what a scan has found out about ports, and the table of it |
//! | `probe` | segments made by hand, and what comes back |
//! | `race` | waiting for whichever comes first |
//! | `recorded` | the route that a packet's header has recorded |
//! | `script` | what somebody types, and when |
//! | `services` | well-known ports and what is served there |
//! | `tally` | counts that are reported as they change |
//! | `times` | times that were measured: statistics and how they are printed |
//! | [`tls`] | encrypted connections, and who vouches for whom |
//! | `unix` | what a Unix program says when a call fails |

mod calendar;
mod chat;
pub(crate) mod dhcp;
pub(crate) mod dns;
mod exchange;
mod fields;
mod http;
mod icmp;
mod iperf;
mod lines;
mod names;
mod nc;
mod ntp;
mod numbered;
mod ospf;
mod payload;
mod peer;
mod ping;
mod ping_state;
mod places;
mod port_scan;
mod port_state;
mod probe;
mod race;
mod recorded;
mod rip;
mod script;
mod services;
mod tally;
mod tcp_bulk;
mod tcp_echo;
mod tcp_send;
mod tcp_sink;
mod tcpdump;
mod times;
pub mod tls;
mod traceroute;
mod udp_echo;
mod udp_punch;
mod udp_rendezvous;
mod udp_send;
mod udp_sink;
mod udp_stream;
mod unix;

use crate::net::Program;
use crate::read::{Kind, Table};

/// Makes a program from its table in `[apps]`; `None` if something in it is wrong, which has then been reported.
///
/// Reads what is the program's own; the keys of every program, and unknown ones, are the caller's to look after.
pub type AppBuilder = fn(&Table<'_>) -> Option<Program>;

/// The name of something that a program reports, and one sentence about it.
pub type Outcome = (&'static str, &'static str);

/// Every program that a scenario can name, in alphabetical order.
pub const KINDS: &[Kind<AppBuilder>] = &[
    chat::client::KIND,
    chat::server::KIND,
    http::client::KIND,
    dhcp::client_program::KIND,
    dhcp::relay_program::KIND,
    dhcp::server_program::KIND,
    dns::dig::KIND,
    dns::forger::KIND,
    dns::resolver::KIND,
    dns::server::KIND,
    http::server::KIND,
    iperf::client::KIND,
    iperf::server::KIND,
    nc::KIND,
    dns::nslookup::KIND,
    ntp::client::KIND,
    ntp::server::KIND,
    ospf::KIND,
    peer::KIND,
    ping::KIND,
    port_scan::KIND,
    rip::KIND,
    rip::KIND_NG,
    tcp_bulk::KIND,
    tcp_echo::KIND,
    tcp_send::KIND,
    tcp_sink::KIND,
    tcpdump::KIND,
    traceroute::KIND,
    udp_echo::KIND,
    udp_punch::KIND,
    udp_rendezvous::KIND,
    udp_send::KIND,
    udp_sink::KIND,
    udp_stream::KIND,
];

/// What each program reports, under its kind's name, in the order of [`KINDS`].
pub const OUTCOMES: &[(&str, &[Outcome])] = &[
    (chat::client::KIND.name, chat::client::OUTCOMES),
    (chat::server::KIND.name, chat::server::OUTCOMES),
    (http::client::KIND.name, http::client::OUTCOMES),
    (dhcp::client_program::KIND.name, dhcp::client_program::OUTCOMES),
    (dhcp::relay_program::KIND.name, dhcp::relay_program::OUTCOMES),
    (dhcp::server_program::KIND.name, dhcp::server_program::OUTCOMES),
    (dns::dig::KIND.name, dns::dig::OUTCOMES),
    (dns::forger::KIND.name, dns::forger::OUTCOMES),
    (dns::resolver::KIND.name, dns::resolver::OUTCOMES),
    (dns::server::KIND.name, dns::server::OUTCOMES),
    (http::server::KIND.name, http::server::OUTCOMES),
    (iperf::client::KIND.name, iperf::client::OUTCOMES),
    (iperf::server::KIND.name, iperf::server::OUTCOMES),
    (nc::KIND.name, nc::OUTCOMES),
    (dns::nslookup::KIND.name, dns::nslookup::OUTCOMES),
    (ntp::client::KIND.name, ntp::client::OUTCOMES),
    (ntp::server::KIND.name, ntp::server::OUTCOMES),
    (ospf::KIND.name, ospf::OUTCOMES),
    (peer::KIND.name, peer::OUTCOMES),
    (ping::KIND.name, ping::OUTCOMES),
    (port_scan::KIND.name, port_scan::OUTCOMES),
    (rip::KIND.name, rip::OUTCOMES),
    (rip::KIND_NG.name, rip::OUTCOMES),
    (tcp_bulk::KIND.name, tcp_bulk::OUTCOMES),
    (tcp_echo::KIND.name, tcp_echo::OUTCOMES),
    (tcp_send::KIND.name, tcp_send::OUTCOMES),
    (tcp_sink::KIND.name, tcp_sink::OUTCOMES),
    (tcpdump::KIND.name, tcpdump::OUTCOMES),
    (traceroute::KIND.name, traceroute::OUTCOMES),
    (udp_echo::KIND.name, udp_echo::OUTCOMES),
    (udp_punch::KIND.name, udp_punch::OUTCOMES),
    (udp_rendezvous::KIND.name, udp_rendezvous::OUTCOMES),
    (udp_send::KIND.name, udp_send::OUTCOMES),
    (udp_sink::KIND.name, udp_sink::OUTCOMES),
    (udp_stream::KIND.name, udp_stream::OUTCOMES),
];

/// What is known of every program, beside the outcomes of its kind: told by the machine, not by the program.
pub const COMMON_OUTCOMES: &[Outcome] = &[
    ("state", "Text: `waiting`, `running`, `finished`, `failed` or `stopped`."),
    ("started", "When it was last started; absent before."),
    ("elapsed", "How long it ran; absent while it runs."),
    ("error", "Text: why it failed; absent if it did not."),
];

/// The programs that find routes: each with the IP version whose routes its router is not given by others, 4 or 6. They
/// run on routers alone.
pub const ROUTING: &[(&str, u8)] = &[(ospf::KIND.name, 4), (rip::KIND.name, 4), (rip::KIND_NG.name, 6)];

/// The programs that answer questions for names.
pub const NAME_SERVERS: &[&str] = &[dns::resolver::KIND.name, dns::server::KIND.name];

/// The row of [`KINDS`] with this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind<AppBuilder>> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What a program of this kind reports beside [`COMMON_OUTCOMES`]; nothing for an unknown kind.
#[must_use]
pub fn outcomes(kind: &str) -> &'static [Outcome] {
    OUTCOMES.iter().find(|(name, _)| *name == kind).map_or(&[], |(_, outcomes)| outcomes)
}

#[cfg(test)]
mod tests;
