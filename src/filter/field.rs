//! What a field of a frame is: its name, what its values look like, how to find them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::FIELDS;
use crate::read::nearest;
use crate::wire::View;
use crate::wire::dns::QueryName;

/// Something about a frame that a match expression can name.
pub struct FieldRow {
    /// As in Wireshark's display filters: `tcp.srcport`.
    pub name: &'static str,
    /// What its values look like.
    pub field_type: FieldType,
    /// One sentence, with a full stop.
    pub doc: &'static str,
    /// Finds the field's values in a frame: none, one, or the two of a field such as `ip.addr`.
    pub values: for<'a> fn(&View<'a>) -> Values<'a>,
}

/// What a field's values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A flag: set or not.
    Boolean,
    /// Bytes as they stand.
    Bytes,
    /// A whole number.
    Integer {
        /// The largest that the field can hold.
        max: u64,
    },
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An Ethernet address.
    Mac,
    /// A domain name, in whatever case.
    Name,
    /// A protocol: there or not; as bytes, its header and everything behind it.
    Protocol,
}

/// One value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Set or not.
    Boolean(bool),
    /// Bytes as they stand in the frame.
    Bytes(&'a [u8]),
    /// A whole number.
    Integer(u64),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// An Ethernet address.
    Mac([u8; 6]),
    /// A domain name.
    Name(QueryName<'a>),
}

/// A field's values in one frame: at most four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Values<'a>(pub [Option<Value<'a>>; 4]);

/// All fields that a match expression can name, in alphabetical order.
#[must_use]
pub fn fields() -> &'static [FieldRow] {
    FIELDS
}

impl FieldRow {
    /// The field of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let index = FIELDS.binary_search_by(|field| field.name.cmp(name)).ok()?;
        FIELDS.get(index)
    }

    /// The first part of the name: `tcp`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

impl FieldType {
    /// What it is called, with its article: `a whole number up to 255`.
    #[must_use]
    pub fn described(self) -> String {
        match self {
            Self::Boolean => "a flag".into(),
            Self::Bytes => "bytes".into(),
            Self::Integer { max } => format!("a whole number up to {max}"),
            Self::Ipv4 => "an IPv4 address".into(),
            Self::Ipv6 => "an IPv6 address".into(),
            Self::Mac => "an Ethernet address".into(),
            Self::Name => "a domain name".into(),
            Self::Protocol => "a protocol".into(),
        }
    }

    /// One word for tables: `integer`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Boolean => "flag",
            Self::Bytes => "bytes",
            Self::Integer { .. } => "integer",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Mac => "mac",
            Self::Name => "name",
            Self::Protocol => "protocol",
        }
    }
}

impl Value<'_> {
    /// The value as a number by which values of one field are told apart and ordered; `None` for bytes and names.
    #[must_use]
    pub fn key(&self) -> Option<u128> {
        Some(match self {
            Self::Boolean(set) => u128::from(*set),
            Self::Bytes(_) | Self::Name(_) => return None,
            Self::Integer(number) => u128::from(*number),
            Self::Ipv4(address) => u128::from(address.to_bits()),
            Self::Ipv6(address) => address.to_bits(),
            Self::Mac([a, b, c, d, e, f]) => u128::from(u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f])),
        })
    }
}

impl<'a> Values<'a> {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.0.into_iter().flatten()
    }
}

impl fmt::Debug for FieldRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for FieldRow {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for FieldRow {}

/// The known field that a mistyped name most probably means: the nearest in spelling, or the same last part
/// (`ip.sport` has none, `tcp.mss_val` is `tcp.options.mss_val`).
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let names = || FIELDS.iter().map(|field| field.name);
    let by_last_part = || {
        let (protocol, last) = name.split_once('.')?;
        names().find(|known| {
            known.split_once('.').is_some_and(|(known_protocol, rest)| {
                known_protocol == protocol && rest.rsplit('.').next() == last.rsplit('.').next()
            })
        })
    };
    nearest(name, names()).or_else(by_last_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name_only() {
        assert_eq!(FieldRow::find("tcp.srcport").map(|field| field.name), Some("tcp.srcport"));
        assert_eq!(FieldRow::find("tcp.src"), None);
        assert_eq!(FieldRow::find(""), None);
    }

    #[test]
    fn a_mistyped_name_finds_what_was_meant() {
        assert_eq!(suggestion("tcp.dstprt"), Some("tcp.dstport"));
        assert_eq!(suggestion("tcp.mss_val"), Some("tcp.options.mss_val"));
        assert_eq!(suggestion("zebra"), None);
    }
}
