//! DHCP messages (RFC 2131, RFC 2132): read with checks, written whole, looked at in passing.
//!
//! ```text
//!  0        1        2        3
//!  op       htype    hlen     hops          1: request, 2: reply; 1: Ethernet; 6; relays on the way
//!  xid                                      which transaction
//!  secs              flags                  since when; the highest bit: answer by broadcast
//!  ciaddr, yiaddr, siaddr, giaddr           the client's address, the one it gets, a boot server's, the relay's
//!  chaddr (16)                              the client's hardware address
//!  sname (64), file (128)                   of no use here, but options may continue in them
//!  63 82 53 63, options …
//! ```
//!
//! The fixed part is `smoltcp::wire::DhcpPacket`'s; options are [`Options`]. smoltcp's `DhcpRepr` is not enough for a
//! server and a relay: it knows one router, no hops, no options beyond its own list when it reads, no continued and no
//! overflowing options, and refuses client identifiers that are not Ethernet addresses.

mod options;

pub use options::{Options, code};

use std::net::Ipv4Addr;

use smoltcp::wire::{ArpHardware, DhcpFlags, DhcpMessageType, DhcpOpCode, DhcpPacket, EthernetAddress};

use super::view::{array, be16, be32};

/// The port of servers and relays.
pub const SERVER_PORT: u16 = 67;

/// The port of clients.
pub const CLIENT_PORT: u16 = 68;

/// How much of a message stands before its options, the magic cookie included.
pub(super) const FIXED_BYTES: usize = 240;

/// RFC 1497: "The value of the magic cookie is the 4 octet dotted decimal 99.130.83.99".
const MAGIC_COOKIE: u32 = 0x6382_5363;

/// The least that a message takes: what BOOTP's always took (RFC 951), which old relays insist on.
const MESSAGE_BYTES_MIN: usize = 300;

/// What everybody must be able to receive (RFC 2131 §2): a UDP payload of 548 bytes, a packet of 576.
pub const MESSAGE_BYTES_ALWAYS: usize = 548;

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// From a server; otherwise from a client.
    pub is_reply: bool,
    /// How many relays it has passed.
    pub hops: u8,
    /// The transaction.
    pub xid: u32,
    /// How many seconds ago the client began.
    pub secs: u16,
    /// The client wants the answer by broadcast.
    pub is_broadcast: bool,
    /// The address that the client has and answers for.
    pub ciaddr: Ipv4Addr,
    /// The address that the client gets.
    pub yiaddr: Ipv4Addr,
    /// Where the client would boot from.
    pub siaddr: Ipv4Addr,
    /// The relay that the client's message came through.
    pub giaddr: Ipv4Addr,
    /// The client's hardware address.
    pub chaddr: EthernetAddress,
    /// Everything else.
    pub options: Options,
}

impl Message {
    /// A client's message without options but its type.
    #[must_use]
    pub fn request(kind: DhcpMessageType, xid: u32, chaddr: EthernetAddress) -> Self {
        let zero = Ipv4Addr::UNSPECIFIED;
        let mut options = Options::default();
        options.set(code::MESSAGE_TYPE, vec![kind.into()]);
        Self {
            is_reply: false,
            hops: 0,
            xid,
            secs: 0,
            is_broadcast: false,
            ciaddr: zero,
            yiaddr: zero,
            siaddr: zero,
            giaddr: zero,
            chaddr,
            options,
        }
    }

    /// A server's answer to a client's message, without options but its type (RFC 2131 table 3).
    #[must_use]
    pub fn reply(kind: DhcpMessageType, to: &Self) -> Self {
        let request = Self::request(kind, to.xid, to.chaddr);
        Self { is_reply: true, is_broadcast: to.is_broadcast, giaddr: to.giaddr, ..request }
    }

