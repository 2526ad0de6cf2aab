//! What a DHCP client has been given, and for how long.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::net::control::Resolver;
use crate::time::Time;
use crate::wire::dhcp::{MESSAGE_BYTES_ALWAYS, Message, code};

/// An address that is never taken back (RFC 2131 §3.3: "The time value of 0xffffffff is reserved to represent infinity").
pub(super) const FOR_EVER: u32 = u32::MAX;

/// An address with all that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) net: Ipv4Net,
    /// Who gave it.
    pub(super) server: Ipv4Addr,
    pub(super) routers: Vec<Ipv4Addr>,
    pub(super) resolver: Resolver,
    /// T1: from when on the server is asked for more time.
    pub(super) renew_at: Time,
    /// T2: from when on anybody is asked.
    pub(super) rebind_at: Time,
    pub(super) expires_at: Time,
    /// When it was asked for, and the answer: what is remembered over a crash.
    asked_at: Time,
    answer: Message,
}

impl Lease {
    /// What an acknowledgment grants to a request that was sent at `asked_at`; `None` if it is not enough to live on.
    pub(super) fn of(answer: &Message, asked_at: Time) -> Option<Self> {
        let options = &answer.options;
        let seconds = options.seconds(code::LEASE_TIME)?;
        let address = answer.yiaddr;
        let is_usable =
            !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !address.is_broadcast();
        let length = match options.get(code::SUBNET_MASK) {
            Some(_) => prefix_length(options.address(code::SUBNET_MASK)?)?,
            None => natural_length(address),
        };
        let net = Ipv4Net::new(address, length).ok().filter(|_| is_usable && length > 0)?;
        let is_for_nobody = length <= 30 && (address == net.network() || address == net.broadcast());
        // RFC 2131 §4.4.5: "T1 MUST be earlier than T2, which, in turn, MUST be earlier than the time at which the client's
        // lease will expire." What a server says is taken only if it is so.
        let said = (options.seconds(code::RENEWAL_TIME), options.seconds(code::REBINDING_TIME));
        let after = |part: u64, of: u64| asked_at + Duration::from_millis(u64::from(seconds) * 1000 / of * part);
        let (renew_at, rebind_at) = match said {
            (Some(renew), Some(rebind)) if renew < rebind && rebind < seconds => {
                (asked_at + secs(renew), asked_at + secs(rebind))
            }
            // "T1 defaults to (0.5 * duration_of_lease). T2 defaults to (0.875 * duration_of_lease)."
            _ => (after(1, 2), after(7, 8)),
        };
        let is_for_ever = seconds == FOR_EVER;
        let at = |at: Time| if is_for_ever { Time::MAX } else { at };
        let servers = options.addresses(code::DOMAIN_NAME_SERVER).into_iter().map(IpAddr::V4).collect();
        (!is_for_nobody && seconds > 0).then(|| Self {
            net,
            server: options.address(code::SERVER_IDENTIFIER).unwrap_or(answer.siaddr),
            routers: options.addresses(code::ROUTER),
            resolver: Resolver { servers, domain: options.text(code::DOMAIN_NAME) },
            renew_at: at(renew_at),
            rebind_at: at(rebind_at),
            expires_at: at(asked_at + secs(seconds)),
            asked_at,
            answer: answer.clone(),
        })
    }

    /// As bytes, to be remembered.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&self.asked_at.as_nanos().to_be_bytes()[..], &self.answer.write(MESSAGE_BYTES_ALWAYS)].concat()
    }

    /// What [`to_bytes`](Self::to_bytes) has written.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (asked_at, answer) = bytes.split_first_chunk::<8>()?;
        Self::of(&Message::read(answer)?, Time::from_nanos(u64::from_be_bytes(*asked_at)))
    }
}

