//! A message looked at where it stands in a frame, without keeping anything.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::message::Message as Octets;
use domain::base::name::{ParsedName, ToLabelIter, ToName as _};
use domain::rdata::{A, Aaaa};
use smoltcp::wire::IpProtocol;

use super::PORT;
use crate::wire::view::{Ip, be16, tcp_header_bytes, udp_payload};

/// The longest that a name can be as text: each of 254 bytes as `\ddd`, and dots.
const TEXT_BYTES_MAX: usize = 1024;

/// A message in a datagram, or at the beginning of a segment.
#[derive(Clone, Copy)]
pub struct Glimpse<'a>(&'a Octets<[u8]>);

/// A name in a message.
#[derive(Clone, Copy)]
pub struct QueryName<'a>(ParsedName<&'a [u8]>);

impl<'a> Glimpse<'a> {
    /// The message that a packet from or to port 53 carries: a datagram's, or the first one that begins with its
    /// segment and is all there.
    #[must_use]
    pub fn of_packet(ip: &Ip<'a>) -> Option<Self> {
        let transport = ip.transport(ip.protocol)?;
        match ip.protocol {
            IpProtocol::Udp => Self::of_datagram(transport),
            IpProtocol::Tcp => Self::of_segment(transport),
            _ => None,
        }
    }

    /// The message in a datagram from or to port 53.
    #[must_use]
    pub fn of_datagram(udp: &'a [u8]) -> Option<Self> {
        if !is_ours(udp) {
            return None;
        }
        Octets::from_slice(udp_payload(udp)?).ok().map(Self)
    }

    /// The message that begins with a segment from or to port 53.
    #[must_use]
    pub fn of_segment(tcp: &'a [u8]) -> Option<Self> {
        if !is_ours(tcp) {
            return None;
        }
        let (length, rest) = tcp.get(tcp_header_bytes(tcp)?..)?.split_first_chunk::<2>()?;
        Octets::from_slice(rest.get(..u16::from_be_bytes(*length).into())?).ok().map(Self)
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0.as_slice()
    }

    /// The name that is asked for, if there is a question that can be read.
    #[must_use]
    pub fn query_name(self) -> Option<QueryName<'a>> {
        let question = self.0.first_question()?;
        Some(QueryName(*question.qname()))
    }

    /// The type that is asked for, as a number.
    #[must_use]
    pub fn query_type(self) -> Option<u16> {
        Some(self.0.first_question()?.qtype().to_int())
    }

    /// The first two IPv4 addresses of the answer.
    #[must_use]
    pub fn ipv4_answers(self) -> [Option<Ipv4Addr>; 2] {
        let found = self.0.answer().ok();
        let mut found = found.into_iter().flat_map(|answer| answer.limit_to::<A>().flatten()).map(|a| a.data().addr());
        [found.next(), found.next()]
    }

    /// The first two IPv6 addresses of the answer.
    #[must_use]
    pub fn ipv6_answers(self) -> [Option<Ipv6Addr>; 2] {
        let found = self.0.answer().ok();
        let mut found =
            found.into_iter().flat_map(|answer| answer.limit_to::<Aaaa>().flatten()).map(|a| a.data().addr());
        [found.next(), found.next()]
    }
}

impl QueryName<'_> {
    /// Its text without the last dot, into a buffer; the root is nothing. Letters stay as they are.
    fn text(self, buffer: &mut [u8; TEXT_BYTES_MAX]) -> &[u8] {
        let mut end = 0;
        let mut push = |byte: u8| {
            if let Some(place) = buffer.get_mut(end) {
                *place = byte;
                end += 1;
            }
        };
        for (index, label) in self.0.iter_labels().filter(|label| !label.is_root()).enumerate() {
            if index > 0 {
                push(b'.');
            }
            for byte in label.as_slice() {
                match byte {
                    b'.' | b'\\' => [b'\\', *byte].into_iter().for_each(&mut push),
                    0x21..=0x7e => push(*byte),
                    _ => [b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]
                        .into_iter()
                        .for_each(&mut push),
                }
            }
        }
        &buffer[..end]
    }

    /// Whether it is this name, written with or without its last dot, in whatever case.
    #[must_use]
    pub fn is(self, text: &[u8]) -> bool {
        let wanted = text.strip_suffix(b".").unwrap_or(text);
        self.text(&mut [0; TEXT_BYTES_MAX]).eq_ignore_ascii_case(wanted)
    }

    /// Whether its text has this in it, in whatever case.
    #[must_use]
    pub fn contains(self, part: &[u8]) -> bool {
        let mut buffer = [0; TEXT_BYTES_MAX];
        let text = self.text(&mut buffer);
        !part.is_empty() && text.windows(part.len()).any(|piece| piece.eq_ignore_ascii_case(part))
    }
}

impl PartialEq for QueryName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for QueryName<'_> {}

impl fmt::Display for QueryName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.fmt_with_dot())
    }
}

impl fmt::Debug for QueryName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Glimpse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Glimpse").field(&self.0.as_slice()).finish()
    }
}

/// Whether a transport header has port 53 in it.
fn is_ours(transport: &[u8]) -> bool {
    [0, 2].into_iter().any(|at| be16(transport, at) == Some(PORT))
}
