//! One packet line: what it can say, and how it is spelled.
//!
//! The spelling is packetdrill's where packetdrill has one, so that nothing has to be learned twice. What prints also
//! parses: the lines that were seen can be pasted as the lines to be expected.

use std::fmt;
use std::time::Duration;

use crate::expect::Passage;
use crate::read::Span;
use crate::units::{Chance, format_duration};

use super::shape::Shape;

/// What `~` alone allows: so many tenths of the time that is written …
pub(super) const TOLERANCE_TENTHS: u32 = 1;

/// … and never less than this.
pub(super) const TOLERANCE_LEAST: Duration = Duration::from_millis(1);

/// One expected packet.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) when: When,
    /// `>` is [`Passage::Forth`].
    pub(super) passage: Passage,
    pub(super) shape: Pattern,
    pub(super) fate: Option<Fate>,
    /// Where the fate's name stands in the literal.
    pub(super) fate_span: Span,
}

/// What a line says of the packet itself.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// A match expression in braces; the number is its place among the expressions of all lines.
    Expression { text: String, index: usize },
    /// The packet's shape; what it leaves out is not looked at.
    Shape(Shape),
}

/// When a packet is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub(super) base: Base,
    pub(super) offset: Duration,
    pub(super) tolerance: Tolerance,
}

/// From where an offset counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// `*`: any time will do.
    Any,
    /// `@name`, the first time: any time will do, and it is called by this name from here on.
    Define(String),
    /// `@name+1.0`: the time of the line with that label.
    Label(String),
    /// `+0.04`: the line before; the beginning of the run for the first.
    Previous,
    /// `1.5`: the beginning of the run.
    Start,
}

/// How far off a packet may be, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// `~`: a tenth of the time that is written, at least a millisecond.
    Customary,
    /// Not at all: exact to the nanosecond.
    None,
    /// `~10%` of the time that is written.
    Share(Chance),
    /// `~5ms`.
    Time(Duration),
}

/// What a comment says became of the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// `# delivered`
    Delivered,
    /// `# dropped: name`, where the name is a rule's or a cause's; without one, however it was dropped.
    Dropped(Option<String>),
}

impl When {
    /// How far off the time may be.
    pub(super) fn slack(&self) -> Duration {
        let share = |chance: Chance| {
            let nanoseconds =
                self.offset.as_nanos() * u128::from(chance.numerator()) / u128::from(chance.denominator());
            Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
        };
        match self.tolerance {
            Tolerance::Customary => (self.offset / 10 * TOLERANCE_TENTHS).max(TOLERANCE_LEAST),
            Tolerance::None => Duration::ZERO,
            Tolerance::Share(chance) => share(chance),
            Tolerance::Time(time) => time,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            Base::Any => f.write_str("*"),
            Base::Define(name) => write!(f, "@{name}"),
            Base::Label(name) if self.offset.is_zero() => write!(f, "@{name}"),
            Base::Label(name) => write!(f, "@{name}+{}", seconds(self.offset)),
            Base::Previous => write!(f, "+{}", seconds(self.offset)),
            Base::Start => write!(f, "{}", seconds(self.offset)),
        }?;
        match self.tolerance {
            Tolerance::Customary => f.write_str("~"),
            Tolerance::None => Ok(()),
            Tolerance::Share(chance) => write!(f, "~{chance}"),
            Tolerance::Time(time) => write!(f, "~{}", format_duration(time)),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expression { text, .. } => write!(f, "{{ {text} }}"),
            Self::Shape(shape) => write!(f, "{shape}"),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("# delivered"),
            Self::Dropped(None) => f.write_str("# dropped"),
            Self::Dropped(Some(name)) => write!(f, "# dropped: {name}"),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {} {}", self.when.to_string(), arrow(self.passage), self.shape)?;
        self.fate.as_ref().map_or(Ok(()), |fate| write!(f, "  {fate}"))
    }
}

/// As a line writes the way a packet goes.
pub(super) fn arrow(passage: Passage) -> char {
    match passage {
        Passage::Back => '<',
        Passage::Forth => '>',
    }
}

/// Seconds without a unit, as short as exactness allows: `1`, `0.04`, `0.000001208`.
pub(super) fn seconds(duration: Duration) -> String {
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
