//! Burst loss: the Gilbert–Elliott model, in which a link is now good, now bad.
//!
//! ```text
//!              p
//!        ┌───────────▶
//!      good           bad        each frame: first perhaps change state, then perhaps be lost
//!        ◀───────────┘
//!              r
//! ```
//!
//! In the long run the link is bad for `p / (p + r)` of the frames, and stays bad for `1 / r` frames at a time.
//! E. N. Gilbert, "Capacity of a Burst-Noise Channel", 1960; E. O. Elliott, "Estimates of Error Rates for Codes on
//! Burst-Noise Channels", 1963. Written as `loss` with that `kind`.

use std::fmt;

use super::{Fate, Impairment};
use crate::read::{Field, Form, Need, Table};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Chance;
use crate::wire::Frame;

pub(super) const P: Field = Field {
    name: "p",
    form: Form::Chance,
    need: Need::Required,
    doc: "`gilbert-elliott`: how likely a good link turns bad, before each frame.",
};

pub(super) const R: Field = Field {
    name: "r",
    form: Form::Chance,
    need: Need::Required,
    doc: "`gilbert-elliott`: how likely a bad link turns good, before each frame; bursts are `1/r` frames long.",
};

pub(super) const GOOD: Field = Field {
    name: "good",
    form: Form::Chance,
    need: Need::Default("0%"),
    doc: "`gilbert-elliott`: how likely a frame is lost while the link is good.",
};

pub(super) const BAD: Field = Field {
    name: "bad",
    form: Form::Chance,
    need: Need::Default("100%"),
    doc: "`gilbert-elliott`: how likely a frame is lost while the link is bad.",
};

/// Loses frames in bursts. A link begins good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstLoss {
    /// How likely a good link turns bad, before each frame.
    p: Chance,
    /// How likely a bad link turns good, before each frame. Never: it stays bad for good.
    r: Chance,
    /// How likely a frame is lost while the link is good.
    good: Chance,
    /// How likely a frame is lost while the link is bad.
    bad: Chance,
    is_bad: bool,
}

impl BurstLoss {
    /// A link that is good, turns bad with chance `p` and good again with chance `r`; what is bad loses every frame.
    #[must_use]
    pub fn new(p: Chance, r: Chance) -> Self {
        Self { p, r, good: Chance::NEVER, bad: Chance::ALWAYS, is_bad: false }
    }

    /// The same, losing with chance `good` while the link is good, and with chance `bad` while it is bad.
    #[must_use]
    pub fn losing(self, good: Chance, bad: Chance) -> Self {
        Self { good, bad, ..self }
    }

    /// Reads the table form, whose keys the caller has checked.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let (p, r) = (table.get("p"), table.get("r"));
        let (good, bad) = (table.get_or("good", Chance::NEVER), table.get_or("bad", Chance::ALWAYS));
        Some(Self::new(p?, r?).losing(good, bad))
    }
}

impl Impairment for BurstLoss {
    fn kind(&self) -> &'static str {
        "loss"
    }

    fn judge(&mut self, _frame: &Frame, _now: Time, rng: &mut Rng) -> Fate {
        let changes = rng.happens(if self.is_bad { self.r } else { self.p });
        self.is_bad ^= changes;
        if rng.happens(if self.is_bad { self.bad } else { self.good }) { Fate::Drop } else { Fate::Pass }
    }

    fn boxed(&self) -> Box<dyn Impairment> {
        Box::new(*self)
    }
}

impl fmt::Display for BurstLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gilbert-elliott, p {}, r {}, good {}, bad {}", self.p, self.r, self.good, self.bad)
    }
}
