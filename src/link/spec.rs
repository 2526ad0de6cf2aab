//! What a scenario says about a link: its properties, read and overlaid.
//!
//! ```text
//! profile ─▶ link's table ─▶ `ab` / `ba` table ─▶ PipeProperties, one for each direction ─▶ Pipe
//! ```
//!
//! Each step overrides the one before it, key by key: an impairment that is written again changes in its place, a new
//! one goes behind the others, in the order of the file. `"none"` takes an impairment or the rate away.
//!
//! The scenario floor calls [`read_link`] for a link's table, which it checks itself against [`PIPE_FIELDS`],
//! [`LINK_FIELDS`] and fields of its own (`ends`); [`PipeProperties::build`] makes the pipe. What changes during the
//! run is a [`Property`].

use std::time::Duration;

use super::impair::{self, Impairment};
use super::pipe::{DELAY_MIN, Pipe};
use super::profile;
use super::property::{MTU_MAX, MTU_MIN, NONE, Property};
use super::queue::{self, QueueLimit};
use crate::id::{Direction, PipeId, RuleId};
use crate::read::{Diagnostic, Field, Form, Need, Read, Table};
use crate::rng::Rng;
use crate::units::Rate;

/// What can be said of one direction of a link, and changed during the run: in a link's table, in `ab` and `ba`, in
/// `do = "set"` and on the command line.
pub static PIPE_FIELDS: &[Field] = &pipe_fields();

/// The transmitter's and the queue's, then those of the impairments.
const fn pipe_fields() -> [Field; PROPERTIES.len() + impair::FIELDS.len()] {
    let mut fields = [const { Field { ..PROPERTIES[0] } }; PROPERTIES.len() + impair::FIELDS.len()];
    let mut index = 0;
    while index < fields.len() {
        fields[index] = match index.checked_sub(PROPERTIES.len()) {
            None => Field { ..PROPERTIES[index] },
            Some(index) => Field { ..impair::FIELDS[index] },
        };
        index += 1;
    }
    fields
}

const PROPERTIES: [Field; 4] = [
    Field {
        name: "delay",
        form: Form::Duration,
        need: Need::Default("1ns"),
        doc: "Propagation delay: same room 1us, same city 5ms, other continent 80ms, satellite 270ms.",
    },
    Field {
        name: "rate",
        form: Form::Either(&[Form::Rate, Form::OneOf(&[NONE])]),
        need: Need::Default(NONE),
        doc: "How fast frames are clocked out, link header included; `none`: in no time.",
    },
    Field {
        name: "mtu",
        form: Form::Integer { min: MTU_MIN as i64, max: MTU_MAX as i64 },
        need: Need::Default("1500"),
        doc: "The largest packet in bytes, link header not counted.",
    },
    Field {
        name: "queue",
        form: Form::Either(&[Form::Table(queue::TABLE_FIELDS), Form::Text]),
        need: Need::Default("1000 packets"),
        doc: "How much may wait for the transmitter: `\"50 packets\"`, `\"64KiB\"`, or a table.",
    },
];

/// What else can be said of a link.
pub static LINK_FIELDS: &[Field] = &[
    Field {
        name: "profile",
        form: Form::OneOf(&profile::NAMES),
        need: Need::Optional,
        doc: "A typical link to start from; keys that are written beside it override it.",
    },
    Field {
        name: "ab",
        form: Form::Table(PIPE_FIELDS),
        need: Need::Optional,
        doc: "What differs from the first end to the second.",
    },
    Field {
        name: "ba",
        form: Form::Table(PIPE_FIELDS),
        need: Need::Optional,
        doc: "What differs from the second end to the first.",
    },
];

/// What one direction of a link is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeSpec {
    /// Propagation delay; less than [`DELAY_MIN`] counts as that. Same room 1 us, same city 5 ms, other continent
    /// 80 ms, satellite 270 ms.
    pub delay: Duration,
    /// How fast frames are clocked out, counted in bytes from the Ethernet header to the end of the payload; `None`:
    /// in no time.
    pub rate: Option<Rate>,
    /// The largest packet, link header not counted.
    pub mtu: usize,
    /// How much may wait for the transmitter.
    pub queue: QueueLimit,
}

impl Default for PipeSpec {
    /// The least delay, no rate, an MTU of 1500, a queue of 1000 frames.
    fn default() -> Self {
        Self { delay: DELAY_MIN, rate: None, mtu: 1500, queue: QueueLimit::default() }
    }
}

/// The key of a direction in a link's table and in names: `ab` or `ba`.
#[must_use]
pub fn direction_key(direction: Direction) -> &'static str {
    match direction {
        Direction::AToB => "ab",
        Direction::BToA => "ba",
    }
}

/// What an impairment is called in outputs: `wan/ab/loss`. Its random stream is `link wan/ab/loss`
/// ([`stream_name`]).
#[must_use]
pub fn rule_name(link: &str, direction: Direction, kind: &str) -> String {
    format!("{link}/{}/{kind}", direction_key(direction))
}