fn secs(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// The prefix length that a mask stands for, if its ones are all in front.
fn prefix_length(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    (bits.leading_ones() + bits.trailing_zeros() == 32 || bits == u32::MAX).then_some(bits.leading_ones() as u8)
}

/// The prefix length of an address's class, for want of a mask (RFC 791 §3.2).
fn natural_length(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{DhcpMessageType, EthernetAddress};

    use super::*;

    fn ack(options: &[(u8, &[u8])]) -> Message {
        let request = Message::request(DhcpMessageType::Request, 7, EthernetAddress([2, 0, 0, 0, 0, 1]));
        let mut ack = Message::reply(DhcpMessageType::Ack, &request);
        ack.yiaddr = Ipv4Addr::new(10, 0, 0, 100);
        for (code, value) in options {
            ack.options.set(*code, value.to_vec());
        }
        ack
    }

    const MASK: (u8, &[u8]) = (code::SUBNET_MASK, &[255, 255, 255, 0]);
    const HOUR: (u8, &[u8]) = (code::LEASE_TIME, &[0, 0, 14, 16]);

    fn times(options: &[(u8, &[u8])]) -> [u64; 3] {
        let lease = Lease::of(&ack(options), Time::from_secs(10)).unwrap();
        [lease.renew_at, lease.rebind_at, lease.expires_at].map(|at| at.since(Time::from_secs(10)).as_secs())
    }

    #[test]
    fn times_count_from_the_request_and_default_to_a_half_and_seven_eighths() {
        assert_eq!(times(&[MASK, HOUR]), [1800, 3150, 3600]);
        assert_eq!(times(&[MASK, HOUR, (58, &[0, 0, 0, 9]), (59, &[0, 0, 0, 20])]), [9, 20, 3600]);
        // T1 after T2, T2 after the end, one alone: nonsense, so the defaults.
        assert_eq!(times(&[MASK, HOUR, (58, &[0, 0, 0, 20]), (59, &[0, 0, 0, 20])]), [1800, 3150, 3600]);
        assert_eq!(times(&[MASK, HOUR, (58, &[0, 0, 0, 9]), (59, &[0, 0, 14, 16])]), [1800, 3150, 3600]);
        assert_eq!(times(&[MASK, HOUR, (58, &[0, 0, 0, 9])]), [1800, 3150, 3600]);
    }

    #[test]
    fn all_ones_is_for_ever() {
        let lease = Lease::of(&ack(&[MASK, (51, &[255; 4])]), Time::ZERO).unwrap();
        assert_eq!([lease.renew_at, lease.rebind_at, lease.expires_at], [Time::MAX; 3]);
    }

    #[test]
    fn what_is_not_enough_to_live_on_is_no_lease() {
        let lease = |address: [u8; 4], options: &[(u8, &[u8])]| {
            Lease::of(&Message { yiaddr: address.into(), ..ack(options) }, Time::ZERO)
        };
        assert!(lease([10, 0, 0, 9], &[MASK, HOUR]).is_some());
        assert_eq!(lease([10, 0, 0, 9], &[MASK]), None, "no time");
        assert_eq!(lease([10, 0, 0, 9], &[MASK, (51, &[0; 4])]), None, "no time at all");
        for address in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4], [10, 0, 0, 0], [10, 0, 0, 255]] {
            assert_eq!(lease(address, &[MASK, HOUR]), None, "{address:?}");
        }
        for mask in [[255, 0, 255, 0], [0, 0, 0, 0], [0, 0, 0, 255]] {
            assert_eq!(lease([10, 0, 0, 9], &[(1, &mask), HOUR]), None, "{mask:?}");
        }
        assert_eq!(lease([10, 0, 0, 9], &[(1, &[255, 255]), HOUR]), None, "half a mask");
        assert_eq!(lease([172, 16, 0, 9], &[HOUR]).unwrap().net.prefix_len(), 16, "no mask: by its class");
    }

    #[test]
    fn a_lease_survives_as_bytes() {
        let options =
            [MASK, HOUR, (3, &[10, 0, 0, 1][..]), (6, &[10, 0, 0, 2]), (15, b"home.arpa"), (54, &[10, 0, 0, 1])];
        let lease = Lease::of(&ack(&options), Time::from_secs(77)).unwrap();
        assert_eq!(Lease::from_bytes(&lease.to_bytes()), Some(lease.clone()));
        assert_eq!((lease.routers.len(), lease.resolver.domain.as_deref()), (1, Some("home.arpa")));
        assert_eq!(Lease::from_bytes(&lease.to_bytes()[..100]), None);
    }
}
