//! Jitter: each frame takes a little longer than the last, or a little less.
//!
//! What is drawn is *added* to the link's delay and is never negative. Frames keep their order, as on a real link whose
//! queue is what makes them late: a frame that would overtake arrives together with the one before it. Only
//! `reorder = true` lets them overtake.

use std::fmt;
use std::time::Duration;

use super::{Fate, Impairment, ImpairmentBuilder, NONE_FORM, field, is_table, optional};
use crate::read::{Diagnostic, Field, Form, Item, Kind, Located, Need, Read, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::format_duration;
use crate::wire::Frame;

/// No draw of a normal or Pareto jitter exceeds this: the tail of a Pareto reaches further than any run.
pub const DRAW_MAX: Duration = Duration::from_secs(3600);

pub(super) const KIND: Kind<ImpairmentBuilder> = Kind {
    name: "jitter",
    doc: "Adds a random time to each frame's delay; `\"2ms\"` alone means uniform from nothing to 2 ms.",
    example: "jitter = { dist = \"normal\", mean = \"6ms\", sd = \"2ms\" }",
    fields: &[DIST, LEAST, optional(MOST), MEAN, optional(SD), optional(SCALE), SHAPE, REORDER],
    build,
};

pub(super) const FIELD: Field = field(&KIND, Form::Either(&[Form::Duration, Form::Table(KIND.fields), NONE_FORM]));

const DIST: Field = Field {
    name: "dist",
    form: Form::OneOf(&DISTRIBUTIONS),
    need: Need::Default("uniform"),
    doc: "How the added time is distributed.",
};

const LEAST: Field = Field {
    name: "least",
    form: Form::Duration,
    need: Need::Default("0s"),
    doc: "`uniform`: the least that is added.",
};

const MOST: Field = Field {
    name: "most",
    form: Form::Duration,
    need: Need::Required,
    doc: "`uniform`: the most that is added; everything between is equally likely.",
};

const MEAN: Field = Field {
    name: "mean",
    form: Form::Duration,
    need: Need::Default("0s"),
    doc: "`normal`: the mean of what is drawn; negative draws count as zero, so take three times `sd` for a true bell.",
};

const SD: Field = Field {
    name: "sd",
    form: Form::Duration,
    need: Need::Required,
    doc: "`normal`: the standard deviation of what is drawn; negative draws count as zero.",
};

const SCALE: Field = Field {
    name: "scale",
    form: Form::Duration,
    need: Need::Required,
    doc: "`pareto`: the least that is added, and the most common.",
};

const SHAPE: Field = Field {
    name: "shape",
    form: Form::Any,
    need: Need::Default("3"),
    doc: "`pareto`: how thin the tail is, a number above 1; the mean is `scale * shape / (shape - 1)`.",
};

const REORDER: Field = Field {
    name: "reorder",
    form: Form::Boolean,
    need: Need::Default("false"),
    doc: "Whether a frame may overtake one that was drawn a longer time.",
};

const DISTRIBUTIONS: [&str; 3] = ["normal", "pareto", "uniform"];
static NORMAL_FIELDS: &[Field] = &[DIST, MEAN, SD, REORDER];
static PARETO_FIELDS: &[Field] = &[DIST, SCALE, SHAPE, REORDER];
static UNIFORM_FIELDS: &[Field] = &[DIST, LEAST, MOST, REORDER];

/// What a jitter draws from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// The bell; negative draws count as zero.
    Normal {
        /// The mean of what is drawn.
        mean: Duration,
        /// The standard deviation of what is drawn.
        sd: Duration,
    },
    /// Mostly little, seldom very much: how queues elsewhere on a path look from here.
    Pareto {
        /// The least.
        scale: Duration,
        /// How thin the tail is; above 1.
        shape: f64,
    },
    /// All equally likely, both ends included.
    Uniform {
        /// The least.
        least: Duration,
        /// The most.
        most: Duration,
    },
}

/// Adds a random time to each frame's delay.
///
/// Typical: Ethernet 10 us, a home's radio link 2 ms, a mobile network 10 ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter {
    /// What is drawn from.
    pub spread: Spread,
    /// Whether frames may overtake each other.
    pub reorder: bool,
}

impl Jitter {
    fn draw(&self, rng: &mut Rng) -> Duration {
        match self.spread {
            Spread::Normal { mean, sd } => from_nanos(nanos(mean) + nanos(sd) * rng.normal()),
            Spread::Pareto { scale, shape } => from_nanos(nanos(scale) * rng.pareto(shape)),
            Spread::Uniform { least, most } => least.saturating_add(rng.up_to(most.saturating_sub(least))),
        }
    }
}

impl Impairment for Jitter {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn judge(&mut self, _frame: &Frame, _now: Time, rng: &mut Rng) -> Fate {
        let drawn = self.draw(rng);
        if self.reorder { Fate::DelayFreely(drawn) } else { Fate::Delay(drawn) }
    }

