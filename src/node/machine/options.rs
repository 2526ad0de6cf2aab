//! IPv4 options: what each machine on the way writes into them, and which it refuses (RFC 791 §3.1, RFC 1812 §5.3.13).
//!
//! ```text
//! record route  |  7 | length | pointer | address, address, …
//! timestamp     | 68 | length | pointer | overflow, flags | time, … or address, time, …
//! ```
//!
//! The pointer counts from the option's first byte, which is number 1, to where the next entry goes. Everything else
//! passes unread, but for source routes: they are refused, as everybody does today (RFC 7126 §4.3, §4.4).

use std::net::Ipv4Addr;

use smoltcp::wire::Ipv4Packet;

use super::header::{HEADER_BYTES, Header, IpOption, options};
use super::icmp::Complaint;
use super::ip::IpLayer;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// The longest list of options: what the header's length field leaves room for.
const OPTIONS_BYTES_MAX: usize = 40;

/// RFC 791: "a right-justified, 32-bit timestamp in milliseconds since midnight UT". A run begins at midnight.
const MILLISECONDS_PER_DAY: u64 = 86_400_000;

/// Who writes into a packet's options.
struct Station<'m> {
    /// RFC 1812 §5.3.13.4: a router that inserts its address "MUST use the IP address of the logical interface on which
    /// the packet is being sent".
    address: Ipv4Addr,
    owns: &'m dyn Fn(Ipv4Addr) -> bool,
    now: Time,
}

