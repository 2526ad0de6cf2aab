//! The trace: one line per event, spelled as tcpdump does.
//!
//! Written for a reader who has not seen the code: a legend comes first, names stand for nodes and rules, a blank line
//! stands where time moves, and the first drop of each cause is explained. What is on one line happened at one place
//! at one time:
//!
//! ```text
//! #  no          ms  where      > sent   < received   x dropped   ~ altered   * note
//!
//!    #1       0.000  client     >  arp who-has 10.0.0.2 tell 10.0.0.1
//!
//!    #1       5.322  server     <  arp who-has 10.0.0.2 tell 10.0.0.1
//!    #2       5.322  server     >  arp 10.0.0.2 is-at 02:00:00:00:00:02  (answers #1)
//! ```
//!
//! Times are cut, not rounded, to the microsecond.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use super::cells::left;
use super::journal::{Journal, hash_number};
use super::places::{Given, ON, Places, Selection, opposite};
use super::spell::{Speller, alteration, because, milliseconds, place_name, where_width};
use super::style::{Role, Style};
use super::{Output, OutputBuilder, Settings, Sink};
use crate::filter::Filter;
use crate::id::PipeId;
use crate::read::{Field, Form, Item, Kind, Need};
use crate::record::{Cause, Names, Observer, Place, Record, What};
use crate::time::Time;
use crate::wire::Frame;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "text",
    doc: "A trace with one line per event, spelled as tcpdump does.",
    example: "[record]\ntext = { received = false, gap = \"1ms\" }\n",
    fields: &[
        ON,
        Field {
            name: "filter",
            form: Form::Filter,
            need: Need::Optional,
            doc: "Only frames that match; notes and links are told of in any case.",
        },
        Field {
            name: "gap",
            form: Form::Duration,
            need: Need::Default("0s"),
            doc: "A blank line stands where time moves by more than this.",
        },
        Field {
            name: "names",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Write the names of nodes in place of their addresses.",
        },
        Field {
            name: "received",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Tell of frames that are received, not only of those that are sent or dropped.",
        },
    ],
    build,
};

/// What a [`Text`] shows.
#[derive(Debug, Clone)]
pub struct TextOptions {
    /// Only frames that match all of these.
    pub filters: Vec<Filter>,
    /// A blank line stands where time moves by more than this. Zero: at each new microsecond.
    pub gap: Duration,
    /// Names to write in place of addresses. Empty: addresses as they are.
    pub hosts: Vec<(IpAddr, String)>,
    /// Where to look. Notes are told of wherever they come from.
    pub places: Places,
    /// Whether to tell of frames that are received, not only of those that are sent or dropped.
    pub shows_received: bool,
    /// Whether it is coloured.
    pub style: Style,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            gap: Duration::ZERO,
            hosts: Vec::new(),
            places: Places::default(),
            shows_received: true,
            style: Style::Plain,
        }
    }
}

/// What one line says, beside when and where.
struct Line<'l> {
    /// `#7`, or nothing.
    number: &'l str,
    role: Role,
    mark: char,
    what: &'l str,
}

/// Writes the trace while the run goes on.
#[derive(Debug)]
pub struct Text {
    options: TextOptions,
    sink: Sink,
    journal: Journal,
    speller: Speller,
    /// How wide the column of places is; known with the first record.
    where_width: Option<usize>,
    /// When the last line happened.
    last_at: Option<Time>,
    selection: Selection,
    /// Half of a link that went up or down, until it is known whether the other half did too.
    half_link: Option<(Time, PipeId, bool)>,
    explained: BTreeSet<Cause>,
    line: String,
}

impl Text {
    /// A trace into `sink`.
    #[must_use]
    pub fn new(options: TextOptions, sink: Sink) -> Self {
        let speller = Speller::new(options.hosts.clone());
        let selection = Selection::new(options.filters.clone(), options.places.clone());
        Self {
            options,
            selection,
            sink,
            journal: Journal::default(),
            speller,
            where_width: None,
            last_at: None,
            half_link: None,
            explained: BTreeSet::new(),
            line: String::new(),
        }
    }

    fn begin(&mut self, names: &Names) -> usize {
        if let Some(width) = self.where_width {
            return width;
        }
        let width = where_width(names);
        self.where_width = Some(width);
        self.selection.complain(&self.sink, names);
        let legend = format!(
            "# `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`\n\
             # {:>4}  {:>10}  {:<width$}  > sent   < received   x dropped   ~ altered   * note\n",
            "no", "ms", "where"
        );
        let style = self.options.style;
        for line in legend.lines() {
            let _ = writeln!(self.line, "{}", style.paint(Role::Faint, line));
        }
        width
    }

    /// Writes one line.
    fn tell(&mut self, at: Time, place: Place, line: &Line<'_>, names: &Names) {
        let width = self.begin(names);
        let moved =
            self.last_at.is_none_or(|last| at.as_micros() != last.as_micros() && at.since(last) > self.options.gap);
        self.last_at = Some(at);
        if moved {
            self.line.push('\n');
        }
        let style = self.options.style;
        let Line { number, role, mark, what } = line;
        let (ms, place) = (milliseconds(at), place_name(place, names));
        let mut lines = what.lines();
        let _ = writeln!(
            self.line,
            "{number:>6}  {ms:>10}  {}  {}  {}",
            left(&place, width),
            style.paint(*role, mark),
            style.paint(*role, lines.next().unwrap_or_default())
        );
        // A view of a node's state has further lines.
        for line in lines {
            let _ = writeln!(self.line, "{:1$}  {2}", "", indent(width), style.paint(*role, line));
        }
    }

