//! What all fault rules and impairments together decided about one frame.
//!
//! Everybody judges the frame as it entered and none sees what another did to it, so that adding a rule does not change
//! what another one counts or draws. When all have spoken, a loss outweighs everything; otherwise delays add up, and
//! what was done to the frame is done and told in the order in which it was asked for.

use std::time::Duration;

use super::impair::Fate;
use crate::id::RuleId;
use crate::record::Cause;

/// Something to be done to a frame that is not lost, and told under the name of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Flip this bit of this byte, counted modulo the frame's length.
    Flip { byte: u32, bit: u8 },
    /// It was held back: only to be told.
    HeldBack(Duration),
    /// Make a copy.
    Copy,
}

/// What was added to a frame's delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delays {
    /// Later, and what follows stays behind.
    pub(super) in_order: Duration,
    /// Later still, alone: what follows may overtake.
    pub(super) alone: Option<Duration>,
}

/// What all rules together decided about one frame; the deeds are kept in a list of the pipe's, which is used again.
#[derive(Debug, Default)]
pub(super) struct Sentence {
    pub(super) loss: Option<(Cause, RuleId)>,
    pub(super) delays: Delays,
}

impl Sentence {
    /// Adds the fate that `rule` has chosen; `cause` is why a frame is lost if that is the fate.
    pub(super) fn add(&mut self, fate: Fate, cause: Cause, rule: RuleId, deeds: &mut Vec<(RuleId, Deed)>) {
        match fate {
            Fate::Corrupt { byte, bit } => deeds.push((rule, Deed::Flip { byte, bit: bit & 7 })),
            Fate::Delay(delay) => self.delays.in_order = self.delays.in_order.saturating_add(delay),
            Fate::DelayFreely(delay) => self.delay_alone(delay),
            Fate::Drop => self.loss = self.loss.or(Some((cause, rule))),
            Fate::Duplicate => deeds.push((rule, Deed::Copy)),
            Fate::HoldBack(delay) => {
                self.delay_alone(delay);
                deeds.push((rule, Deed::HeldBack(delay)));
            }
            Fate::Pass => {}
        }
    }

    fn delay_alone(&mut self, delay: Duration) {
        self.delays.alone = Some(self.delays.alone.unwrap_or_default().saturating_add(delay));
    }
}