impl IpLayer {
    /// Why a packet that came in must not go on because of its options, and what its sender is told.
    pub(super) fn check_options(header: &Header, packet: &[u8]) -> Result<(), (Cause, Complaint)> {
        for option in options(packet, header.length) {
            match option {
                // RFC 1812 §4.3.3.5: "A router MUST generate a Parameter Problem message for any error not specifically
                // covered by another ICMP message."
                Err(pointer) => return Err((Cause::Malformed, Complaint::ParameterProblem { pointer })),
                Ok(option) if matches!(option.kind(), IpOption::LSRR | IpOption::SSRR) => {
                    // RFC 7126 §4.3.5: dropping is the default that it recommends. RFC 792 has a code for saying so.
                    return Err((Cause::Filtered, Complaint::SourceRouteFailed));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Writes this machine into the options of a packet that is here, or leaves from here with `address`. The packet is
    /// given back, unless that fails: then its sender is told.
    pub(super) fn stamp(
        &mut self,
        header: &Header,
        mut packet: Frame,
        address: Ipv4Addr,
        now: Time,
        out: &mut Outbox,
    ) -> Option<Frame> {
        if header.length == HEADER_BYTES {
            return Some(packet);
        }
        let station = Station { address, owns: &|address| self.owns_v4(address), now };
        // What is quoted to the sender, should this fail, is the packet as it was: so a copy of the header is written to.
        let mut stamped = [0; HEADER_BYTES + OPTIONS_BYTES_MAX];
        let stamped = &mut stamped[..header.length];
        stamped.copy_from_slice(&packet.bytes()[..header.length]);
        match station.write_all(stamped) {
            Ok(false) => Some(packet),
            Ok(true) => {
                packet.bytes_mut()[..header.length].copy_from_slice(stamped);
                Ipv4Packet::new_unchecked(packet.bytes_mut()).fill_checksum();
                Some(packet)
            }
            Err(pointer) => {
                self.drop_and_tell(packet, Cause::Malformed, Complaint::ParameterProblem { pointer }, now, out);
                None
            }
        }
    }

    /// The same for a packet that this machine is the first to send.
    pub(super) fn stamp_own(&mut self, packet: Frame, now: Time, out: &mut Outbox) -> Option<Frame> {
        match Header::of_own(packet.bytes()) {
            Ok(header) if header.length > HEADER_BYTES => self.stamp(&header, packet, header.source, now, out),
            _ => Some(packet),
        }
    }
}

impl Station<'_> {
    /// Writes into all options of a header; says whether anything was written.
    ///
    /// # Errors
    ///
    /// Where the first option stands that cannot be written to as it says.
    fn write_all(&self, header: &mut [u8]) -> Result<bool, usize> {
        let (mut at, mut has_written) = (HEADER_BYTES, false);
        loop {
            let Some(option) = options_from(header, at).next().transpose()? else { return Ok(has_written) };
            let (start, end) = (option.at, option.at + option.bytes.len());
            let kind = option.kind();
            let option = &mut header[start..end];
            let written = match kind {
                IpOption::RECORD_ROUTE => self.record_route(option),
                IpOption::TIMESTAMP => self.timestamp(option),
                _ => Ok(false),
            };
            has_written |= written.map_err(|within| start + within)?;
            at = end;
        }
    }

    fn record_route(&self, option: &mut [u8]) -> Result<bool, usize> {
        // RFC 791: "The pointer is relative to this option, and the smallest legal value for the pointer is 4."
        let Some(room) = room(option, 4)? else { return Ok(false) };
        // RFC 791: "If there is some room but not enough room for a full address to be inserted, the original datagram is
        // considered to be in error and is discarded."
        let entry = option.get_mut(room..room + 4).ok_or(POINTER)?;
        entry.copy_from_slice(&self.address.octets());
        option[POINTER] += 4;
        Ok(true)
    }

    fn timestamp(&self, option: &mut [u8]) -> Result<bool, usize> {
        const OVERFLOW_AND_FLAGS: usize = 3;
        let flags = option.get(OVERFLOW_AND_FLAGS).ok_or(1_usize)? & 0x0f;
        let Some(room) = room(option, 5)? else {
            // RFC 791: "The Overflow (oflw) [4 bits] is the number of IP modules that cannot register timestamps due to lack of
            // space";
            // if it "itself overflows, the original datagram is considered to be in error".
            option[OVERFLOW_AND_FLAGS] = option[OVERFLOW_AND_FLAGS].checked_add(0x10).ok_or(OVERFLOW_AND_FLAGS)?;
            return Ok(true);
        };
        let time = ((self.now.as_nanos() / 1_000_000 % MILLISECONDS_PER_DAY) as u32).to_be_bytes();
        let entry_bytes = match flags {
            0 => 4,
            1 | 3 => 8,
            _ => return Err(OVERFLOW_AND_FLAGS),
        };
        let entry = option.get_mut(room..room + entry_bytes).ok_or(POINTER)?;
        let (address, place) = entry.split_at_mut(entry_bytes - 4);
        match flags {
            1 => address.copy_from_slice(&self.address.octets()),
            // "the internet address fields are prespecified. An IP module only registers its timestamp if it matches its
            // own address with the next specified internet address."
            3 if !<[u8; 4]>::try_from(&*address).is_ok_and(|address| (self.owns)(address.into())) => return Ok(false),
            _ => {}
        }
        place.copy_from_slice(&time);
        option[POINTER] += entry_bytes as u8;
        Ok(true)
    }
}

/// Where in an option its pointer stands.
const POINTER: usize = 2;

/// Where the next entry goes, counted from the option's start; `None` if it is full.
fn room(option: &[u8], least: u8) -> Result<Option<usize>, usize> {
    let pointer = *option.get(POINTER).ok_or(1_usize)?;
    if pointer < least {
        return Err(POINTER);
    }
    let room = usize::from(pointer) - 1;
    Ok((room < option.len()).then_some(room))
}

/// The options of a whole header from one of them on.
fn options_from(header: &[u8], at: usize) -> impl Iterator<Item = Result<IpOption<'_>, usize>> {
    options(header, header.len()).skip_while(move |option| option.is_ok_and(|option| option.at < at))
}

/// What of a request's options its reply carries: records of routes and times, padded to a multiple of four bytes.
///
/// RFC 1122 §3.2.2.6: "If a Record Route and/or Time Stamp option is received in an ICMP Echo Request, this option (these
/// options) SHOULD be updated to include the current host and included in the IP header of the Echo Reply message".
pub(super) struct Returned {
    bytes: [u8; OPTIONS_BYTES_MAX],
    length: usize,
}

impl Returned {
    pub(super) fn of(packet: &[u8], header: &Header) -> Self {
        let mut returned = Self { bytes: [0; OPTIONS_BYTES_MAX], length: 0 };
        let is_record = |option: &IpOption<'_>| matches!(option.kind(), IpOption::RECORD_ROUTE | IpOption::TIMESTAMP);
        for option in options(packet, header.length).flatten().filter(is_record) {
            returned.bytes[returned.length..returned.length + option.bytes.len()].copy_from_slice(option.bytes);
            returned.length += option.bytes.len();
        }
        returned.length = returned.length.next_multiple_of(4);
        returned
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

    /// The options after this machine has written into them at 1.234 s, or where the mistake is, counted from the first.
    fn stamp(options: &[u8]) -> Result<Vec<u8>, usize> {
        let mut header = [&[0; 20], options].concat();
        let station = Station { address: HERE, owns: &|address| address == HERE, now: Time::from_millis(1234) };
        station.write_all(&mut header).map(|_| header[20..].to_vec()).map_err(|at| at - 20)
    }

    #[test]
    fn an_address_is_recorded_where_there_is_room() {
        assert_eq!(stamp(&[1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), [1, 7, 11, 8, 10, 0, 0, 7, 0, 0, 0, 0]);
        assert_eq!(stamp(&[7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0, 0]).unwrap(), [7, 11, 12, 9, 9, 9, 9, 10, 0, 0, 7, 0]);
        // Full: it stays as it is.
        assert_eq!(stamp(&[7, 7, 8, 9, 9, 9, 9, 0]).unwrap(), [7, 7, 8, 9, 9, 9, 9, 0]);
        // Room for half an address, or a pointer into the option's own head.
        assert_eq!(stamp(&[7, 7, 6, 9, 9, 9, 9, 0]), Err(2));
        assert_eq!(stamp(&[1, 7, 7, 3, 9, 9, 9, 9]), Err(3));
        assert_eq!(stamp(&[7, 2, 0, 0]), Err(1));
    }

    #[test]
    fn a_time_is_recorded_alone_with_an_address_or_only_where_it_is_asked_for() {
        let time = [0, 0, 0x04, 0xd2];
        let stamped = |flags: u8, address: [u8; 4]| {
            let wanted = [&[68, 12, 5, flags][..], &address, &[0; 4]].concat();
            stamp(&wanted).unwrap()
        };
        assert_eq!(stamped(0, [0; 4]), [&[68, 12, 9, 0][..], &time, &[0; 4]].concat());
        assert_eq!(stamped(1, [0; 4]), [&[68, 12, 13, 1][..], &HERE.octets(), &time].concat());
        assert_eq!(stamped(3, HERE.octets()), [&[68, 12, 13, 3][..], &HERE.octets(), &time].concat());
        assert_eq!(stamped(3, [9; 4]), [68, 12, 5, 3, 9, 9, 9, 9, 0, 0, 0, 0]);
        assert_eq!(stamp(&[68, 12, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0]), Err(3));
        assert_eq!(stamp(&[68, 8, 4, 0, 0, 0, 0, 0]), Err(2));
        assert_eq!(stamp(&[68, 10, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Err(2));
        assert_eq!(stamp(&[68, 3, 5, 0]), Err(1));
    }

    #[test]
    fn who_finds_no_room_for_a_time_is_counted_up_to_fifteen() {
        assert_eq!(stamp(&[68, 8, 9, 0xe0, 1, 1, 1, 1]).unwrap(), [68, 8, 9, 0xf0, 1, 1, 1, 1]);
        assert_eq!(stamp(&[68, 8, 9, 0xf0, 1, 1, 1, 1]), Err(3));
    }

    #[test]
    fn days_begin_at_midnight() {
        let mut header = [&[0; 20][..], &[68, 8, 5, 0, 0, 0, 0, 0]].concat();
        let station = Station { address: HERE, owns: &|_| false, now: Time::from_secs(86_401) };
        station.write_all(&mut header).unwrap();
        assert_eq!(header[24..], 1000_u32.to_be_bytes());
    }

    #[test]
    fn several_options_are_all_written_to() {
        let both = [7, 7, 4, 0, 0, 0, 0, 68, 8, 5, 0, 0, 0, 0, 0, 0];
        assert_eq!(stamp(&both).unwrap(), [7, 7, 8, 10, 0, 0, 7, 68, 8, 9, 0, 0, 0, 0x04, 0xd2, 0]);
    }

    #[test]
    fn a_reply_returns_records_and_nothing_else() {
        let mut packet = [&[0x48][..], &[0; 19], &[148, 4, 0, 0, 7, 7, 8, 9, 9, 9, 9, 0]].concat();
        packet[3] = 32;
        let header = Header::of_own(&packet).unwrap();
        assert_eq!(Returned::of(&packet, &header).bytes(), [7, 7, 8, 9, 9, 9, 9, 0]);
    }

    proptest! {
        #[test]
        fn whatever_the_options_nothing_panics_and_lengths_stay(
            words in prop::collection::vec((prop_oneof![Just(7_u8), Just(68), any::<u8>()], 0_u8..16, any::<[u8; 2]>()), 0..10),
        ) {
            let options: Vec<u8> = words.iter().flat_map(|(kind, length, rest)| [*kind, *length, rest[0], rest[1]]).collect();
            if let Ok(stamped) = stamp(&options) {
                prop_assert_eq!(stamped.len(), options.len());
            }
        }
    }
}