    /// Reads a message; `None` if it is none, or contradicts itself.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let packet = DhcpPacket::new_checked(bytes).ok()?;
        let is_of_ethernet = packet.hardware_type() == ArpHardware::Ethernet && packet.hardware_len() == 6;
        let is_reply = match packet.opcode() {
            DhcpOpCode::Request => false,
            DhcpOpCode::Reply => true,
            DhcpOpCode::Unknown(_) => return None,
        };
        if !is_of_ethernet || packet.magic_number() != MAGIC_COOKIE || !packet.client_hardware_address().is_unicast() {
            return None;
        }
        let options = Options::read(bytes)?;
        let message = Self {
            is_reply,
            hops: packet.hops(),
            xid: packet.transaction_id(),
            secs: packet.secs(),
            is_broadcast: packet.flags().contains(DhcpFlags::BROADCAST),
            ciaddr: packet.client_ip(),
            yiaddr: packet.your_ip(),
            siaddr: packet.server_ip(),
            giaddr: packet.relay_agent_ip(),
            chaddr: packet.client_hardware_address(),
            options,
        };
        // Offers, acknowledgments and refusals are a server's to send, everything else is a client's.
        let is_of_server =
            matches!(message.kind()?, DhcpMessageType::Offer | DhcpMessageType::Ack | DhcpMessageType::Nak);
        (is_of_server == is_reply).then_some(message)
    }

    /// Writes the message. What does not fit into `most` bytes continues in fields that are of no use otherwise; what does
    /// not fit even there is left out.
    #[must_use]
    pub fn write(&self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; FIXED_BYTES];
        let mut packet = DhcpPacket::new_unchecked(&mut bytes[..]);
        packet.set_opcode(if self.is_reply { DhcpOpCode::Reply } else { DhcpOpCode::Request });
        packet.set_hardware_type(ArpHardware::Ethernet);
        packet.set_hardware_len(6);
        packet.set_hops(self.hops);
        packet.set_transaction_id(self.xid);
        packet.set_secs(self.secs);
        packet.set_flags(if self.is_broadcast { DhcpFlags::BROADCAST } else { DhcpFlags::empty() });
        packet.set_client_ip(self.ciaddr);
        packet.set_your_ip(self.yiaddr);
        packet.set_server_ip(self.siaddr);
        packet.set_relay_agent_ip(self.giaddr);
        packet.set_client_hardware_address(self.chaddr);
        packet.set_magic_number(MAGIC_COOKIE);
        self.options.write(&mut bytes, most.max(MESSAGE_BYTES_MIN));
        bytes.resize(bytes.len().max(MESSAGE_BYTES_MIN), 0);
        bytes
    }

    /// Which kind of message it is; `None` if it does not say, or says something unheard of.
    #[must_use]
    pub fn kind(&self) -> Option<DhcpMessageType> {
        match self.options.get(code::MESSAGE_TYPE) {
            Some([kind]) => match DhcpMessageType::from(*kind) {
                DhcpMessageType::Unknown(_) => None,
                known => Some(known),
            },
            _ => None,
        }
    }
}

/// A message as it passes by: whatever of it is there.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a>(&'a [u8]);

impl<'a> Glimpse<'a> {
    /// The message in a UDP datagram, by its ports and its magic cookie.
    #[must_use]
    pub fn of_datagram(udp: &'a [u8]) -> Option<Self> {
        let is_ours = |port: Option<u16>| matches!(port, Some(SERVER_PORT | CLIENT_PORT));
        let payload = udp.get(8..).filter(|_| is_ours(be16(udp, 0)) && is_ours(be16(udp, 2)))?;
        (be32(payload, FIXED_BYTES - 4) == Some(MAGIC_COOKIE)).then_some(Self(payload))
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value of an option, of the field for options alone.
    #[must_use]
    pub fn option(self, wanted: u8) -> Option<&'a [u8]> {
        options::walk(self.0.get(FIXED_BYTES..)?)
            .map_while(Result::ok)
            .find(|(code, _)| *code == wanted)
            .map(|(_, value)| value)
    }

