//! Impairments: what a link does to frames by chance.
//!
//! Each impairment is one file with one type, which looks at a frame and answers with a [`Fate`]. It draws from a
//! stream of its own that it is handed, knows nothing of queues or time to come, and never touches the frame. To add
//! one, write its file, then `mod x;`, `pub use`, `x::KIND` and `x::FIELD` below.

mod burst_loss;
mod corrupt;
mod duplicate;
mod jitter;
mod loss;
mod reorder;

pub use burst_loss::BurstLoss;
pub use corrupt::Corrupt;
pub use duplicate::Duplicate;
pub use jitter::{DRAW_MAX, Jitter, Spread};
pub use loss::Loss;
pub use reorder::Reorder;

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use crate::read::{Field, Form, Item, Kind, Need, Read, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Chance;
use crate::wire::Frame;

/// What becomes of a frame: a small closed set, so that the pipe does the work once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// One bit is flipped: bit `bit` (7 is the highest) of byte `byte`, counted from the Ethernet header.
    Corrupt {
        /// Byte offset; taken modulo the frame's length.
        byte: u32,
        /// 0 to 7.
        bit: u8,
    },
    /// It arrives later, and what follows it stays behind it.
    Delay(Duration),
    /// It arrives later, and what follows may overtake it. As ordinary as the delay itself: nobody is told.
    DelayFreely(Duration),
    /// It is lost.
    Drop,
    /// A copy arrives right behind it.
    Duplicate,
    /// It arrives later, what follows may overtake it, and that is worth telling.
    HoldBack(Duration),
    /// Nothing happens to it.
    Pass,
}

/// Something that a link does to frames by chance.
///
/// It prints as what a scenario says of it, without quotes: `1%`.
pub trait Impairment: Send + fmt::Debug + fmt::Display {
    /// Its key in a link's table: `loss`.
    fn kind(&self) -> &'static str;

    /// Decides about one frame that enters the link now. Draws the same number of values whatever it decides, so that
    /// changing a chance does not move later draws.
    fn judge(&mut self, frame: &Frame, now: Time, rng: &mut Rng) -> Fate;

    /// The same impairment, state included, in a box of its own: each direction of a link has one.
    fn boxed(&self) -> Box<dyn Impairment>;
}

impl Clone for Box<dyn Impairment> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

/// Makes an impairment from the value of its key, in the short form or as a table. `None`: a mistake was reported.
pub type ImpairmentBuilder = fn(&Item<'_>) -> Option<Box<dyn Impairment>>;

/// Every impairment that a scenario can name, in alphabetical order.
pub static KINDS: &[Kind<ImpairmentBuilder>] =
    &[corrupt::KIND, duplicate::KIND, jitter::KIND, loss::KIND, reorder::KIND];

/// The keys by which a link's table names them.
pub(super) static FIELDS: &[Field] = &[corrupt::FIELD, duplicate::FIELD, jitter::FIELD, loss::FIELD, reorder::FIELD];

/// The only key of those impairments that are nothing but a chance.
const CHANCE: Field =
    Field { name: "chance", form: Form::Chance, need: Need::Required, doc: "How likely it is for each frame." };

/// The table form of those impairments that are nothing but a chance.
const CHANCE_FIELDS: &[Field] = &[CHANCE];

/// Reads `"1%"`, or the same as a table, `{ chance = "1%" }`.
fn read_chance(item: &Item<'_>) -> Option<Chance> {
    if !is_table(item) {
        return Chance::read(item);
    }
    let table = Table::read(item)?;
    table.check(&[CHANCE_FIELDS], &[]);
    table.get("chance")
}

/// The key of a link's table that names an impairment of this kind.
const fn field(kind: &Kind<ImpairmentBuilder>, form: Form) -> Field {
    Field { name: kind.name, form, need: Need::Optional, doc: kind.doc }
}

/// What takes an impairment away that a profile, or the link for both directions, has.
const NONE_FORM: Form = Form::OneOf(&[super::property::NONE]);

/// The same field as the table shows it that lists the keys of all forms: only one of them is written at a time.
const fn optional(field: Field) -> Field {
    Field { need: Need::Optional, ..field }
}

fn is_table(item: &Item<'_>) -> bool {
    matches!(item.value, DeValue::Table(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::read_example;

    #[test]
    fn every_kind_has_a_name_of_its_own_a_sentence_and_an_example_that_builds_it() {
        for kind in KINDS {
            assert!(kind.doc.ends_with('.'), "{}", kind.name);
            assert!(kind.fields.iter().all(|field| field.doc.ends_with('.')), "{}", kind.name);
            let built = read_example(kind.example, |table| (kind.build)(&table.item(kind.name).unwrap()));
            assert_eq!(built.unwrap().kind(), kind.name);
        }
        assert!(KINDS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn an_unknown_key_in_the_table_form_is_a_mistake_for_every_kind() {
        for kind in KINDS {
            let (_, rest) = kind.example.split_once('=').unwrap();
            let table = if rest.trim().starts_with('{') {
                kind.example.replacen('{', "{ colour = \"red\", ", 1)
            } else {
                format!("{} = {{ colour = \"red\" }}", kind.name)
            };
            let problems = crate::link::tests::problems_of(&table, |table| {
                (kind.build)(&table.item(kind.name).unwrap());
            });
            assert!(problems.iter().any(|problem| problem.contains("unknown key `colour`")), "{table}: {problems:?}");
        }
    }

    #[test]
    fn every_file_of_an_impairment_is_in_the_table() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/link/impair");
        for entry in std::fs::read_dir(here).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = name.trim_end_matches(".rs");
            // Burst loss is a form of `loss`.
            let is_listed = KINDS.iter().any(|kind| kind.name == stem) || ["mod", "burst_loss"].contains(&stem);
            assert!(is_listed, "{name} has no row in KINDS");
        }
    }
}
