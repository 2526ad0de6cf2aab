//! Outcomes and counters: what programs report and expectations read.

use crate::units::format_duration;
use std::fmt;
use std::time::Duration;

/// One reported value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Yes or no.
    Boolean(bool),
    /// A span of time.
    Duration(Duration),
    /// A ratio or mean.
    Float(f64),
    /// A count.
    Integer(i64),
    /// Several values, in order.
    List(Vec<Self>),
    /// Words.
    Text(String),
}

/// How many characters of a value are printed where there is no room for all.
const BRIEF_CHARS: usize = 240;

impl Value {
    /// The value as it is printed where others stand beside it: of a long text the beginning, of a long list the first
    /// elements and how many more there are.
    #[must_use]
    pub fn brief(&self) -> String {
        let whole = self.to_string();
        if whole.chars().count() <= BRIEF_CHARS {
            return whole;
        }
        let Self::List(values) = self else {
            let beginning: String = whole.chars().take(BRIEF_CHARS).collect();
            return format!("{beginning}…");
        };
        let mut text = "[".to_owned();
        for (index, value) in values.iter().enumerate() {
            let element = value.brief();
            if index > 0 && text.chars().count() + element.chars().count() > BRIEF_CHARS {
                return format!("{text}… {} more]", values.len() - index);
            }
            text = format!("{text}{element}{}", if index + 1 < values.len() { ", " } else { "" });
        }
        text + "]"
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Duration(value) => f.write_str(&format_duration(*value)),
            Self::Float(value) => write!(f, "{value:.3}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str("]")
            }
            // One line, whatever it says.
            Self::Text(value) => write!(f, "\"{}\"", value.replace('\n', "\\n")),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::Duration(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<u64> for Value {
    /// Saturates at the largest signed 64-bit number.
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    /// Saturates at the largest signed 64-bit number.
    fn from(value: usize) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_printed_whole_and_what_is_long_says_how_much_more_there_is() {
        assert_eq!(Value::from("x".repeat(200)).brief().len(), 202);
        let long = Value::from("x".repeat(500)).brief();
        assert_eq!(long.chars().count(), BRIEF_CHARS + 1);
        assert!(long.ends_with('…'));
        let list = |count| Value::List(vec![Value::from("x".repeat(98)); count]);
        assert_eq!(list(2).brief(), list(2).to_string());
        assert!(list(9).brief().ends_with("x\", … 7 more]"), "{}", list(9).brief());
    }
}
