//! Loss: each frame is lost with the same chance, whatever became of the others (Bernoulli).
//!
//! The key `loss` also reads the bursty kind, which is [`BurstLoss`].

use std::fmt;

use super::{BurstLoss, CHANCE, Fate, Impairment, ImpairmentBuilder, NONE_FORM, burst_loss, field, is_table, optional};
use crate::read::{Field, Form, Item, Kind, Need, Read, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Chance;
use crate::wire::Frame;

pub(super) const KIND: Kind<ImpairmentBuilder> = Kind {
    name: "loss",
    doc: "Loses frames by chance: each alone, or in bursts (`gilbert-elliott`).",
    example: "loss = \"1%\"",
    fields: &[
        KIND_FIELD,
        Field {
            name: "chance",
            form: Form::Chance,
            need: Need::Optional,
            doc: "How likely each frame is lost; belongs to `bernoulli`.",
        },
        optional(burst_loss::P),
        optional(burst_loss::R),
        burst_loss::GOOD,
        burst_loss::BAD,
    ],
    build,
};

pub(super) const FIELD: Field = field(&KIND, Form::Either(&[Form::Chance, Form::Table(KIND.fields), NONE_FORM]));

const BERNOULLI: &str = "bernoulli";
const GILBERT_ELLIOTT: &str = "gilbert-elliott";

const KIND_FIELD: Field = Field {
    name: "kind",
    form: Form::OneOf(&[BERNOULLI, GILBERT_ELLIOTT]),
    need: Need::Default(BERNOULLI),
    doc: "Whether frames are lost independently or in bursts.",
};

static BERNOULLI_FIELDS: &[Field] = &[KIND_FIELD, CHANCE];
static GILBERT_ELLIOTT_FIELDS: &[Field] =
    &[KIND_FIELD, burst_loss::P, burst_loss::R, burst_loss::GOOD, burst_loss::BAD];

/// Loses each frame with the same chance.
///
/// Typical: wired Ethernet 0%, a good radio link 0.1%, a bad one 2%; TCP suffers from 1% on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// How likely each frame is lost.
    pub chance: Chance,
}

impl Impairment for Loss {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn judge(&mut self, _frame: &Frame, _now: Time, rng: &mut Rng) -> Fate {
        if rng.happens(self.chance) { Fate::Drop } else { Fate::Pass }
    }

    fn boxed(&self) -> Box<dyn Impairment> {
        Box::new(*self)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chance.fmt(f)
    }
}

fn build(item: &Item<'_>) -> Option<Box<dyn Impairment>> {
    if !is_table(item) {
        return Some(Box::new(Loss { chance: Chance::read(item)? }));
    }
    let table = Table::read(item)?;
    let kind = if table.has("kind") { table.one_of("kind", &[BERNOULLI, GILBERT_ELLIOTT])? } else { BERNOULLI };
    if kind == GILBERT_ELLIOTT {
        table.check(&[GILBERT_ELLIOTT_FIELDS], &[]);
        return Some(Box::new(BurstLoss::read(&table)?));
    }
    table.check(&[BERNOULLI_FIELDS], &[]);
    Some(Box::new(Loss { chance: table.get("chance")? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::{problems_of, read_example};

    fn built(text: &str) -> String {
        read_example(text, |table| build(&table.item("loss").unwrap())).unwrap().to_string()
    }

    #[test]
    fn loss_is_read_in_each_of_its_forms() {
        assert_eq!(built("loss = '1%'"), "1%");
        assert_eq!(built("loss = { chance = '1/1000' }"), "0.1%");
        assert_eq!(
            built("loss = { kind = 'gilbert-elliott', p = '1%', r = '30%', bad = '50%' }"),
            "gilbert-elliott, p 1%, r 30%, good 0%, bad 50%"
        );
    }

    #[test]
    fn a_key_of_the_other_form_a_bare_number_and_an_unknown_kind_are_mistakes() {
        let problems = |text: &str| problems_of(text, |table| drop(build(&table.item("loss").unwrap()))).join("; ");
        assert!(problems("loss = { chance = '1%', p = '1%' }").contains("unknown key `p`"));
        assert!(problems("loss = { kind = 'gilbert-elliott', chance = '1%', p = '1%' }").contains("lacks `r`"));
        assert!(problems("loss = 0.01").contains("needs a unit"));
        assert!(problems("loss = { kind = 'gilbert' }").contains("cannot be `gilbert`"));
    }
}
