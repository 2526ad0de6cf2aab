//! Corruption: now and then one bit of a frame is flipped on its way.
//!
//! The flip is one that the link's own frame check did not catch: the frame arrives, and the checksums of IP, TCP or
//! UDP are what is left to notice it.

use std::fmt;

use super::{CHANCE_FIELDS, Fate, Impairment, ImpairmentBuilder, NONE_FORM, field, read_chance};
use crate::read::{Field, Form, Item, Kind};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Chance;
use crate::wire::Frame;

pub(super) const KIND: Kind<ImpairmentBuilder> = Kind {
    name: "corrupt",
    doc: "Flips one bit of a frame, headers included, each bit equally likely.",
    example: "corrupt = \"0.1%\"",
    fields: CHANCE_FIELDS,
    build,
};

pub(super) const FIELD: Field = field(&KIND, Form::Either(&[Form::Chance, Form::Table(CHANCE_FIELDS), NONE_FORM]));

/// Flips one bit of some frames.
///
/// Typical: of real packets, one in 1,100 to 32,000 failed TCP's checksum although every link's own check had passed
/// (Stone and Partridge, "When the CRC and TCP Checksum Disagree", 2000); for a lesson, take 1%.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt {
    /// How likely each frame is damaged.
    pub chance: Chance,
}

impl Impairment for Corrupt {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn judge(&mut self, frame: &Frame, _now: Time, rng: &mut Rng) -> Fate {
        let happens = rng.happens(self.chance);
        let place = rng.below(frame.len() as u64 * 8);
        if !happens || frame.is_empty() {
            return Fate::Pass;
        }
        Fate::Corrupt { byte: u32::try_from(place / 8).unwrap_or(u32::MAX), bit: (place % 8) as u8 }
    }

    fn boxed(&self) -> Box<dyn Impairment> {
        Box::new(*self)
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chance.fmt(f)
    }
}

fn build(item: &Item<'_>) -> Option<Box<dyn Impairment>> {
    Some(Box::new(Corrupt { chance: read_chance(item)? }))
}
