//! The lines of iperf3's tables.

use std::time::Duration;

/// What stands between the intervals and the sums.
pub(super) const RULE: &str = "- - - - - - - - - - - - - - - - - - - - - - - - -";

/// A number in at most four places, and its unit.
fn four_places(amount: f64, base: f64, units: [&str; 5]) -> String {
    let (mut amount, mut unit) = (amount, 0);
    while amount >= base && unit + 1 < units.len() {
        amount /= base;
        unit += 1;
    }
    let unit = units[unit];
    if amount < 9.995 {
        format!("{amount:4.2} {unit}")
    } else if amount < 99.95 {
        format!("{amount:4.1} {unit}")
    } else {
        format!("{amount:4.0} {unit}")
    }
}

/// `1.25 MBytes`
pub(super) fn bytes(count: u64) -> String {
    four_places(count as f64, 1024.0, ["Bytes", "KBytes", "MBytes", "GBytes", "TBytes"])
}

/// `10.5 Mbits/sec`
pub(super) fn rate(count: u64, span: f64) -> String {
    let bits = if span > 0.0 { count as f64 * 8.0 / span } else { 0.0 };
    four_places(bits, 1000.0, ["bits/sec", "Kbits/sec", "Mbits/sec", "Gbits/sec", "Tbits/sec"])
}

/// What stands behind the bit rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Extra {
    /// A TCP receiver has nothing more to say.
    Nothing,
    /// A TCP sender: what it sent again, and what is on its way.
    Sent { retransmits: u64, flight: Option<u64> },
    /// A UDP sender.
    Datagrams(u64),
    /// A UDP receiver, or a sum of either.
    Judged { jitter: f64, lost: u64, total: u64 },
}

/// `[  5]   0.00-1.00   sec  1.25 MBytes  10.5 Mbits/sec    0   63.6 KBytes`
pub(super) fn line(id: &str, from: f64, to: f64, count: u64, extra: Extra, role: &str) -> String {
    let (transfer, speed) = (bytes(count), rate(count, to - from));
    let head = format!("[{id:>3}] {from:6.2}-{to:<6.2} sec  {transfer}  {speed}");
    let tail = match extra {
        Extra::Nothing => format!("                  {role}"),
        Extra::Sent { retransmits, flight: Some(flight) } => format!("  {retransmits:>3}   {}", bytes(flight)),
        Extra::Sent { retransmits, flight: None } => format!("  {retransmits:>3}             {role}"),
        Extra::Datagrams(count) => format!("  {count}"),
        Extra::Judged { jitter, lost, total } => {
            format!("  {:.3} ms  {lost}/{total} ({}%)  {role}", jitter * 1e3, two_digits(lost, total))
        }
    };
    format!("{head}{tail}").trim_end().to_owned()
}

/// The share in percent with two digits, as C's `%.2g` prints it: `0`, `1.2`, `0.25`, `12`, `1e+02`.
fn two_digits(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        99.5.. => "1e+02".to_owned(),
        9.95.. => format!("{percent:.0}"),
        _ => {
            let decimals = if percent >= 0.995 {
                1
            } else if percent >= 0.0995 {
                2
            } else {
                3
            };
            let text = format!("{percent:.decimals$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// The head of a table.
pub(super) fn head(extra: Extra) -> &'static str {
    match extra {
        Extra::Nothing => "[ ID] Interval           Transfer     Bitrate",
        Extra::Sent { flight: Some(_), .. } => "[ ID] Interval           Transfer     Bitrate         Retr  Flight",
        Extra::Sent { flight: None, .. } => "[ ID] Interval           Transfer     Bitrate         Retr",
        Extra::Datagrams(_) => "[ ID] Interval           Transfer     Bitrate         Total Datagrams",
        Extra::Judged { .. } => "[ ID] Interval           Transfer     Bitrate         Jitter    Lost/Total Datagrams",
    }
}

/// Seconds, for the columns.
pub(super) fn seconds(span: Duration) -> f64 {
    span.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_iperf3() {
        // As a real iperf3 3.12 printed them, but for the last column.
        let sent = Extra::Sent { retransmits: 0, flight: Some(1_174_405) };
        assert_eq!(
            line("5", 0.0, 1.0, 1_310_720, sent, ""),
            "[  5]   0.00-1.00   sec  1.25 MBytes  10.5 Mbits/sec    0   1.12 MBytes"
        );
        assert_eq!(
            line("5", 0.0, 2.0, 2_621_440, Extra::Sent { retransmits: 0, flight: None }, "sender"),
            "[  5]   0.00-2.00   sec  2.50 MBytes  10.5 Mbits/sec    0             sender"
        );
        assert_eq!(
            line("5", 0.0, 2.0, 2_621_440, Extra::Nothing, "receiver"),
            "[  5]   0.00-2.00   sec  2.50 MBytes  10.5 Mbits/sec                  receiver"
        );
        assert_eq!(
            line("SUM", 0.0, 1.0, 262_144, Extra::Datagrams(8), ""),
            "[SUM]   0.00-1.00   sec   256 KBytes  2.10 Mbits/sec  8"
        );
        assert_eq!(
            line("7", 0.0, 2.0, 262_144, Extra::Judged { jitter: 0.000_005, lost: 0, total: 8 }, "receiver"),
            "[  7]   0.00-2.00   sec   256 KBytes  1.05 Mbits/sec  0.005 ms  0/8 (0%)  receiver"
        );
    }

    #[test]
    fn shares_have_two_digits() {
        let shares = [(1, 3), (1, 80), (1, 400), (1, 1), (1, 2), (1, 10_000), (199, 200)]
            .map(|(part, whole)| two_digits(part, whole));
        assert_eq!(shares, ["33", "1.2", "0.25", "1e+02", "50", "0.01", "1e+02"]);
    }

    #[test]
    fn no_time_is_no_rate() {
        assert_eq!(rate(1000, 0.0), "0.00 bits/sec");
        assert_eq!(bytes(u64::MAX), "16777216 TBytes");
    }
}
