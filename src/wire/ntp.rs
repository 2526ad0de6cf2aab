//! Messages of the Network Time Protocol, version 4 (RFC 5905 §7.3): 48 bytes, the same form both ways.
//!
//! ```text
//! | LI 2 bits, version 3, mode 3 | stratum 1 | poll 1 | precision 1 |
//! | root delay 4 | root dispersion 4 | reference id 4              |
//! | reference timestamp 8 | origin 8 | receive 8 | transmit 8       |
//! ```
//!
//! A timestamp counts seconds since 1900 in 32 bits, and in another 32 bits what is left of a second. What stands behind
//! the 48 bytes (extensions, a signature) is neither made nor looked at.

use std::time::Duration;

use super::view::{array, be16, be32, byte};

/// The port of NTP over UDP.
pub const NTP_PORT: u16 = 123;

/// The length of a message without extensions.
pub const NTP_BYTES: usize = 48;

/// How many nanoseconds a second has.
const SECOND: i128 = 1_000_000_000;

/// A moment in NTP's counting: 32 bits of seconds, 32 bits of fraction. It wraps round in the year 2036.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NtpTimestamp(pub u64);

impl NtpTimestamp {
    /// The moment so many nanoseconds after `seconds` of NTP's counting, rounded to the nearest fraction.
    #[must_use]
    pub fn after(seconds: u32, nanoseconds: i128) -> Self {
        let scaled = (nanoseconds << 32).div_euclid(SECOND / 2);
        let fraction = (scaled + 1) >> 1;
        // Eras wrap round (RFC 5905 §6).
        Self((u64::from(seconds) << 32).wrapping_add(fraction as u64))
    }

    /// From `earlier` to this, in nanoseconds, negative if it is the other way round.
    ///
    /// The difference in twos complement (RFC 5905 §6), which is right for moments within 68 years of each other.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        let difference = i128::from(self.0.wrapping_sub(earlier.0) as i64);
        let nanoseconds = (difference * SECOND + (1 << 31)) >> 32;
        i64::try_from(nanoseconds).expect("68 years in nanoseconds fit into 63 bits")
    }

    /// Whether it says that no time is known.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whole seconds of NTP's counting, and nanoseconds.
    #[must_use]
    pub fn parts(self) -> (u32, u32) {
        let nanoseconds = ((self.0 & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32;
        ((self.0 >> 32) as u32, u32::try_from(nanoseconds).unwrap_or(999_999_999).min(999_999_999))
    }
}

/// Who speaks how (RFC 5905 figure 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NtpMode {
    /// Peers.
    Symmetric,
    /// Somebody who asks.
    Client,
    /// Somebody who answers.
    Server,
    /// Somebody who tells everybody.
    Broadcast,
    /// Anything else.
    Other(u8),
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NtpMessage {
    /// Leap indicator: 0 no warning, 1 and 2 a leap second today, 3 the clock is not synchronised.
    pub leap: u8,
    /// The version.
    pub version: u8,
    /// Who speaks.
    pub mode: NtpMode,
    /// How far from a reference clock; 1 has one, 0 is unknown, or a kiss-o'-death.
    pub stratum: u8,
    /// The logarithm of the interval between messages, in seconds.
    pub poll: i8,
    /// The logarithm of the clock's precision, in seconds.
    pub precision: i8,
    /// The round trip to the reference clock, in units of 2⁻¹⁶ s.
    pub root_delay: u32,
    /// How wrong the reference may be, in units of 2⁻¹⁶ s.
    pub root_dispersion: u32,
    /// Stratum 1: the kind of clock. Above: the server's own server. 0: the kiss code.
    pub reference_id: [u8; 4],
    /// When the clock was last set.
    pub reference: NtpTimestamp,
    /// What the client's transmit timestamp was.
    pub origin: NtpTimestamp,
    /// When the request arrived.
    pub receive: NtpTimestamp,
    /// When this message left.
    pub transmit: NtpTimestamp,
}

impl NtpMessage {
    /// Reads a message; `None` for what is too short, or of no version.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < NTP_BYTES {
            return None;
        }
        let first = byte(bytes, 0)?;
        let (leap, version, mode) = (first >> 6, first >> 3 & 7, first & 7);
        if version == 0 {
            return None;
        }
        let timestamp = |at| Some(NtpTimestamp(u64::from(be32(bytes, at)?) << 32 | u64::from(be32(bytes, at + 4)?)));
        Some(Self {
            leap,
            version,
            mode: match mode {
                1 | 2 => NtpMode::Symmetric,
                3 => NtpMode::Client,
                4 => NtpMode::Server,
                5 => NtpMode::Broadcast,
                other => NtpMode::Other(other),
            },
            stratum: byte(bytes, 1)?,
            poll: byte(bytes, 2)? as i8,
            precision: byte(bytes, 3)? as i8,
            root_delay: be32(bytes, 4)?,
            root_dispersion: be32(bytes, 8)?,
            reference_id: array(bytes, 12)?,
            reference: timestamp(16)?,
            origin: timestamp(24)?,
            receive: timestamp(32)?,
            transmit: timestamp(40)?,
        })
    }

    /// The bytes of the message.
    #[must_use]
    pub fn bytes(&self) -> [u8; NTP_BYTES] {
        let mode = match self.mode {
            NtpMode::Symmetric => 1,
            NtpMode::Client => 3,
            NtpMode::Server => 4,
            NtpMode::Broadcast => 5,
            NtpMode::Other(other) => other & 7,
        };
        let mut bytes = [0; NTP_BYTES];
        bytes[0] = self.leap << 6 | (self.version & 7) << 3 | mode;
        bytes[1..4].copy_from_slice(&[self.stratum, self.poll as u8, self.precision as u8]);
        bytes[4..8].copy_from_slice(&self.root_delay.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.root_dispersion.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reference_id);
        let timestamps = [self.reference, self.origin, self.receive, self.transmit];
        for (place, timestamp) in bytes[16..].chunks_exact_mut(8).zip(timestamps) {
            place.copy_from_slice(&timestamp.0.to_be_bytes());
        }
        bytes
    }

    /// The kiss code, if this is a kiss-o'-death.
    ///
    /// RFC 5905 §7.4: "If the Stratum field is 0, which implies unspecified or invalid, the Reference Identifier field
    /// can be used to convey messages useful for status reporting and access control. These are called Kiss-o'-Death
    /// (KoD) packets".
    #[must_use]
    pub fn kiss(&self) -> Option<String> {
        let is_code = self.reference_id.iter().all(u8::is_ascii_graphic);
        let is_kiss = self.stratum == 0 && self.mode == NtpMode::Server && is_code;
        is_kiss.then(|| String::from_utf8_lossy(&self.reference_id).into_owned())
    }
}

