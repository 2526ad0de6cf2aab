//! How many frames may wait for the transmitter.
//!
//! The queue is drop-tail: a newcomer that finds no room is dropped. The frame that is being clocked out does not wait
//! and does not count. Because the discipline never changes its mind, a frame's departure is known when it enters, and
//! the queue is only a list of when each waiting frame begins to be sent.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use crate::read::{Diagnostic, Field, Form, Item, Kind, Located, Need, Read, Table};
use crate::time::Time;
use crate::units::Size;

/// The most frames that a scenario may let wait at one transmitter: what a 100 Gbit/s port sends in 120 ms.
pub const QUEUE_PACKETS_MAX: u64 = 1_000_000;

/// The most bytes that a scenario may let wait at one transmitter: 1 GiB.
pub const QUEUE_BYTES_MAX: u64 = 1 << 30;

/// What a queue is counted in.
///
/// Prints as a scenario may write it: `50 packets`, `64KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueLimit {
    /// At most this many bytes of waiting frames.
    Bytes(u64),
    /// At most this many waiting frames. Zero: only an idle transmitter accepts.
    Packets(u64),
}

impl Default for QueueLimit {
    /// 1000 frames: what Linux gives an Ethernet interface.
    fn default() -> Self {
        Self::Packets(1000)
    }
}

/// Makes a queue from its table, whose `kind` has been read. `None`: a mistake was reported.
pub type QueueBuilder = fn(&Table<'_>) -> Option<QueueLimit>;

/// Every queue discipline that a scenario can name.
pub static KINDS: &[Kind<QueueBuilder>] = &[Kind {
    name: "droptail",
    doc: "First in, first out; a newcomer that finds no room is dropped.",
    example: "queue = { kind = \"droptail\", packets = 50 }",
    fields: DROPTAIL_FIELDS,
    build: build_droptail,
}];

const DROPTAIL_FIELDS: &[Field] = &[PACKETS, BYTES];

/// What the table form of a queue may say.
pub(super) static TABLE_FIELDS: &[Field] = &[
    Field {
        name: "kind",
        form: Form::OneOf(&["droptail"]),
        need: Need::Default("droptail"),
        doc: "The discipline: who is dropped when there is no room.",
    },
    PACKETS,
    BYTES,
];

const PACKETS: Field = Field {
    name: "packets",
    form: Form::Integer { min: 0, max: QUEUE_PACKETS_MAX as i64 },
    need: Need::Optional,
    doc: "How many frames may wait, the one on the transmitter not counted; this or `bytes`.",
};

const BYTES: Field = Field {
    name: "bytes",
    form: Form::Size,
    need: Need::Optional,
    doc: "How many bytes may wait, headers included; this or `packets`.",
};

impl<'d> Read<'d> for QueueLimit {
    /// `"50 packets"`, `"64KiB"`, or a table of one of [`KINDS`]; without a `kind`, drop-tail.
    fn read(item: &Item<'d>) -> Option<Self> {
        let DeValue::Table(_) = item.value else { return read_text(item) };
        let table = Table::read(item)?;
        let names: Vec<&'static str> = KINDS.iter().map(|kind| kind.name).collect();
        let name = if table.has("kind") { table.one_of("kind", &names)? } else { "droptail" };
        let kind = KINDS.iter().find(|kind| kind.name == name)?;
        table.check(&[kind.fields], &["kind"]);
        (kind.build)(&table)
    }
}

fn build_droptail(table: &Table<'_>) -> Option<QueueLimit> {
    let limit = match (table.has("packets"), table.has("bytes")) {
        (true, false) => {
            let packets: Located<u64> = table.get("packets")?;
            return bounded(table, packets.value, QUEUE_PACKETS_MAX, "packets").map(QueueLimit::Packets);
        }
        (false, true) => {
            let bytes: Size = table.get("bytes")?;
            return bounded(table, bytes.bytes(), QUEUE_BYTES_MAX, "bytes").map(QueueLimit::Bytes);
        }
        (true, true) => "a queue is counted in `packets` or in `bytes`, not in both",
        (false, false) => "a queue needs a length",
    };
    let diagnostic = Diagnostic::new(table.span.clone(), limit).label("either `packets = 50` or `bytes = \"64KiB\"`");
    table.report_lack(diagnostic, &["packets", "bytes"]);
    None
}

fn bounded(table: &Table<'_>, value: u64, most: u64, key: &str) -> Option<u64> {
    if value <= most {
        return Some(value);
    }
    table.report(key, format!("`{}.{key}` is out of range", table.path), format!("at most {most}"));
    None
}

fn read_text(item: &Item<'_>) -> Option<QueueLimit> {
    let DeValue::String(text) = item.value else {
        item.expected("such as `\"50 packets\"`, `\"64KiB\"` or `{ packets = 50 }`");
        return None;
    };
    let Some(count) = text.strip_suffix("packets").or_else(|| text.strip_suffix("packet")) else {
        let size = Size::read(item)?;
        return bounded_text(item, size.bytes(), QUEUE_BYTES_MAX).map(QueueLimit::Bytes);
    };
    let Ok(packets) = count.trim().parse() else {
        item.reader.report(
            Diagnostic::new(item.span.clone(), format!("`{text}` is not the length of a queue"))
                .label("such as \"50 packets\" or \"64KiB\""),
        );
        return None;
    };
    bounded_text(item, packets, QUEUE_PACKETS_MAX).map(QueueLimit::Packets)
}

fn bounded_text(item: &Item<'_>, value: u64, most: u64) -> Option<u64> {
    if value > most {
        item.reader.report(
            Diagnostic::new(item.span.clone(), format!("`{}` is out of range", item.path))
                .label(format!("at most {most}")),
        );
        return None;
    }
    Some(value)
}

impl fmt::Display for QueueLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => Size::from_bytes(*bytes).fmt(f),
            Self::Packets(1) => f.write_str("1 packet"),
            Self::Packets(packets) => write!(f, "{packets} packets"),
        }
    }
}