    fn flush(&mut self) {
        self.sink.put(self.line.as_bytes());
        self.line.clear();
    }

    fn tell_frame(&mut self, record: &Record<'_>, frame: &Frame, names: &Names) {
        let number = frame.id.map_or_else(String::new, |id| hash_number(self.journal.number(id)));
        let spelled = self.speller.long(frame);
        let origin = self.journal.origin(frame, record.place);
        let origin = origin.map_or_else(String::new, |origin| format!("  ({origin})"));
        let (at, place) = (record.at, record.place);
        match record.what {
            What::Sent { .. } => {
                self.tell(
                    at,
                    place,
                    &Line { number: &number, role: Role::Strong, mark: '>', what: &format!("{spelled}{origin}") },
                    names,
                );
            }
            What::Delivered { .. } => {
                let damage = if frame.damaged { "  (damaged)" } else { "" };
                self.tell(
                    at,
                    place,
                    &Line { number: &number, role: Role::Plain, mark: '<', what: &format!("{spelled}{damage}") },
                    names,
                );
            }
            What::Dropped { cause, rule, .. } => {
                // The origin of a frame that was on a link has been told when it was sent.
                let origin = if frame.id.is_none() { origin.as_str() } else { "" };
                let why = because(cause, rule, names);
                self.tell(
                    at,
                    place,
                    &Line { number: &number, role: Role::Lost, mark: 'x', what: &format!("{why}: {spelled}{origin}") },
                    names,
                );
                self.explain(cause, names);
            }
            _ => {}
        }
    }

    /// Below the first drop of each cause: why that is.
    fn explain(&mut self, cause: Cause, names: &Names) {
        if !self.explained.insert(cause) {
            return;
        }
        let reference = match cause.reference() {
            "" => String::new(),
            reference => format!("; {reference}"),
        };
        let text = format!("({cause}: {}{reference})", cause.explanation());
        let width = self.begin(names);
        let _ = writeln!(self.line, "{:1$}{2}", "", indent(width), self.options.style.paint(Role::Faint, text));
    }

    /// Tells of half a link that waits for its other half, unless `record` is that.
    fn settle_link(&mut self, record: Option<&Record<'_>>, names: &Names) -> bool {
        let Some((at, pipe, is_up)) = self.half_link.take() else { return false };
        let state = if is_up { "up" } else { "down" };
        let is_other_half = record.is_some_and(|record| {
            record.at == at
                && record.place == Place::Pipe(opposite(pipe))
                && matches!(record.what, What::LinkIsUp(other) if other == is_up)
        });
        let what = if is_other_half {
            format!("link is {state}")
        } else {
            let (from, to) = (names.source(pipe).0, names.destination(pipe).0);
            format!("link is {state} from {} to {}", names.node(from), names.node(to))
        };
        self.tell(at, Place::Pipe(pipe), &Line { number: "", role: Role::Note, mark: '*', what: &what }, names);
        is_other_half
    }
}

/// Where words begin, behind number, time, place and mark.
fn indent(width: usize) -> usize {
    6 + 2 + 10 + 2 + width + 2 + 1 + 2
}

impl Observer for Text {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.journal.record(record);
        if self.settle_link(Some(record), names) {
            return self.flush();
        }
        let is_received = matches!(record.what, What::Delivered { .. });
        if !self.selection.has(record, names) || (is_received && !self.options.shows_received) {
            self.speller.see(&record.what);
            return self.flush();
        }
        match record.what {
            What::Altered { frame, how, rule } => {
                let number = hash_number(self.journal.number(frame));
                let what = alteration(how, rule, &self.journal, names);
                self.tell(
                    record.at,
                    record.place,
                    &Line { number: &number, role: Role::Altered, mark: '~', what: &what },
                    names,
                );
            }
            What::Delivered { frame } | What::Dropped { frame, .. } | What::Sent { frame } => {
                self.tell_frame(record, frame, names);
            }
            What::LinkIsUp(is_up) => {
                if let Place::Pipe(pipe) = record.place {
                    self.half_link = Some((record.at, pipe, is_up));
                }
            }
            What::Note { app, text } => {
                let what = app.map_or_else(|| text.to_owned(), |app| format!("{}: {text}", names.app(app)));
                self.tell(
                    record.at,
                    record.place,
                    &Line { number: "", role: Role::Note, mark: '*', what: &what },
                    names,
                );
            }
            What::Secret { .. } => {}
        }
        self.flush();
    }

    fn flush(&mut self, now: Time, names: &Names) {
        if self.half_link.is_some_and(|(at, ..)| at < now) {
            self.settle_link(None, names);
        }
        Self::flush(self);
    }

    fn finish(&mut self, now: Time, names: &Names) {
        self.settle_link(None, names);
        self.begin(names);
        let end = format!("# the run ends at {} ms", milliseconds(now));
        let _ = writeln!(self.line, "\n{}", self.options.style.paint(Role::Faint, end));
        self.flush();
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields);
    let options = TextOptions {
        filters: given.filters(settings.filter),
        gap: given.span("gap", Duration::ZERO),
        hosts: if given.flag("names", true) { settings.hosts } else { Vec::new() },
        shows_received: given.flag("received", true),
        places: given.places.clone(),
        style: settings.style,
    };
    let observer = Box::new(Text::new(options, settings.sink.clone()));
    given.is_right().then_some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}
