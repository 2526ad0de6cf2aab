//! What a certificate says, as `curl -v` prints it.
//!
//! ```text
//!  SEQUENCE { SEQUENCE { [0] version, serial, algorithm, issuer, SEQUENCE { from, until }, subject, key, … }, … }
//! ```
//!
//! Only looked at, never judged: whether it is good is rustls's business. What cannot be read is left out.

use crate::app::calendar::Moment;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// ` subject: CN=server`, ` start date: …`, ` expire date: …`, ` issuer: …`.
pub(super) fn describe(certificate: &[u8]) -> Vec<String> {
    read(certificate).unwrap_or_default()
}

fn read(certificate: &[u8]) -> Option<Vec<String>> {
    let mut outer = Reader(certificate).enter(SEQUENCE)?;
    let mut body = outer.enter(SEQUENCE)?;
    if body.peek() == Some(VERSION) {
        body.next()?;
    }
    let (_serial, _algorithm) = (body.next()?, body.next()?);
    let issuer = common_name(body.enter(SEQUENCE)?);
    let mut validity = body.enter(SEQUENCE)?;
    let (from, until) = (moment(validity.next()?), moment(validity.next()?));
    let subject = common_name(body.enter(SEQUENCE)?);
    let date = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    let lines = [
        ("subject: CN=", subject),
        ("start date: ", date(from)),
        ("expire date: ", date(until)),
        ("issuer: CN=", issuer),
    ];
    Some(lines.into_iter().filter_map(|(what, value)| Some(format!("{what}{}", value?))).collect())
}

/// The common name of a distinguished name: a sequence of sets of sequences of a kind and a value.
fn common_name(mut name: Reader<'_>) -> Option<String> {
    while let Some(mut set) = name.enter(SET) {
        let mut pair = set.enter(SEQUENCE)?;
        let (_, kind) = pair.next()?;
        let (_, value) = pair.next()?;
        if kind == COMMON_NAME {
            let text = String::from_utf8_lossy(value);
            return Some(text.chars().filter(|letter| !letter.is_control()).take(64).collect());
        }
    }
    None
}

/// RFC 5280 §4.1.2.5: `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` from then on.
fn moment((tag, value): (u8, &[u8])) -> Option<Moment> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
    let text = match tag {
        // "Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY".
        UTC_TIME => format!("{}{text}", if text.get(..2)? >= "50" { "19" } else { "20" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |at: usize, length: usize| text.get(at..at + length);
    let (date, clock) =
        (format!("{}-{}-{}", part(0, 4)?, part(4, 2)?, part(6, 2)?), [part(8, 2)?, part(10, 2)?, part(12, 2)?]);
    Moment::parse(&format!("{date} {}", clock.join(":")))
}

/// Elements of DER, one after the other.
#[derive(Debug, Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element: its tag and its contents.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, first) = (*self.0.first()?, *self.0.get(1)?);
        let (length, start) = match first {
            0..=0x7f => (usize::from(first), 2),
            // Up to 16 MiB: more than any certificate has.
            0x81..=0x83 => {
                let count = usize::from(first & 0x7f);
                let bytes = self.0.get(2..2 + count)?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + count)
            }
            _ => return None,
        };
        let contents = self.0.get(start..start.checked_add(length)?)?;
        self.0 = &self.0[start + length..];
        Some((tag, contents))
    }

    /// The contents of the next element, which has to be of this kind.
    fn enter(&mut self, tag: u8) -> Option<Self> {
        (self.peek()? == tag).then(|| self.next().map(|(_, contents)| Self(contents)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tls::Authority;
    use proptest::prelude::*;

    #[test]
    fn an_authority_says_who_it_is_and_until_when() {
        assert_eq!(
            describe(&Authority::of_run(1).certificate()),
            [
                "subject: CN=hopwise scenario authority",
                "start date: Jan  1 00:00:00 2020 GMT",
                "expire date: Dec 31 23:59:59 2049 GMT",
                "issuer: CN=hopwise scenario authority",
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            describe(&bytes);
        }

        #[test]
        fn a_damaged_certificate_is_looked_at_all_the_same(at in 0_usize..300, to: u8, end in 0_usize..400) {
            let mut bytes = Authority::of_run(1).certificate().to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.truncate(end);
            describe(&bytes);
        }
    }
}
