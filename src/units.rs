//! Quantities as people write them: `10Mbit`, `1500B`, `20ms`, `0.1%`.
//!
//! Each parses from what a scenario says and prints back in the same form, so that outputs and error messages never
//! show a bare number. A number without its unit is refused with a hint. Times are plain [`Duration`]s; their reading
//! and printing are the functions [`parse_duration`] and [`format_duration`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a quantity could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// What is wrong, one phrase.
    pub message: String,
    /// What would be right: an example of the same quantity.
    pub hint: String,
}

impl UnitError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// Bits per second.
///
/// Typical values: a modem 56kbit, a home uplink 10Mbit, Ethernet 1Gbit. Never zero; a link without a rate sends
/// in no time at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// `bits` per second; `None` for zero.
    #[must_use]
    pub fn from_bits_per_second(bits: u64) -> Option<Self> {
        (bits > 0).then_some(Self(bits))
    }

    /// Bits per second.
    #[must_use]
    pub fn bits_per_second(self) -> u64 {
        self.0
    }

    /// How long `bytes` take to be clocked out, rounded up to the nanosecond.
    #[must_use]
    pub fn time_for(self, bytes: usize) -> Duration {
        // Up to 2 GB a 64-bit division is enough, which is several times faster.
        if let Some(bit_nanoseconds) = (bytes as u64).checked_mul(8 * 1_000_000_000) {
            return Duration::from_nanos(bit_nanoseconds.div_ceil(self.0));
        }
        let bit_nanoseconds = bytes as u128 * 8 * 1_000_000_000;
        let nanoseconds = bit_nanoseconds.div_ceil(u128::from(self.0));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

const RATE_UNITS: [(&str, u64); 8] = [
    ("bit", 1),
    ("kbit", 1_000),
    ("Mbit", 1_000_000),
    ("Gbit", 1_000_000_000),
    ("bps", 1),
    ("kbps", 1_000),
    ("Mbps", 1_000_000),
    ("Gbps", 1_000_000_000),
];

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let hint = "a rate is a number and a unit: \"56kbit\", \"10Mbit\", \"1Gbit\"";
        let bits = scaled(text, &RATE_UNITS, "rate", hint)?;
        Self::from_bits_per_second(bits)
            .ok_or_else(|| UnitError::new("a rate of zero would never send", "leave `rate` out for a link without one"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            bits if bits % 1_000_000_000 == 0 => (1_000_000_000, "Gbit"),
            bits if bits % 1_000_000 == 0 => (1_000_000, "Mbit"),
            bits if bits % 1_000 == 0 => (1_000, "kbit"),
            _ => (1, "bit"),
        };
        write!(f, "{}{unit}", self.0 / scale)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(u64);

impl Size {
    /// `bytes` bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("bytes", 1),
];

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let hint = "a size is a number and a unit: \"1400B\", \"64KiB\", \"10MB\"";
        scaled(text, &SIZE_UNITS, "size", hint).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            0 => (1, "B"),
            bytes if bytes % (1 << 30) == 0 => (1 << 30, "GiB"),
            bytes if bytes % (1 << 20) == 0 => (1 << 20, "MiB"),
            bytes if bytes % (1 << 10) == 0 => (1 << 10, "KiB"),
            _ => (1, "B"),
        };
        write!(f, "{}{unit}", self.0 / scale)
    }
}

/// A probability, held as an exact fraction.
///
/// Written `1%`, `0.1%` or `1/1000`, so that 1.0 is never mistaken for one percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    numerator: u64,
    denominator: u64,
}

