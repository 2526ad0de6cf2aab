//! Reordering: now and then a frame is held back, and those behind it overtake.

use std::fmt;
use std::time::Duration;

use super::{CHANCE, Fate, Impairment, ImpairmentBuilder, NONE_FORM, field, is_table};
use crate::read::{Field, Form, Item, Kind, Need, Read, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::{Chance, format_duration};
use crate::wire::Frame;

pub(super) const KIND: Kind<ImpairmentBuilder> = Kind {
    name: "reorder",
    doc: "Holds some frames back, so that those behind them overtake.",
    example: "reorder = { chance = \"5%\", by = \"3ms\" }",
    fields: FIELDS,
    build,
};

pub(super) const FIELD: Field = field(&KIND, Form::Either(&[Form::Table(FIELDS), NONE_FORM]));

const FIELDS: &[Field] = &[
    CHANCE,
    Field {
        name: "by",
        form: Form::Duration,
        need: Need::Required,
        doc: "How much later a frame arrives that is held back; to be overtaken, more than the gap to the next.",
    },
];

/// Holds some frames back.
///
/// Typical: parallel paths of slightly different length, 0.1% by 1 ms. A TCP takes three later segments for a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reorder {
    /// How likely each frame is held back.
    pub chance: Chance,
    /// How much later it then arrives.
    pub by: Duration,
}

impl Impairment for Reorder {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn judge(&mut self, _frame: &Frame, _now: Time, rng: &mut Rng) -> Fate {
        if rng.happens(self.chance) { Fate::HoldBack(self.by) } else { Fate::Pass }
    }

    fn boxed(&self) -> Box<dyn Impairment> {
        Box::new(*self)
    }
}

impl fmt::Display for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.chance, format_duration(self.by))
    }
}

fn build(item: &Item<'_>) -> Option<Box<dyn Impairment>> {
    if !is_table(item) {
        // How long to hold a frame back has no natural default: it depends on the traffic.
        item.expected("a table such as `{ chance = \"5%\", by = \"3ms\" }`");
        return None;
    }
    let table = Table::read(item)?;
    table.check(&[FIELDS], &[]);
    let (chance, by) = (table.get("chance"), table.get("by"));
    Some(Box::new(Reorder { chance: chance?, by: by? }))
}
