//! Duplication: now and then a frame arrives twice, the copy right behind it.

use std::fmt;

use super::{CHANCE_FIELDS, Fate, Impairment, ImpairmentBuilder, NONE_FORM, field, read_chance};
use crate::read::{Field, Form, Item, Kind};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Chance;
use crate::wire::Frame;

pub(super) const KIND: Kind<ImpairmentBuilder> = Kind {
    name: "duplicate",
    doc: "Delivers a copy right behind a frame; the copy takes no time of the transmitter.",
    example: "duplicate = \"1%\"",
    fields: CHANCE_FIELDS,
    build,
};

pub(super) const FIELD: Field = field(&KIND, Form::Either(&[Form::Chance, Form::Table(CHANCE_FIELDS), NONE_FORM]));

/// Delivers some frames twice.
///
/// Typical: almost never on the internet of today; a radio link whose acknowledgements get lost, 0.1%.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// How likely each frame is delivered twice.
    pub chance: Chance,
}

impl Impairment for Duplicate {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn judge(&mut self, _frame: &Frame, _now: Time, rng: &mut Rng) -> Fate {
        if rng.happens(self.chance) { Fate::Duplicate } else { Fate::Pass }
    }

    fn boxed(&self) -> Box<dyn Impairment> {
        Box::new(*self)
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chance.fmt(f)
    }
}

fn build(item: &Item<'_>) -> Option<Box<dyn Impairment>> {
    Some(Box::new(Duplicate { chance: read_chance(item)? }))
}
