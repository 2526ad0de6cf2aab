//! One property of a link: read by its name, applied to a pipe during the run, told in a note.

use std::fmt;
use std::time::Duration;

use toml::de::DeValue;

use super::impair::{self, Impairment};
use super::pipe::Pipe;
use super::queue::QueueLimit;
use super::spec::PIPE_FIELDS;
use crate::id::RuleId;
use crate::read::{Diagnostic, Item, Located, Read};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::{Rate, format_duration};

/// The least MTU of a link.
///
/// RFC 791 §3.2: "Every internet module must be able to forward a datagram of 68 octets without further
/// fragmentation."
pub const MTU_MIN: usize = 68;

/// The largest MTU of a link: no IPv4 packet is longer.
pub const MTU_MAX: usize = 65_535;

/// How a scenario writes that there is no rate, or not this impairment.
pub(super) const NONE: &str = "none";

/// One property of one direction of a link.
///
/// Prints as a note tells it: `delay = 200ms`.
#[derive(Debug, Clone)]
pub enum Property {
    /// Propagation delay.
    Delay(Duration),
    /// An impairment in its place, or none.
    Impairment {
        /// Which: `loss`.
        kind: &'static str,
        /// `None` switches it off.
        impairment: Option<Box<dyn Impairment>>,
    },
    /// The largest packet, from [`MTU_MIN`] to [`MTU_MAX`].
    Mtu(usize),
    /// How much may wait.
    Queue(QueueLimit),
    /// How fast frames are clocked out, or in no time.
    Rate(Option<Rate>),
}

impl Property {
    /// Whether this is the name of a property.
    #[must_use]
    pub fn is_one(key: &str) -> bool {
        PIPE_FIELDS.iter().any(|field| field.name == key)
    }

    /// Reads the property called `key` from its value; `None` if there is no such property or its value is wrong, which
    /// has then been reported.
    #[must_use]
    pub fn read(key: &Located<&str>, item: &Item<'_>) -> Option<Self> {
        let is_none = matches!(item.value, DeValue::String(text) if text == NONE);
        match key.value {
            "delay" => Duration::read(item).map(Self::Delay),
            "mtu" => read_mtu(item).map(Self::Mtu),
            "queue" => QueueLimit::read(item).map(Self::Queue),
            "rate" if is_none => Some(Self::Rate(None)),
            "rate" => Rate::read(item).map(|rate| Self::Rate(Some(rate))),
            name => {
                let Some(kind) = impair::KINDS.iter().find(|kind| kind.name == name) else {
                    item.reader.report(
                        Diagnostic::new(key.span.clone(), format!("a link has no property `{name}`"))
                            .not_among(name, PIPE_FIELDS.iter().map(|field| field.name)),
                    );
                    return None;
                };
                let impairment = if is_none { None } else { Some((kind.build)(item)?) };
                Some(Self::Impairment { kind: kind.name, impairment })
            }
        }
    }

    /// Lets the property hold on a pipe from `now` on: for frames whose transmission has not begun (delay, rate), or
    /// for frames to come (all others). The caller asks the pipe's next arrival anew.
    ///
    /// `enrol` is asked for a rule and a stream when an impairment is set that the pipe never had, by its kind. An
    /// impairment that is changed, or switched off and on, keeps its luck.
    pub fn apply(&self, pipe: &mut Pipe, now: Time, enrol: impl FnOnce(&'static str) -> (RuleId, Rng)) {
        match self {
            Self::Delay(delay) => pipe.set_delay(*delay, now),
            Self::Impairment { kind, impairment } => {
                if let Err(Some(newcomer)) = pipe.set_impairment(kind, impairment.clone()) {
                    let (rule, rng) = enrol(kind);
                    pipe.add_impairment(rule, rng, newcomer);
                }
            }
            Self::Mtu(mtu) => pipe.set_mtu(*mtu),
            Self::Queue(limit) => pipe.set_queue(*limit),
            Self::Rate(rate) => pipe.set_rate(*rate, now),
        }
    }
}

fn read_mtu(item: &Item<'_>) -> Option<usize> {
    let mtu = i64::read(item)?;
    let fits = usize::try_from(mtu).ok().filter(|mtu| (MTU_MIN..=MTU_MAX).contains(mtu));
    if fits.is_none() {
        item.reader.report(
            Diagnostic::new(item.span.clone(), format!("`{}` is out of range", item.path))
                .label(format!("from {MTU_MIN} to {MTU_MAX}"))
                .note("the link header does not count; Ethernet has 1500"),
        );
    }
    fits
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(delay) => write!(f, "delay = {}", format_duration(*delay)),
            Self::Impairment { kind, impairment: Some(impairment) } => write!(f, "{kind} = {impairment}"),
            Self::Impairment { kind, impairment: None } => write!(f, "{kind} = {NONE}"),
            Self::Mtu(mtu) => write!(f, "mtu = {mtu}"),
            Self::Queue(limit) => write!(f, "queue = {limit}"),
            Self::Rate(Some(rate)) => write!(f, "rate = {rate}"),
            Self::Rate(None) => write!(f, "rate = {NONE}"),
        }
    }
}
