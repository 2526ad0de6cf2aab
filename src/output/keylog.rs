//! The secrets of encrypted connections, one line each, as TLS libraries write them for `SSLKEYLOGFILE`.
//!
//! Wireshark reads the file (Preferences, Protocols, TLS, "(Pre)-Master-Secret log filename"), and so does
//! `tshark -o tls.keylog_file:FILE`. A capture made by [`pcapng`](super::pcapng) has the same lines in itself.

use std::collections::BTreeSet;

use super::{Output, OutputBuilder, Settings, Sink};
use crate::read::{Item, Kind, Read as _, Table};
use crate::record::{Names, Observer, Record, What};
use crate::rng::fnv1a;

/// How many lines are remembered, so that what both ends of a connection tell is written once. Beyond, some are written twice.
const LINES_REMEMBERED: usize = 65_536;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "keylog",
    doc: "The secrets of TLS connections as lines of an SSLKEYLOGFILE, with which Wireshark decrypts a capture of real tools.",
    example: "[record]\nkeylog = true\n",
    fields: &[],
    build,
};

/// Writes a key log while the run goes on.
#[derive(Debug)]
pub struct Keylog {
    sink: Sink,
    told: Told,
}

impl Keylog {
    /// A key log into `sink`.
    #[must_use]
    pub fn new(sink: Sink) -> Self {
        Self { sink, told: Told::default() }
    }
}

impl Observer for Keylog {
    fn record(&mut self, record: &Record<'_>, _names: &Names) {
        if let What::Secret { line } = record.what
            && self.told.is_new(line)
        {
            self.sink.put(format!("{line}\n").as_bytes());
        }
    }
}

/// Which lines have been written: both ends of a connection know its secrets.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<u64>);

impl Told {
    /// Whether a line is not among the last ones; it is from now on.
    pub(super) fn is_new(&mut self, line: &str) -> bool {
        if self.0.len() >= LINES_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(fnv1a(line.bytes()))
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let is_right = match item {
        Some(item) if item.value.as_bool() != Some(true) => Table::read(item).is_some_and(|table| {
            table.check(&[KIND.fields], &[]);
            table.entries().is_empty()
        }),
        _ => true,
    };
    let observer = Box::new(Keylog::new(settings.sink.clone()));
    is_right.then_some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use crate::record::Place;
    use crate::time::Time;

    #[test]
    fn what_both_ends_tell_is_written_once() {
        let sink = Sink::memory();
        let mut keylog = Keylog::new(sink.clone());
        for line in ["CLIENT_RANDOM 00 11", "CLIENT_RANDOM 00 22", "CLIENT_RANDOM 00 11"] {
            let record = Record { at: Time::ZERO, place: Place::Node(NodeId(0)), what: What::Secret { line } };
            keylog.record(&record, &Names::default());
        }
        assert_eq!(sink.take_text(), "CLIENT_RANDOM 00 11\nCLIENT_RANDOM 00 22\n");
    }

    #[test]
    fn a_full_memory_forgets_rather_than_grows() {
        let mut told = Told::default();
        for number in 0..=LINES_REMEMBERED {
            assert!(told.is_new(&number.to_string()));
        }
        assert!(told.0.len() == 1 && told.is_new("0"));
    }
}