/// A span of time in NTP's short format, 16 bits of seconds and 16 of fraction, rounded up.
#[must_use]
pub fn ntp_short(span: Duration) -> u32 {
    let units = (span.as_nanos() << 16).div_ceil(SECOND.unsigned_abs());
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// The message in a UDP datagram, if it is one of NTP.
pub(crate) fn of_datagram(udp: &[u8]) -> Option<NtpMessage> {
    let (source, destination) = (be16(udp, 0)?, be16(udp, 2)?);
    let is_ntp = source == NTP_PORT || destination == NTP_PORT;
    let end = usize::from(be16(udp, 4)?).min(udp.len());
    is_ntp.then(|| NtpMessage::parse(udp.get(8..end)?))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_moment_is_rounded_to_the_nearest_fraction_and_back() {
        assert_eq!(NtpTimestamp::after(7, 500_000_000), NtpTimestamp(7 << 32 | 1 << 31));
        assert_eq!(NtpTimestamp::after(7, -1_000_000_000), NtpTimestamp(6 << 32));
        assert_eq!(NtpTimestamp::after(7, 1).since(NtpTimestamp::after(7, 0)), 1);
        assert_eq!(NtpTimestamp::after(7, 0).since(NtpTimestamp::after(7, 1)), -1);
        assert_eq!(NtpTimestamp::after(9, 123_456_789).parts(), (9, 123_456_789));
    }

    #[test]
    fn the_turn_of_the_era_does_no_harm() {
        let before = NtpTimestamp::after(u32::MAX, 999_000_000);
        let after = NtpTimestamp::after(u32::MAX, 1_001_000_000);
        assert_eq!(after.parts().0, 0);
        assert_eq!(after.since(before), 2_000_000);
    }

    #[test]
    fn a_kiss_has_stratum_0_and_letters() {
        let mut bytes = [0; NTP_BYTES];
        bytes[0] = 4 << 3 | 4;
        bytes[12..16].copy_from_slice(b"RATE");
        assert_eq!(NtpMessage::parse(&bytes).unwrap().kiss().as_deref(), Some("RATE"));
        bytes[1] = 1;
        assert_eq!(NtpMessage::parse(&bytes).unwrap().kiss(), None);
    }

    #[test]
    fn short_spans_are_rounded_up() {
        assert_eq!(ntp_short(Duration::from_millis(500)), 1 << 15);
        assert_eq!(ntp_short(Duration::from_nanos(1)), 1);
        assert_eq!(ntp_short(Duration::MAX), u32::MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn whatever_can_be_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(message) = NtpMessage::parse(&bytes) {
                let again = NtpMessage::parse(&message.bytes()).unwrap();
                prop_assert_eq!(again, message);
            }
        }

        #[test]
        fn nanoseconds_survive(seconds in any::<u32>(), one in -10_000_000_000_i64..10_000_000_000, other in any::<i32>()) {
            let (first, second) = (NtpTimestamp::after(seconds, one.into()), NtpTimestamp::after(seconds, other.into()));
            prop_assert_eq!(second.since(first), i64::from(other) - one);
        }
    }
}
