//! Dates: what programs take virtual time for where a protocol wants a calendar.
//!
//! Every run begins at midnight of 1 January 2026, UTC, whatever the clock of the real machine says: a `Date` header and the
//! dates of a certificate are the same in every run. Days are counted in the proleptic Gregorian calendar, without leap
//! seconds, as POSIX does.

use std::fmt;

use crate::read::{Diagnostic, Located, Table};
use crate::time::Time;

/// When a run begins, in seconds since 1970-01-01 00:00:00 UTC: 2026-01-01 00:00:00.
pub(crate) const RUN_BEGINS_UNIX_SECONDS: u64 = 1_767_225_600;

const DAY_SECONDS: i64 = 86_400;

/// What dates may be written: every year that a certificate can say in two ways, and HTTP in one.
const YEARS: std::ops::RangeInclusive<i64> = 1970..=9999;

/// A second of the calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    unix_seconds: i64,
}

/// A moment as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: u8,
    /// From 1.
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    /// From 0, Sunday.
    pub(crate) weekday: usize,
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Moment {
    /// What the calendar shows at a moment of the run, rounded down to a second.
    pub(crate) fn of(time: Time) -> Self {
        let seconds = RUN_BEGINS_UNIX_SECONDS + time.as_nanos() / 1_000_000_000;
        Self { unix_seconds: i64::try_from(seconds).expect("some 584 years after 2026") }
    }

    #[cfg(test)]
    pub(crate) fn from_unix(seconds: i64) -> Self {
        Self { unix_seconds: seconds }
    }

    /// Reads `2026-01-31`, which is its midnight, or `2026-01-31 12:30:00`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
        let mut parts = date.split('-').map(|part| number(part, if part.len() == 4 { 4 } else { 2 }));
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let mut clock = time.strip_suffix('Z').unwrap_or(time).split(':').map(|part| number(part, 2));
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
        let is_whole = parts.next().is_none() && clock.next().is_none();
        let is_right = YEARS.contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        let seconds = hour * 3600 + minute * 60 + second;
        (is_whole && is_right).then(|| Self { unix_seconds: days_from_civil(year, month, day) * DAY_SECONDS + seconds })
    }

    /// Reads a key that holds a date; `None` if it is absent or wrong, which has then been reported.
    pub(crate) fn read(table: &Table<'_>, key: &str) -> Option<Self> {
        let text: Located<String> = table.get(key)?;
        let moment = Self::parse(&text.value);
        if moment.is_none() {
            let title = format!("`{}` is not a date", text.value);
            table.reader.report(
                Diagnostic::new(text.span, title).label("such as \"2026-01-31\" or \"2026-01-31 12:30:00\", UTC"),
            );
        }
        moment
    }

    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub(crate) fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }

    /// As people write it.
    pub(crate) fn civil(self) -> Civil {
        let (days, second) = (self.unix_seconds.div_euclid(DAY_SECONDS), self.unix_seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day) = civil_from_days(days);
        let small = |number: i64| u8::try_from(number).expect("below sixty");
        Civil {
            year,
            month: small(month),
            day: small(day),
            hour: small(second / 3600),
            minute: small(second / 60 % 60),
            second: small(second % 60),
            // 1970-01-01 was a Thursday.
            weekday: usize::try_from((days + 4).rem_euclid(7)).expect("below seven"),
        }
    }

    /// As an HTTP header says it, RFC 9110 §5.6.7: `Thu, 01 Jan 2026 00:00:00 GMT`.
    pub(crate) fn http(self) -> String {
        let Civil { year, month, day, hour, minute, second, weekday } = self.civil();
        let (weekday, month) = (WEEKDAYS[weekday], MONTHS[usize::from(month) - 1]);
        format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Reads what [`http`](Self::http) writes; other forms of an HTTP date, which nobody has to send, are `None`.
    pub(crate) fn parse_http(text: &str) -> Option<Self> {
        let mut words = text.split_once(", ")?.1.split(' ');
        let day = number(words.next()?, 2)?;
        let month = words.next()?;
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let year = number(words.next()?, 4)?;
        let clock = words.next()?;
        (words.next() == Some("GMT") && words.next().is_none()).then_some(())?;
        Self::parse(&format!("{year:04}-{month:02}-{day:02} {clock}"))
    }

    /// As a web server's log says it: `01/Jan/2026:00:00:00 +0000`.
    pub(crate) fn log(self) -> String {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        let month = MONTHS[usize::from(month) - 1];
        format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
    }
}

impl fmt::Display for Moment {
    /// As OpenSSL prints a certificate's dates: `Jan  1 00:00:00 2026 GMT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        let month = MONTHS[usize::from(month) - 1];
        write!(f, "{month} {day:>2} {hour:02}:{minute:02}:{second:02} {year} GMT")
    }
}

/// So many digits and nothing else.
fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date. Years are taken to begin in March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date so many days after 1970-01-01: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_with_the_year_2026() {
        assert_eq!(Moment::of(Time::ZERO).http(), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(Moment::of(Time::from_millis(86_399_999)).http(), "Thu, 01 Jan 2026 23:59:59 GMT");
        assert_eq!(Moment::of(Time::ZERO).log(), "01/Jan/2026:00:00:00 +0000");
        assert_eq!(Moment::of(Time::ZERO).to_string(), "Jan  1 00:00:00 2026 GMT");
        // The last moment of any run is a date too.
        assert!(Moment::of(Time::MAX).http().contains(" 2610 "));
    }

    #[test]
    fn every_day_of_four_centuries_is_read_as_it_is_written() {
        let first = days_from_civil(1970, 1, 1);
        assert_eq!(first, 0);
        for days in (0..146_097 * 2).step_by(13).chain(146_090..146_100) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            let moment = Moment::from_unix(days * DAY_SECONDS + 3_661);
            assert_eq!(Moment::parse(&format!("{year:04}-{month:02}-{day:02} 01:01:01")), Some(moment));
            assert_eq!(Moment::parse_http(&moment.http()), Some(moment));
        }
    }

    #[test]
    fn leap_days_are_where_they_belong() {
        assert!(Moment::parse("2024-02-29").is_some() && Moment::parse("2026-02-29").is_none());
        assert!(Moment::parse("2000-02-29").is_some() && Moment::parse("2100-02-29").is_none());
        // RFC 9110 §5.6.7's own example.
        assert_eq!(Moment::parse_http("Sun, 06 Nov 1994 08:49:37 GMT").map(Moment::unix_seconds), Some(784_111_777));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-1-1",
            "2026-01-01 24:00:00",
            "2026-01-01 1:2:3",
            "+026-01-01",
            "2026-01-01-01",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
        assert_eq!(Moment::parse("2026-01-01"), Moment::parse("2026-01-01T00:00:00Z"));
        for text in ["", "Sun, ", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Now 1994 08:49:37 GMT"] {
            assert_eq!(Moment::parse_http(text), None, "{text}");
        }
    }
}
