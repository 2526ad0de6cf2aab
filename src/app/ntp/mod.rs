//! NTP: what time it is elsewhere, by RFC 5905's on-wire protocol.
//!
//! ```text
//!   server     T2 ─ T3          offset = ((T2 − T1) + (T3 − T4)) / 2
//!             ╱       ╲         delay  =  (T4 − T1) − (T3 − T2)
//!   client  T1         T4
//! ```
//!
//! All machines of a run have the same virtual time. So that there is something to measure, each of these programs has a
//! [clock](clock) of its own, which is wrong by as much as the scenario says.
//!
//! Left out of RFC 5905: several servers and the choice among them, symmetric and broadcast modes, authentication, and
//! the clock discipline's loop; a clock is stepped or slewed after each measurement.

pub(super) mod client;
mod clock;
pub(super) mod server;

use crate::read::{Field, Form, Need, Table};

use clock::Clock;

pub(super) const OFFSET: Field = Field {
    name: "offset",
    form: Form::Text,
    need: Need::Default("0s"),
    doc: "How wrong its machine's clock is when the run begins: `\"+2.5s\"` is ahead of true time, `\"-300ms\"` behind.",
};

pub(super) const DRIFT: Field = Field {
    name: "drift",
    form: Form::Text,
    need: Need::Default("0ppm"),
    doc: "How much too fast (`\"+50ppm\"`) or too slow (`\"-20ppm\"`) the clock goes; real ones are within 100 ppm.",
};

/// Reads `offset` and `drift`.
fn clock(table: &Table<'_>) -> Option<Clock> {
    let offset = signed(table, "offset", "such as \"+2.5s\" or \"-300ms\"", &|text| {
        let span = crate::units::parse_duration(text).ok()?;
        i64::try_from(span.as_nanos()).ok()
    });
    let drift = signed(table, "drift", "such as \"+50ppm\", at most 100000ppm", &|text| {
        let (whole, rest) =
            text.strip_suffix("ppm")?.trim().split_once('.').unwrap_or((text.strip_suffix("ppm")?.trim(), ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        // In parts per thousand million, of which there are a thousand in one per million.
        let thousandths: i64 = format!("{rest:0<3}").parse().ok()?;
        let whole: i64 = whole.parse().ok()?;
        let is_fine = is_number(rest) && rest.len() <= 3 && whole <= 100_000;
        is_fine.then_some(whole * 1_000 + thousandths)
    });
    Some(Clock::new(offset?, drift?))
}

/// Reads a text with a sign before something else; zero where it is absent.
fn signed(table: &Table<'_>, key: &str, label: &str, read: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
    if !table.has(key) {
        return Some(0);
    }
    let text: String = table.get(key)?;
    let trimmed = text.trim();
    let (sign, rest) = match trimmed.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (-1, rest),
        None => (1, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let value = read(rest.trim()).filter(|_| !rest.starts_with(['+', '-']));
    if value.is_none() {
        table.report(key, format!("`{text}` says nothing about a clock"), label);
    }
    value.map(|value| sign * value)
}