    /// An option that is an address.
    #[must_use]
    pub fn address_option(self, wanted: u8) -> Option<Ipv4Addr> {
        self.option(wanted)?.first_chunk::<4>().map(|bytes| (*bytes).into())
    }

    /// What people call the kind of message: `discover`.
    #[must_use]
    pub fn word(self) -> &'static str {
        const WORDS: [&str; 8] = ["discover", "offer", "request", "decline", "ack", "nak", "release", "inform"];
        let kind = self.option(code::MESSAGE_TYPE).and_then(|value| value.first());
        kind.and_then(|kind| WORDS.get(usize::from(*kind).checked_sub(1)?)).copied().unwrap_or("message")
    }

    /// The transaction.
    #[must_use]
    pub fn xid(self) -> u32 {
        be32(self.0, 4).unwrap_or_default()
    }

    /// The address at an offset: 12 `ciaddr`, 16 `yiaddr`, 20 `siaddr`, 24 `giaddr`.
    #[must_use]
    pub fn address(self, at: usize) -> Ipv4Addr {
        be32(self.0, at).unwrap_or_default().into()
    }

    /// The client's hardware address.
    #[must_use]
    pub fn chaddr(self) -> [u8; 6] {
        array(self.0, 28).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> Message {
        let mut message = Message::request(DhcpMessageType::Request, 0x1234_5678, EthernetAddress([2, 0, 0, 0, 0, 1]));
        message.options.set_address(code::REQUESTED_ADDRESS, Ipv4Addr::new(10, 0, 0, 9));
        message
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut reply = Message::reply(DhcpMessageType::Ack, &Message { is_broadcast: true, ..message() });
        (reply.hops, reply.secs) = (3, 9);
        (reply.ciaddr, reply.yiaddr) = (Ipv4Addr::new(1, 2, 3, 4), Ipv4Addr::new(5, 6, 7, 8));
        (reply.siaddr, reply.giaddr) = (Ipv4Addr::new(9, 9, 9, 9), Ipv4Addr::new(8, 8, 8, 8));
        for message in [message(), reply] {
            assert_eq!(Message::read(&message.write(MESSAGE_BYTES_ALWAYS)), Some(message));
        }
    }

    #[test]
    fn a_message_has_the_length_that_old_relays_insist_on() {
        assert_eq!(message().write(MESSAGE_BYTES_ALWAYS).len(), MESSAGE_BYTES_MIN);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let good = message().write(MESSAGE_BYTES_ALWAYS);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Message::read(&bytes)
        };
        assert!(with(3, 1).is_some(), "hops");
        for (at, value) in [(0, 2), (0, 3), (1, 6), (2, 5), (28, 1), (236, 0), (241, 200), (242, 0), (242, 9), (242, 5)]
        {
            assert_eq!(with(at, value), None, "byte {at} as {value}");
        }
        assert_eq!(Message::read(&good[..240]), None, "a message says what it is");
        assert_eq!(Message::read(&good[..239]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_break_it_and_what_is_read_can_be_written_and_read_again(
            flips in proptest::collection::vec((0_usize..400, any::<u8>()), 0..20),
            more in proptest::collection::vec(any::<u8>(), 0..120),
            length in 0_usize..420,
        ) {
            let mut bytes = message().write(MESSAGE_BYTES_ALWAYS);
            bytes.truncate(253);
            bytes.extend(more);
            bytes.truncate(length.max(200));
            for (at, value) in flips {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            if let Some(message) = Message::read(&bytes) {
                prop_assert_eq!(Message::read(&message.write(1472)), Some(message));
            }
            let datagram = [&[0, 67, 0, 68, 0, 0, 0, 0][..], &bytes].concat();
            if let Some(glimpse) = Glimpse::of_datagram(&datagram) {
                let _ = (glimpse.word(), glimpse.xid(), glimpse.chaddr(), glimpse.address(24));
                let _ = (glimpse.option(82), glimpse.address_option(50));
            }
        }
    }
}
