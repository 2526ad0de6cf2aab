//! The values that one path of a scenario takes in turn: `links.wan.loss=0%..5%:1%`.
//!
//! ```text
//! PATH=VALUE,VALUE,…      these values
//! PATH=FIRST..LAST:STEP   from the first to the last, both included, in steps
//! ```
//!
//! The steps are counted in decimal, so that `0%..1%:0.1%` has eleven values and the fourth is `0.3%`, not a
//! neighbor of it.

use std::fmt;

/// How many values one path may take.
pub const VALUES_MAX: usize = 100_000;

/// How many digits behind the point a number of a range may have.
const DIGITS_MAX: usize = 9;

/// One path and the values that it takes in turn, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Which value of the scenario, as for `--set`.
    pub path: String,
    /// At least one.
    pub values: Vec<String>,
}

/// Why something is no axis: one line for a person, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {problem}: {hint}")]
pub struct AxisError {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub hint: String,
}

impl Axis {
    /// Reads `PATH=VALUES`.
    ///
    /// # Errors
    ///
    /// When there is no path or no value, or a range cannot be counted through.
    ///
    /// ```
    /// use hopwise::sweep::Axis;
    ///
    /// let axis = Axis::read("links.wan.delay=10ms..30ms:10ms")?;
    /// assert_eq!(axis.values, ["10ms", "20ms", "30ms"]);
    /// # Ok::<(), hopwise::sweep::AxisError>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, AxisError> {
        let wrong = |problem: &str, hint: &str| AxisError {
            text: text.to_owned(),
            problem: problem.to_owned(),
            hint: hint.to_owned(),
        };
        let example = "such as `links.wan.loss=0%..5%:1%` or `nodes.client.ttl=1,2,64`";
        let Some((path, values)) = text.split_once('=') else { return Err(wrong("says no values", example)) };
        let (path, values) = (path.trim(), values.trim());
        if path.is_empty() || values.is_empty() {
            return Err(wrong("lacks a path or values", example));
        }
        let values = match values.split_once("..") {
            Some((first, rest)) => {
                let Some((last, step)) = rest.rsplit_once(':') else {
                    return Err(wrong("does not say in which steps", "a range is FIRST..LAST:STEP"));
                };
                range([first, last, step].map(str::trim)).map_err(|(problem, hint)| wrong(&problem, hint))?
            }
            None => values.split(',').map(|value| value.trim().to_owned()).collect(),
        };
        if values.iter().any(String::is_empty) {
            return Err(wrong("has an empty value", example));
        }
        if values.len() > VALUES_MAX {
            return Err(wrong("has too many values", "at most 100000"));
        }
        Ok(Self { path: path.to_owned(), values })
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.values.join(","))
    }
}

/// A decimal number, as so many units of its last digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal {
    units: i128,
    digits: usize,
}

impl Decimal {
    /// The number at the beginning of `text`, and what stands behind it.
    fn read(text: &str) -> Option<(Self, &str)> {
        let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == '-' || c == '_';
        let (number, unit) = text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()));
        let number = number.replace('_', "");
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        if fraction.len() > DIGITS_MAX || whole.len() > 20 || fraction.contains(['.', '-']) {
            return None;
        }
        let units = format!("{whole}{fraction}").parse().ok()?;
        Some((Self { units, digits: fraction.len() }, unit))
    }

    /// The same number, as units of a further digit.
    fn at(self, digits: usize) -> i128 {
        let mut units = self.units;
        for _ in self.digits..digits {
            units *= 10;
        }
        units
    }
}

/// Every value from the first to the last, both included.
fn range(bounds: [&str; 3]) -> Result<Vec<String>, (String, &'static str)> {
    let form = "FIRST..LAST:STEP are numbers with the same unit, as `10ms..50ms:10ms`";
    let mut numbers = Vec::new();
    let mut units: Vec<&str> = Vec::new();
    for bound in bounds {
        let Some((number, unit)) = Decimal::read(bound) else {
            return Err((format!("counts through `{bound}`, which is no number"), form));
        };
        numbers.push(number);
        units.push(unit);
    }
    let unit = units[1];
    // A zero needs no unit.
    let is_zero = |index: usize| numbers[index].units == 0 && units[index].is_empty();
    if (0..3).any(|index| units[index] != unit && !is_zero(index)) {
        return Err(("mixes units".to_owned(), form));
    }
    let digits = numbers.iter().map(|number| number.digits).max().unwrap_or(0);
    let [first, last, step] = [0, 1, 2].map(|index| numbers[index].at(digits));
    if step == 0 || (last - first).signum() * step.signum() < 0 {
        return Err(("never comes to its end".to_owned(), "the step leads from the first to the last"));
    }
    let count = usize::try_from((last - first) / step).unwrap_or(usize::MAX);
    if count >= VALUES_MAX {
        return Err(("has too many values".to_owned(), "at most 100000"));
    }
    let values = (0..=count as i128).map(|turn| spell(first + turn * step, digits) + unit);
    Ok(values.collect())
}

/// A number of units of the last of so many digits behind the point, without zeros at its end.
fn spell(units: i128, digits: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let scale = 10_i128.pow(digits as u32);
    let (whole, fraction) = (units.abs() / scale, units.abs() % scale);
    let fraction = format!("{fraction:0digits$}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<String> {
        Axis::read(text).unwrap().values
    }

    #[test]
    fn a_range_is_counted_in_decimal_and_has_both_its_ends() {
        assert_eq!(values("a=0%..5%:1%"), ["0%", "1%", "2%", "3%", "4%", "5%"]);
        assert_eq!(values("a=0..1:0.1")[3], "0.3");
        assert_eq!(values("a=0..1:0.1").len(), 11);
        assert_eq!(values("a=30ms..10ms:-10ms"), ["30ms", "20ms", "10ms"]);
        assert_eq!(values("a=1Mbit..4Mbit:2Mbit"), ["1Mbit", "3Mbit"]);
        assert_eq!(values("a=-1..1:1"), ["-1", "0", "1"]);
        assert_eq!(values("a=7..7:1"), ["7"]);
    }

    #[test]
    fn a_list_is_taken_as_it_stands() {
        assert_eq!(values("nodes.a.tcp.congestion = reno, cubic"), ["reno", "cubic"]);
    }

    #[test]
    fn what_is_no_axis_says_why() {
        for (text, problem) in [
            ("links.wan.loss", "says no values"),
            ("=1,2", "lacks a path"),
            ("a=", "lacks a path or values"),
            ("a=1,,2", "has an empty value"),
            ("a=1..5", "in which steps"),
            ("a=1..x:1", "`x`, which is no number"),
            ("a=1ms..5s:1ms", "mixes units"),
            ("a=1..5:0", "never comes to its end"),
            ("a=1..5:-1", "never comes to its end"),
            ("a=0..1000000:1", "too many values"),
            ("a=0..1:0.0000000001", "which is no number"),
        ] {
            let error = Axis::read(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a=0-9.:,%_-]{0,24}") {
            let _ = Axis::read(&text);
        }

        #[test]
        fn every_value_of_a_range_is_one_step_from_the_one_before(first in -500_i64..500, step in 1_i64..50, count in 0_usize..40) {
            let last = first + step * count as i64;
            let texts = values(&format!("a={first}..{last}:{step}"));
            let numbers: Vec<i64> = texts.iter().map(|text| text.parse().unwrap()).collect();
            prop_assert_eq!(numbers.len(), count + 1);
            prop_assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] == step));
        }
    }
}
