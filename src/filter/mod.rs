//! Two small languages about frames.
//!
//! A **match expression** ([`Filter`]) says which frames are meant, in the names of Wireshark's display filters:
//!
//! ```text
//! tcp.syn && !tcp.ack
//! ip.src == 10.0.0.0/8 && udp.port in {53, 1000..2000}
//! icmp.type == 11 || frame contains "GET /"
//! ```
//!
//! Faults, expectations and trace filters all use it. [`fields`] lists what it can name.
//!
//! A **packet expression** ([`PacketExpression`]) says what a frame should be:
//!
//! ```text
//! ip(dst=10.0.2.80, ttl=1) / udp(sport=4000, dport=33434) / "probe"
//! ```
//!
//! Injections use it. [`layers`] lists what it can name.

mod error;
mod expression;
mod field;
mod fields;
mod lexer;
mod packet;
mod parser;

pub use error::ExpressionError;
pub use field::{FieldRow, FieldType, Value, Values, fields};
pub use packet::{KeyForm, KeyRow, LayerRow, PacketDefaults, PacketExpression, layers};

use std::fmt;
use std::str::FromStr;

use self::expression::Expression;
use crate::read::{Item, Read};
use crate::wire::{Frame, View};

/// Which frames are meant: a parsed match expression.
///
/// Prints as an expression that reads back as the same filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    expression: Expression,
}

impl Filter {
    /// All frames are meant.
    #[must_use]
    pub fn all() -> Self {
        Self::parse("frame").expect("`frame` is a field")
    }

    /// Reads a match expression.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place in the text.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        parser::parse(text).map(|expression| Self { expression })
    }

    /// Whether the frame is meant. Allocates nothing; a field that a frame cut short does not reach to is absent.
    #[must_use]
    pub fn matches(&self, frame: &Frame) -> bool {
        self.matches_view(&View::of(frame))
    }

    /// Whether the frame is meant that has been taken apart already.
    #[must_use]
    pub fn matches_view(&self, view: &View<'_>) -> bool {
        self.expression.matches(view)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl FromStr for Filter {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        Self::parse(text)
    }
}

impl<'d> Read<'d> for Filter {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("a match expression in quotes")?;
        Self::parse(text).map_err(|error| error.report_in(item)).ok()
    }
}

#[cfg(test)]
mod tests;