/// Which random stream an impairment draws from: `link wan/ab/loss`.
#[must_use]
pub fn stream_name(link: &str, direction: Direction, kind: &str) -> String {
    format!("link {}", rule_name(link, direction, kind))
}

/// An impairment as it is written somewhere.
#[derive(Debug, Clone)]
pub struct Placed {
    /// What it does.
    pub impairment: Box<dyn Impairment>,
    /// The line of the scenario that says so, from 1; `None` for what Rust code added.
    pub line: Option<u32>,
}

/// Everything about one direction of a link.
#[derive(Debug, Clone, Default)]
pub struct PipeProperties {
    /// Delay, rate, MTU, queue.
    pub spec: PipeSpec,
    /// In the order in which frames meet them; at most one of each kind.
    pub impairments: Vec<Placed>,
}

impl PipeProperties {
    /// Lets `property` hold from now on, as the line of the scenario says.
    pub fn set(&mut self, property: Property, line: Option<u32>) {
        match property {
            Property::Delay(delay) => self.spec.delay = delay,
            Property::Impairment { kind, impairment } => self.place(kind, impairment, line),
            Property::Mtu(mtu) => self.spec.mtu = mtu,
            Property::Queue(limit) => self.spec.queue = limit,
            Property::Rate(rate) => self.spec.rate = rate,
        }
    }

    /// The pipe that has these properties. `enrol` is asked for each impairment's rule and stream, by its kind and the
    /// line that wrote it; [`rule_name`] and [`stream_name`] say what they are called.
    pub fn build(&self, id: PipeId, mut enrol: impl FnMut(&'static str, Option<u32>) -> (RuleId, Rng)) -> Pipe {
        let mut pipe = Pipe::new(id, self.spec.clone());
        for placed in &self.impairments {
            let (rule, rng) = enrol(placed.impairment.kind(), placed.line);
            pipe.add_impairment(rule, rng, placed.impairment.clone());
        }
        pipe
    }

    fn place(&mut self, kind: &str, impairment: Option<Box<dyn Impairment>>, line: Option<u32>) {
        let place = self.impairments.iter().position(|placed| placed.impairment.kind() == kind);
        match (place, impairment) {
            (Some(place), Some(impairment)) => self.impairments[place] = Placed { impairment, line },
            (Some(place), None) => drop(self.impairments.remove(place)),
            (None, Some(impairment)) => self.impairments.push(Placed { impairment, line }),
            (None, None) => {}
        }
    }
}

/// Reads both directions of a link, `ab` first, from the link's table: its profile, its own keys, its `ab` and `ba`.
///
/// Mistakes in the values, and unknown keys in `ab` and `ba`, are reported; keys of the link's table that are no
/// properties of a pipe are left to the caller.
#[must_use]
pub fn read_link(table: &Table<'_>) -> [PipeProperties; 2] {
    let bases = read_profile(table).unwrap_or_default();
    // Read once, so that a mistake is reported once.
    let written = read_properties(table);
    let mut directions = bases.map(|mut base| {
        written.iter().for_each(|(property, line)| base.set(property.clone(), Some(*line)));
        base
    });
    for (direction, properties) in Direction::BOTH.into_iter().zip(&mut directions) {
        if let Some(table) = table.get::<Table<'_>>(direction_key(direction)) {
            table.check(&[PIPE_FIELDS], &[]);
            *properties = read_pipe(&table, properties);
        }
    }
    directions
}

/// Reads what a table says of one direction of a link, on top of what held before.
///
/// Keys that are no properties of a pipe are passed over: the caller checks them.
#[must_use]
pub fn read_pipe(table: &Table<'_>, base: &PipeProperties) -> PipeProperties {
    let mut properties = base.clone();
    for (property, line) in read_properties(table) {
        properties.set(property, Some(line));
    }
    properties
}

/// The properties of a pipe in a table, with their lines, in the order of the file.
fn read_properties(table: &Table<'_>) -> Vec<(Property, u32)> {
    let mut properties = Vec::new();
    for (key, item) in table.entries() {
        if Property::is_one(key.value) {
            let line = table.reader.line(key.span.start);
            properties.extend(Property::read(&key, &item).map(|property| (property, line)));
        }
    }
    properties
}

/// Both directions as the link's profile has them; `None` if it has no profile or an unknown one, which is reported.
fn read_profile(table: &Table<'_>) -> Option<[PipeProperties; 2]> {
    let item = table.item("profile")?;
    let name = String::read(&item)?;
    let Some(profile) = profile::find(&name) else {
        item.reader.report(
            Diagnostic::new(item.span.clone(), format!("no profile is called `{name}`"))
                .not_among(&name, profile::NAMES),
        );
        return None;
    };
    let line = item.reader.line(item.span.start);
    let mut directions = profile.properties();
    // Whoever asks where an impairment comes from is shown the line that names the profile.
    directions.iter_mut().flat_map(|one| &mut one.impairments).for_each(|placed| placed.line = Some(line));
    Some(directions)
}
