//! What a match expression is once it is understood: a tree that answers for a frame without allocating.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::field::{FieldRow, FieldType, Value};
use super::lexer::{Comparison, write_quoted};
use crate::wire::View;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// All of at least two hold.
    All(Vec<Self>),
    /// Any of at least two holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// One field is looked at.
    Test(Test),
}

/// A question about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) field: &'static FieldRow,
    pub(super) check: Check,
}

/// What is asked of a field. Of a field with two values any may answer, but for `!=`, which both must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// `contains`: these bytes stand somewhere in it.
    Contains(Vec<u8>),
    /// `==` (or `!=`, if `equal` is false) on bytes.
    Exactly { bytes: Vec<u8>, equal: bool },
    /// `in`: in one of these.
    In(Vec<Interval>),
    /// The bare name: a flag is set, anything else is there.
    Present,
    /// A comparison. Where it is one of order, the interval is a single value.
    Relation(Comparison, Interval),
}

/// The values from `low` to `high`, both included, by their [keys](Value::key): a number, an address, a prefix, a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: u128,
    pub(super) high: u128,
}

impl Expression {
    pub(super) fn matches(&self, view: &View<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(view)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(view)),
            Self::Not(part) => !part.matches(view),
            Self::Test(test) => test.matches(view),
        }
    }
}

impl Test {
    fn matches(&self, view: &View<'_>) -> bool {
        let values = (self.field.values)(view);
        let any = |holds: &dyn Fn(Value<'_>) -> bool| values.iter().any(holds);
        // Wireshark: `ip.addr != x` means that no address is x, and that there is one.
        let none = |holds: &dyn Fn(Value<'_>) -> bool| values.iter().next().is_some() && !values.iter().any(holds);
        match &self.check {
            Check::Contains(bytes) => any(&|value| value.contains(bytes)),
            Check::Exactly { bytes, equal: true } => any(&|value| value.is(bytes)),
            Check::Exactly { bytes, equal: false } => none(&|value| value.is(bytes)),
            Check::In(intervals) => any(&|value| intervals.iter().any(|interval| interval.holds(value))),
            Check::Present => any(&|value| value != Value::Boolean(false)),
            Check::Relation(Comparison::Equal, interval) => any(&|value| interval.holds(value)),
            Check::Relation(Comparison::NotEqual, interval) => none(&|value| interval.holds(value)),
            Check::Relation(Comparison::Less, to) => any(&|value| value.key().is_some_and(|key| key < to.low)),
            Check::Relation(Comparison::LessOrEqual, to) => any(&|value| value.key().is_some_and(|key| key <= to.high)),
            Check::Relation(Comparison::Greater, to) => any(&|value| value.key().is_some_and(|key| key > to.high)),
            Check::Relation(Comparison::GreaterOrEqual, to) => {
                any(&|value| value.key().is_some_and(|key| key >= to.low))
            }
        }
    }
}

impl Interval {
    /// One value alone.
    pub(super) fn of(key: u128) -> Self {
        Self { low: key, high: key }
    }

    fn holds(self, value: Value<'_>) -> bool {
        value.key().is_some_and(|key| (self.low..=self.high).contains(&key))
    }

    /// As an expression writes it: `80`, `1000..2000`, `10.0.0.0/8`.
    fn write(self, f: &mut fmt::Formatter<'_>, field_type: FieldType) -> fmt::Result {
        let bits = match field_type {
            FieldType::Ipv4 => 32,
            FieldType::Ipv6 => 128,
            _ => 0,
        };
        write_key(f, self.low, field_type)?;
        // A block of addresses: as many as a power of two, the first one a multiple of it.
        let last = self.high.wrapping_sub(self.low);
        if last == 0 {
            Ok(())
        } else if bits > 0 && last & last.wrapping_add(1) == 0 && self.low & last == 0 {
            write!(f, "/{}", bits - last.count_ones())
        } else {
            f.write_str("..")?;
            write_key(f, self.high, field_type)
        }
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: u128, field_type: FieldType) -> fmt::Result {
    match field_type {
        FieldType::Ipv4 => write!(f, "{}", Ipv4Addr::from_bits(u32::try_from(key).unwrap_or(u32::MAX))),
        FieldType::Ipv6 => write!(f, "{}", Ipv6Addr::from_bits(key)),
        FieldType::Mac => {
            let [.., a, b, c, d, e, g] = key.to_be_bytes();
            write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
        }
        FieldType::Boolean | FieldType::Bytes | FieldType::Integer { .. } | FieldType::Name | FieldType::Protocol => {
            write!(f, "{key}")
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], symbol: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    f.write_str(symbol)?;
                }
                // Only `||` binds weaker than anything that it can stand in.
                if matches!(part, Self::Any(_)) { write!(f, "({part})")? } else { write!(f, "{part}")? }
            }
            Ok(())
        };
        match self {
            Self::All(parts) => joined(f, parts, " && "),
            Self::Any(parts) => joined(f, parts, " || "),
            Self::Not(part) => match &**part {
                Self::Not(_) | Self::Test(Test { check: Check::Present, .. }) => write!(f, "!{part}"),
                _ => write!(f, "!({part})"),
            },
            Self::Test(test) => write!(f, "{test}"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name)?;
        match &self.check {
            Check::Contains(bytes) => {
                f.write_str(" contains ")?;
                write_quoted(f, bytes)
            }
            Check::Exactly { bytes, equal } => {
                f.write_str(if *equal { " == " } else { " != " })?;
                write_quoted(f, bytes)
            }
            Check::In(intervals) => {
                f.write_str(" in {")?;
                for (index, interval) in intervals.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    interval.write(f, self.field.field_type)?;
                }
                f.write_str("}")
            }
            Check::Present => Ok(()),
            Check::Relation(comparison, interval) => {
                write!(f, " {} ", comparison.symbol())?;
                interval.write(f, self.field.field_type)
            }
        }
    }
}

impl Value<'_> {
    fn contains(&self, wanted: &[u8]) -> bool {
        match self {
            // `windows` takes no zero; the parser refuses to look for nothing.
            Value::Bytes(bytes) => !wanted.is_empty() && bytes.windows(wanted.len()).any(|part| part == wanted),
            Value::Name(name) => name.contains(wanted),
            _ => false,
        }
    }

    fn is(&self, wanted: &[u8]) -> bool {
        match self {
            Value::Bytes(bytes) => *bytes == wanted,
            Value::Name(name) => name.is(wanted),
            _ => false,
        }
    }
}
