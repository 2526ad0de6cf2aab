//! A sequence diagram in the terminal: who sent what to whom, and what became of it.
//!
//! ```text
//!                              client                      r1                      server
//!                                 │                         │                         │
//!    #1     0.000 →    1.004      │── SYN seq 0 ───────────▶│                         │
//!    #2     1.004 ✗               │                         │── SYN seq 0 ──✗         │   lost on wan: lose-first-syn (fault)
//!               ⋮ 998 ms          ⋮                         ⋮                         ⋮
//!    #3  1000.000 → 1001.004      │── SYN seq 0 ───────────▶│                         │   resends #1
//! ```
//!
//! An arrow needs both of its ends, so everything is collected (`story`) and drawn when the run is over: the order of the
//! columns is found (`columns`), the story is told for them (`telling`), and each line is drawn on its own (`draw`). Lines
//! stand in the order in which frames were sent; an arrow is straight, and its two times say when it was sent and when it
//! arrived or was lost. Too many nodes for columns make a plain list.

mod canvas;
mod columns;
mod draw;
mod story;
mod telling;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use self::draw::{Glyphs, draw};
use self::story::Story;
use super::places::Given;
use super::{Output, OutputBuilder, Settings, Sink, Style};
use crate::filter::Filter;
use crate::read::{Field, Form, Item, Kind, Need};
use crate::record::{Names, Observer, Record};
use crate::time::Time;

/// The most nodes that get a column; with more, the ladder becomes a list.
pub const COLUMNS_MAX: usize = 8;

/// The most arrows and remarks that are kept; those beyond are counted, not drawn.
pub const STEPS_MAX: usize = 10_000;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "ladder",
    doc: "A sequence diagram for the terminal, with one column per node.",
    example: "[record]\nladder = { ascii = true, gap = \"1s\" }\n",
    fields: &[
        Field {
            name: "ascii",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Draw with ASCII characters only.",
        },
        Field {
            name: "elide",
            form: Form::List(&Form::Node),
            need: Need::Optional,
            doc: "Nodes without a column, such as switches: arrows pass through them.",
        },
        Field { name: "filter", form: Form::Filter, need: Need::Optional, doc: "Only frames that match." },
        Field {
            name: "gap",
            form: Form::Duration,
            need: Need::Default("200ms"),
            doc: "A silence of at least this long is marked.",
        },
        Field {
            name: "names",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Write the names of nodes in place of their addresses.",
        },
        Field {
            name: "nodes",
            form: Form::List(&Form::Node),
            need: Need::Optional,
            doc: "The nodes with a column, from left to right; all that took part, if left out.",
        },
        Field {
            name: "states",
            form: Form::Boolean,
            need: Need::Default("true"),
            doc: "Whether what nodes say themselves is shown, such as the states of TCP connections; programs always are.",
        },
    ],
    build,
};

/// What a [`Ladder`] shows.
#[derive(Debug, Clone)]
pub struct LadderOptions {
    /// Only frames that match all of these.
    pub filters: Vec<Filter>,
    /// Names of nodes without a column, such as switches: arrows pass through them.
    pub elide: Vec<String>,
    /// Names of the nodes with a column, from left to right. Empty: all that took part, as they stand along the links.
    pub nodes: Vec<String>,
    /// A silence of at least this long is marked.
    pub gap: Duration,
    /// Names to write in place of addresses. Empty: addresses as they are.
    pub hosts: Vec<(IpAddr, String)>,
    /// Only ASCII characters.
    pub is_ascii: bool,
    /// Whether what nodes say themselves is shown, beside what programs say.
    pub shows_states: bool,
    /// Whether it is coloured.
    pub style: Style,
}

impl Default for LadderOptions {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            elide: Vec::new(),
            nodes: Vec::new(),
            gap: Duration::from_millis(200),
            hosts: Vec::new(),
            is_ascii: false,
            shows_states: true,
            style: Style::Plain,
        }
    }
}

/// Collects what happens and draws it when the run is over.
#[derive(Debug)]
pub struct Ladder {
    options: LadderOptions,
    sink: Sink,
    story: Story,
}

impl Ladder {
    /// A diagram into `sink`.
    #[must_use]
    pub fn new(options: LadderOptions, sink: Sink) -> Self {
        let mut story = Story::new(options.filters.clone(), options.hosts.clone());
        story.shows_states = options.shows_states;
        Self { options, sink, story }
    }

    /// The diagram of what has happened so far.
    #[must_use]
    pub fn render(&self, names: &Names) -> String {
        let columns = columns::choose(&self.options, &self.story, names);
        let lines = telling::lines(&self.story, &columns, names);
        let glyphs = if self.options.is_ascii { &Glyphs::ASCII } else { &Glyphs::UNICODE };
        draw(&lines, &columns, &self.options, glyphs, self.story.left_out, names)
    }
}

impl Observer for Ladder {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.story.record(record, names);
    }

    fn finish(&mut self, _now: Time, names: &Names) {
        self.sink.put(self.render(names).as_bytes());
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields);
    let defaults = LadderOptions::default();
    let options = LadderOptions {
        filters: given.filters(settings.filter),
        elide: given.nodes("elide"),
        nodes: given.nodes("nodes"),
        gap: given.span("gap", defaults.gap),
        hosts: if given.flag("names", true) { settings.hosts } else { Vec::new() },
        is_ascii: given.flag("ascii", defaults.is_ascii),
        shows_states: given.flag("states", defaults.shows_states),
        style: settings.style,
    };
    let observer = Box::new(Ladder::new(options, settings.sink.clone()));
    given.is_right().then_some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}