impl Chance {
    /// It never happens.
    pub const NEVER: Self = Self { numerator: 0, denominator: 1 };
    /// It always happens.
    pub const ALWAYS: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator` in `denominator`; `None` if that is more than one or the denominator is zero.
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        (denominator > 0 && numerator <= denominator).then(|| {
            let divisor = greatest_common_divisor(numerator, denominator);
            Self { numerator: numerator / divisor, denominator: denominator / divisor }
        })
    }

    /// The fraction's upper number, in lowest terms.
    #[must_use]
    pub fn numerator(self) -> u64 {
        self.numerator
    }

    /// The fraction's lower number, in lowest terms.
    #[must_use]
    pub fn denominator(self) -> u64 {
        self.denominator
    }

    /// The nearest float, for statistics; decisions are made on the fraction.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl FromStr for Chance {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let hint = "a chance is a percentage or a fraction: \"1%\", \"0.1%\", \"1/1000\"";
        let out_of_range =
            || UnitError::new(format!("`{text}` is more than certain"), "a chance lies between 0% and 100%");
        if let Some((numerator, denominator)) = text.split_once('/') {
            let (Ok(numerator), Ok(denominator)) = (numerator.trim().parse(), denominator.trim().parse()) else {
                return Err(UnitError::new(format!("`{text}` is not a chance"), hint));
            };
            return Self::new(numerator, denominator).ok_or_else(out_of_range);
        }
        let Some(percent) = text.strip_suffix('%') else {
            return Err(UnitError::new(format!("`{text}` is not a chance"), hint));
        };
        let (value, decimals) =
            decimal(percent.trim()).ok_or_else(|| UnitError::new(format!("`{text}` is not a chance"), hint))?;
        // "0.25" is (25, 2): 25 / 10^2 percent = 25 / (100 * 10^2).
        let denominator = 10_u64
            .checked_pow(decimals + 2)
            .ok_or_else(|| UnitError::new(format!("`{text}` has too many decimals"), "at most 17 decimals are kept"))?;
        Self::new(value, denominator).ok_or_else(out_of_range)
    }
}

impl fmt::Display for Chance {
    /// A percentage where that is exact within six decimals, otherwise the fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scaled = u128::from(self.numerator) * 100_000_000;
        if scaled % u128::from(self.denominator) != 0 {
            return write!(f, "{}/{}", self.numerator, self.denominator);
        }
        let millionths = scaled / u128::from(self.denominator);
        let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
        if rest == 0 {
            write!(f, "{whole}%")
        } else {
            write!(f, "{whole}.{}%", format!("{rest:06}").trim_end_matches('0'))
        }
    }
}

const DURATION_UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a span of time: `20ms`, `1.5s`, `2min`.
///
/// # Errors
///
/// When the number or the unit is missing or unknown, or when the span exceeds 584 years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let hint = "a time is a number and a unit: \"20ms\", \"1.5s\", \"2min\"";
    scaled(text, &DURATION_UNITS, "time", hint).map(Duration::from_nanos)
}

/// Prints a span of time, exactly, in the largest unit of which it has at least one: `20ms`, `1.1211968s`, `0s`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let units = [("s", 1_000_000_000_u128, 9), ("ms", 1_000_000, 6), ("us", 1_000, 3), ("ns", 1, 0)];
    let Some((unit, scale, digits)) = units.into_iter().find(|(_, scale, _)| nanoseconds >= *scale) else {
        return "0s".into();
    };
    let (whole, rest) = (nanoseconds / scale, nanoseconds % scale);
    if rest == 0 {
        return format!("{whole}{unit}");
    }
    let decimals = format!("{rest:0digits$}");
    format!("{whole}.{}{unit}", decimals.trim_end_matches('0'))
}

/// `"1.5s"` in a table of units: the whole number of smallest units, or what is wrong.
fn scaled(text: &str, units: &[(&str, u64)], what: &str, hint: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim());
    let not_one = || UnitError::new(format!("`{text}` is not a {what}"), hint);
    let (value, decimals) = decimal(number).ok_or_else(not_one)?;
    if unit.is_empty() {
        return Err(UnitError::new(format!("`{text}` has no unit"), hint));
    }
    let exact = units.iter().find(|(name, _)| *name == unit);
    let Some((_, scale)) = exact.or_else(|| units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))) else {
        let known: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        return Err(UnitError::new(
            format!("`{unit}` is not a unit of {what}"),
            format!("known: {}", known.join(", ")),
        ));
    };
    let too_large = || UnitError::new(format!("`{text}` is too large"), hint);
    let divisor = 10_u128.checked_pow(decimals).ok_or_else(too_large)?;
    u64::try_from(u128::from(value) * u128::from(*scale) / divisor).map_err(|_| too_large())
}

/// `"0.25"` as (25, 2): the digits, and how many stand behind the point.
fn decimal(text: &str) -> Option<(u64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, fraction].concat();
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| Some((digits.parse().ok()?, u32::try_from(fraction.len()).ok()?))).flatten()
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_print_as_they_are_written() {
        for text in ["56kbit", "10Mbit", "1Gbit", "7bit"] {
            assert_eq!(text.parse::<Rate>().map(|rate| rate.to_string()).as_deref(), Ok(text));
        }
        for text in ["1400B", "64KiB", "0B"] {
            assert_eq!(text.parse::<Size>().map(|size| size.to_string()).as_deref(), Ok(text));
        }
        for text in ["1%", "0.1%", "1/3", "100%", "0%", "0.25%"] {
            assert_eq!(text.parse::<Chance>().map(|chance| chance.to_string()).as_deref(), Ok(text));
        }
        for text in ["20ms", "1.5s", "0s", "1ns", "12.5us", "1.1211968s", "1.000000001s"] {
            assert_eq!(parse_duration(text).map(format_duration).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_bare_number_is_refused_with_an_example() {
        let error = parse_duration("20").unwrap_err();
        assert_eq!(error.message, "`20` has no unit");
        assert!(error.hint.contains("\"20ms\""));
        assert!("100".parse::<Rate>().is_err());
        assert!("0.5".parse::<Chance>().is_err());
    }

    #[test]
    fn an_unknown_unit_lists_the_known_ones() {
        assert_eq!(parse_duration("2 fortnights").unwrap_err().hint, "known: ns, us, ms, s, min, h");
    }

    #[test]
    fn more_than_certain_is_refused() {
        assert!("101%".parse::<Chance>().is_err());
        assert!("2/1".parse::<Chance>().is_err());
        assert!("1/0".parse::<Chance>().is_err());
    }

    #[test]
    fn clocking_out_rounds_up_to_the_nanosecond() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        // 1514 B * 8 / 10 Mbit/s = 1.2112 ms
        assert_eq!(rate("10Mbit").time_for(1514), Duration::from_nanos(1_211_200));
        // 1 B * 8 / 3 bit/s = 2.666… s
        assert_eq!(rate("3bit").time_for(1), Duration::from_nanos(2_666_666_667));
    }

    #[test]
    fn nonsense_never_panics() {
        for text in [
            "",
            ".",
            "..s",
            "1.2.3s",
            "99999999999999999999s",
            "18446744073709551615h",
            "é",
            "1e3s",
            "-1s",
            "1/",
            "/1",
            "%",
        ] {
            let _ = (parse_duration(text), text.parse::<Rate>(), text.parse::<Size>(), text.parse::<Chance>());
        }
    }
}
