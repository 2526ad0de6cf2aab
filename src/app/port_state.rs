//! What a scan has found out about ports, and the table that `nmap` prints of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::services::{Transport, service};

/// More ports than this in one state that is not "open" are counted rather than listed, as `nmap` does.
const LISTED_MAX: usize = 25;

/// What is known of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PortState {
    /// Somebody serves it.
    Open,
    /// The machine says that nobody does.
    Closed,
    /// Somebody on the way keeps questions or answers back.
    Filtered,
    /// Silence, which over UDP is what one hears from most who listen.
    OpenOrFiltered,
}

impl PortState {
    const ALL: [Self; 4] = [Self::Open, Self::Closed, Self::Filtered, Self::OpenOrFiltered];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::OpenOrFiltered => "open|filtered",
        }
    }
}

/// What was found out of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) state: PortState,
    /// By what: `syn-ack`, `no-response`.
    pub(super) reason: &'static str,
}

/// What was found out of all.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) ports: BTreeMap<u16, Verdict>,
}

impl Found {
    /// The ports in a state.
    pub(super) fn of(&self, state: PortState) -> impl Iterator<Item = u16> {
        self.ports.iter().filter(move |(_, verdict)| verdict.state == state).map(|(port, _)| *port)
    }

    /// The lines of the report after its head: the table, or why there is none.
    pub(super) fn lines(&self, transport: Transport, shows_reasons: bool) -> Vec<String> {
        let name = transport.name();
        let is_hidden = |state| state != PortState::Open && self.of(state).count() > LISTED_MAX;
        let hidden: Vec<PortState> = PortState::ALL.into_iter().filter(|state| is_hidden(*state)).collect();
        let mut lines = Vec::new();
        let counts: Vec<String> = hidden.iter().map(|state| self.count(*state, name)).collect();
        if hidden.len() == 1 && self.of(hidden[0]).count() == self.ports.len() {
            let total = self.ports.len();
            lines.push(format!("All {total} scanned ports are in ignored states."));
        }
        if !counts.is_empty() {
            lines.push(format!("Not shown: {}", counts.join(", ")));
        }
        let rows: Vec<Row> = self
            .ports
            .iter()
            .filter(|(_, verdict)| !hidden.contains(&verdict.state))
            .map(|(port, verdict)| Row::of(*port, transport, *verdict))
            .collect();
        lines.extend(table(&rows, shows_reasons));
        lines
    }

    /// The rows of the table that `lines` has, each as `22/tcp open ssh`.
    pub(super) fn short_rows(&self, transport: Transport) -> impl Iterator<Item = String> {
        self.ports.iter().map(move |(port, verdict)| {
            let Row { port, state, service, .. } = Row::of(*port, transport, *verdict);
            format!("{port} {state} {service}")
        })
    }

    /// `97 closed tcp ports (conn-refused)`
    fn count(&self, state: PortState, transport: &str) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for verdict in self.ports.values().filter(|verdict| verdict.state == state) {
            *reasons.entry(verdict.reason).or_default() += 1;
        }
        let why: Vec<String> = match reasons.len() {
            1 => reasons.keys().map(|reason| (*reason).to_owned()).collect(),
            _ => reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect(),
        };
        format!("{} {} {transport} ports ({})", self.of(state).count(), state.name(), why.join(", "))
    }
}

struct Row {
    port: String,
    state: &'static str,
    service: &'static str,
    reason: &'static str,
}

impl Row {
    fn of(port: u16, transport: Transport, verdict: Verdict) -> Self {
        Self {
            port: format!("{port}/{}", transport.name()),
            state: verdict.state.name(),
            service: service(transport, port).unwrap_or("unknown"),
            reason: verdict.reason,
        }
    }
}

fn table(rows: &[Row], shows_reasons: bool) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let width =
        |title: &str, of: fn(&Row) -> &str| rows.iter().map(|row| of(row).len()).max().unwrap_or(0).max(title.len());
    let widths = [width("PORT", |row| &row.port), width("STATE", |row| row.state), width("SERVICE", |row| row.service)];
    let line = |port: &str, state: &str, service: &str, reason: &str| {
        let mut text = format!("{port:<w0$} {state:<w1$} ", w0 = widths[0], w1 = widths[1]);
        if shows_reasons {
            let _ = write!(text, "{service:<w2$} {reason}", w2 = widths[2]);
        } else {
            text.push_str(service);
        }
        text
    };
    let head = line("PORT", "STATE", "SERVICE", "REASON");
    std::iter::once(head).chain(rows.iter().map(|row| line(&row.port, row.state, row.service, row.reason))).collect()
}

/// A round trip in seconds with two significant digits, as `nmap` prints it: `0.020`, `0.00011`, `1.2`.
pub(super) fn latency(time: Duration) -> String {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    if nanoseconds == 0 {
        return "0.0".to_owned();
    }
    // How many decimals leave two digits: 1.2 s has one, 0.12 s two, 0.012 s three.
    let digits = nanoseconds.ilog10();
    let decimals = 10_u32.saturating_sub(digits).clamp(1, 9);
    let unit = 10_u64.pow(9 - decimals);
    let rounded = nanoseconds.saturating_add(unit / 2) / unit;
    let scale = 10_u64.pow(decimals);
    format!("{}.{:0width$}", rounded / scale, rounded % scale, width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Verdict = Verdict { state: PortState::Open, reason: "syn-ack" };
    const CLOSED: Verdict = Verdict { state: PortState::Closed, reason: "reset" };
    const FILTERED: Verdict = Verdict { state: PortState::Filtered, reason: "no-response" };

    #[test]
    fn the_table_is_aligned_as_nmap_aligns_it() {
        let found = Found { ports: BTreeMap::from([(22, OPEN), (80, FILTERED), (5299, CLOSED)]) };
        assert_eq!(
            found.lines(Transport::Tcp, false),
            [
                "PORT     STATE    SERVICE",
                "22/tcp   open     ssh",
                "80/tcp   filtered http",
                "5299/tcp closed   unknown"
            ]
        );
        assert_eq!(found.lines(Transport::Tcp, true)[2], "80/tcp   filtered http    no-response");
        assert_eq!(found.short_rows(Transport::Tcp).next().as_deref(), Some("22/tcp open ssh"));
    }

    #[test]
    fn many_ports_in_one_state_are_counted_and_one_fewer_are_listed() {
        let ports = |count: u16| (1..=count).map(|port| (port, CLOSED)).chain([(8000, OPEN)]).collect();
        let listed = Found { ports: ports(25) };
        assert_eq!(listed.lines(Transport::Tcp, false).len(), 1 + 26);
        let hidden = Found { ports: ports(26) };
        assert_eq!(
            hidden.lines(Transport::Tcp, false),
            ["Not shown: 26 closed tcp ports (reset)", "PORT     STATE SERVICE", "8000/tcp open  irdmi"]
        );
        let silent = Found { ports: (1..=30).map(|port| (port, FILTERED)).collect() };
        assert_eq!(
            silent.lines(Transport::Udp, false),
            ["All 30 scanned ports are in ignored states.", "Not shown: 30 filtered udp ports (no-response)"]
        );
    }

    #[test]
    fn a_latency_has_two_digits() {
        let shown = |us| latency(Duration::from_micros(us));
        assert_eq!((shown(81), shown(110), shown(20_059)), ("0.000081".into(), "0.00011".into(), "0.020".into()));
        assert_eq!((shown(1_240_000), shown(240_000), shown(0)), ("1.2".into(), "0.24".into(), "0.0".into()));
    }
}