    fn boxed(&self) -> Box<dyn Impairment> {
        Box::new(*self)
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spread {
            Spread::Normal { mean, sd } => {
                write!(f, "normal, mean {}, sd {}", format_duration(mean), format_duration(sd))?;
            }
            Spread::Pareto { scale, shape } => write!(f, "pareto, scale {}, shape {shape}", format_duration(scale))?,
            Spread::Uniform { least, most } if least.is_zero() => f.write_str(&format_duration(most))?,
            Spread::Uniform { least, most } => {
                write!(f, "uniform, least {}, most {}", format_duration(least), format_duration(most))?;
            }
        }
        f.write_str(if self.reorder { ", reordering" } else { "" })
    }
}

fn build(item: &Item<'_>) -> Option<Box<dyn Impairment>> {
    if !is_table(item) {
        let spread = Spread::Uniform { least: Duration::ZERO, most: Duration::read(item)? };
        return Some(Box::new(Jitter { spread, reorder: false }));
    }
    let table = Table::read(item)?;
    let dist = if table.has("dist") { table.one_of("dist", &DISTRIBUTIONS)? } else { "uniform" };
    let spread = match dist {
        "normal" => {
            table.check(&[NORMAL_FIELDS], &[]);
            Spread::Normal { mean: table.get_or("mean", Duration::ZERO), sd: table.get("sd")? }
        }
        "pareto" => {
            table.check(&[PARETO_FIELDS], &[]);
            let (scale, shape) = (table.get("scale"), read_shape(&table));
            Spread::Pareto { scale: scale?, shape: shape? }
        }
        _ => {
            table.check(&[UNIFORM_FIELDS], &[]);
            read_uniform(&table)?
        }
    };
    Some(Box::new(Jitter { spread, reorder: table.get_or("reorder", false) }))
}

fn read_shape(table: &Table<'_>) -> Option<f64> {
    let Some(item) = table.item("shape") else { return Some(3.0) };
    let shape = f64::read(&item)?;
    if shape > 1.0 {
        return Some(shape);
    }
    item.reader.report(
        Diagnostic::new(item.span.clone(), format!("`{}` must be above 1", item.path))
            .label("at 1 or below, the mean delay is infinite"),
    );
    None
}

fn read_uniform(table: &Table<'_>) -> Option<Spread> {
    let least: Duration = table.get_or("least", Duration::ZERO);
    let most: Located<Duration> = table.get("most")?;
    if least > most.value {
        table.report("most", "`most` is less than `least`", format!("at least {}", format_duration(least)));
        return None;
    }
    Some(Spread::Uniform { least, most: most.value })
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// Whole nanoseconds, rounded down, between zero and [`DRAW_MAX`].
fn from_nanos(nanoseconds: f64) -> Duration {
    // The cast saturates: what is negative becomes zero, what is infinite the largest number.
    Duration::from_nanos(nanoseconds as u64).min(DRAW_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::{problems_of, read_example};

    fn built(text: &str) -> String {
        read_example(text, |table| build(&table.item("jitter").unwrap())).unwrap().to_string()
    }

    #[test]
    fn jitter_is_read_in_each_of_its_forms() {
        assert_eq!(built("jitter = '2ms'"), "2ms");
        assert_eq!(built("jitter = { most = '2ms', reorder = true }"), "2ms, reordering");
        assert_eq!(built("jitter = { least = '1ms', most = '2ms' }"), "uniform, least 1ms, most 2ms");
        assert_eq!(built("jitter = { dist = 'normal', sd = '2ms' }"), "normal, mean 0s, sd 2ms");
        assert_eq!(built("jitter = { dist = 'pareto', scale = '1ms', shape = 2.5 }"), "pareto, scale 1ms, shape 2.5");
    }

    #[test]
    fn what_makes_no_sense_is_a_mistake() {
        let problems = |text: &str| problems_of(text, |table| drop(build(&table.item("jitter").unwrap()))).join("; ");
        assert!(problems("jitter = { dist = 'normal', most = '2ms' }").contains("lacks `sd`"));
        assert!(problems("jitter = { dist = 'pareto', scale = '1ms', shape = 1 }").contains("must be above 1"));
        assert!(problems("jitter = { dist = 'parteo', scale = '1ms' }").contains("cannot be `parteo`"));
        assert!(problems("jitter = { least = '3ms', most = '2ms' }").contains("less than `least`"));
        assert!(problems("jitter = 2").contains("needs a unit"));
    }

    #[test]
    fn no_draw_is_negative_or_endless() {
        assert_eq!(from_nanos(-5.0), Duration::ZERO);
        assert_eq!(from_nanos(f64::INFINITY), DRAW_MAX);
        assert_eq!(from_nanos(f64::NAN), Duration::ZERO);
    }
}