/// A frame that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// When it entered.
    pub entered_at: Time,
    /// When the transmitter begins with it.
    pub begins_at: Time,
    /// Its length in bytes, link header included.
    pub bytes: u64,
}

/// How long frames waited before the transmitter began with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// How many frames the transmitter began with, those that did not wait included.
    pub count: u64,
    /// All waits together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Waits {
    fn add(&mut self, wait: Duration) {
        self.count += 1;
        self.total = self.total.saturating_add(wait);
        self.longest = self.longest.max(wait);
    }
}

/// The frames that wait for one transmitter.
#[derive(Debug, Default)]
pub struct Queue {
    /// What it may hold.
    pub limit: QueueLimit,
    waiting: VecDeque<Waiting>,
    bytes: u64,
    /// Of the frames that do not wait any more.
    waits: Waits,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(limit: QueueLimit) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Lets go of the frames whose transmission has begun by `now`.
    pub fn advance(&mut self, now: Time) {
        while let Some(first) = self.waiting.front().filter(|first| first.begins_at <= now) {
            self.bytes -= first.bytes;
            self.waits.add(first.begins_at.since(first.entered_at));
            self.waiting.pop_front();
        }
    }

    /// Whether a frame of `bytes` bytes may wait.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        match self.limit {
            QueueLimit::Bytes(most) => self.bytes + bytes <= most,
            QueueLimit::Packets(most) => (self.waiting.len() as u64) < most,
        }
    }

    /// Adds a frame behind the others.
    pub fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        self.waiting.push_back(waiting);
    }

    /// Counts a frame that found the transmitter idle.
    pub fn pass(&mut self) {
        self.waits.add(Duration::ZERO);
    }

    /// Forgets all that waits.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }

    /// Works out anew when each waiting frame begins, with `time_for` telling how long one of that many bytes takes;
    /// when the transmitter is then free. The first frame's beginning stays: it is when the one before it is done.
    pub fn reschedule(&mut self, time_for: impl Fn(u64) -> Duration) -> Option<Time> {
        let mut free_at = self.waiting.front()?.begins_at;
        for waiting in &mut self.waiting {
            waiting.begins_at = free_at;
            free_at += time_for(waiting.bytes);
        }
        Some(free_at)
    }

    /// When the frame at a place of the queue, counted from the front and from 0, begins.
    #[must_use]
    pub fn begins_at(&self, place: usize) -> Option<Time> {
        self.waiting.get(place).map(|waiting| waiting.begins_at)
    }

    /// How many frames wait.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How long frames waited; what still waits counts with the wait that it has to expect.
    #[must_use]
    pub fn waits(&self) -> Waits {
        let mut waits = self.waits;
        self.waiting.iter().for_each(|waiting| waits.add(waiting.begins_at.since(waiting.entered_at)));
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::{problems_of, read_example};

    fn waiting(begins_at: u64, bytes: u64) -> Waiting {
        Waiting { entered_at: Time::ZERO, begins_at: Time::from_nanos(begins_at), bytes }
    }

    #[test]
    fn a_queue_counted_in_packets_takes_exactly_that_many() {
        let mut queue = Queue::new(QueueLimit::Packets(2));
        queue.push(waiting(10, 100));
        assert!(queue.has_room(9000));
        queue.push(waiting(20, 100));
        assert!(!queue.has_room(1));
        queue.advance(Time::from_nanos(10));
        assert!(queue.has_room(1) && queue.packets() == 1);
    }

    #[test]
    fn a_queue_counted_in_bytes_takes_exactly_that_many() {
        let mut queue = Queue::new(QueueLimit::Bytes(300));
        queue.push(waiting(10, 100));
        assert!(queue.has_room(200) && !queue.has_room(201));
    }

    #[test]
    fn waits_count_those_that_passed_those_that_left_and_those_that_still_wait() {
        let mut queue = Queue::new(QueueLimit::default());
        queue.pass();
        queue.push(waiting(10, 1));
        queue.push(waiting(30, 1));
        queue.advance(Time::from_nanos(10));
        // 0 + 10 + 30.
        assert_eq!(
            queue.waits(),
            Waits { count: 3, total: Duration::from_nanos(40), longest: Duration::from_nanos(30) }
        );
        queue.clear();
        assert_eq!(queue.waits().count, 2);
    }

    #[test]
    fn a_queue_is_read_in_each_of_its_forms() {
        for (text, limit) in [
            ("queue = { kind = 'droptail', packets = 50 }", QueueLimit::Packets(50)),
            ("queue = { bytes = '64KiB' }", QueueLimit::Bytes(65_536)),
            ("queue = '50 packets'", QueueLimit::Packets(50)),
            ("queue = '1 packet'", QueueLimit::Packets(1)),
            ("queue = '64KiB'", QueueLimit::Bytes(65_536)),
            ("queue = { packets = 1000000 }", QueueLimit::Packets(QUEUE_PACKETS_MAX)),
        ] {
            assert_eq!(read_example(text, |table| table.get("queue")), Some(limit), "{text}");
        }
        assert_eq!(
            [QueueLimit::Packets(50), QueueLimit::Bytes(65_536)].map(|limit| limit.to_string()),
            ["50 packets", "64KiB"]
        );
    }

    #[test]
    fn what_is_no_queue_is_a_mistake() {
        for (text, problem) in [
            ("queue = { packets = 5, bytes = '1kB' }", "not in both"),
            ("queue = { kind = 'droptail' }", "needs a length"),
            ("queue = { kind = 'codel', packets = 5 }", "cannot be `codel`"),
            ("queue = { packets = 1000001 }", "out of range"),
            ("queue = { packets = -1 }", "out of range"),
            ("queue = '2GiB'", "out of range"),
            ("queue = '1.5 packets'", "not the length of a queue"),
            ("queue = 50", "must be such as"),
            ("queue = { packets = 5, colour = 1 }", "unknown key `colour`"),
        ] {
            let problems = problems_of(text, |table| {
                let _ = table.get::<QueueLimit>("queue");
            })
            .join("; ");
            assert!(problems.contains(problem), "{text}: {problems}");
        }
    }

    #[test]
    fn every_kind_has_an_example_that_builds_it() {
        for kind in KINDS {
            assert!(kind.doc.ends_with('.'), "{}", kind.name);
            assert!(read_example(kind.example, |table| table.get::<QueueLimit>("queue")).is_some(), "{}", kind.name);
            assert!(TABLE_FIELDS.len() > kind.fields.len());
        }
    }
}
