//! All who decide about a frame: the fault rules, then the impairments.
//!
//! Everybody judges the frame as it entered and none sees what another did to it, so that adding a rule does not change
//! what another one counts or draws. When all have spoken, a loss outweighs everything; otherwise delays add up, and
//! what is to be done to the frame is left to the pipe as a list of deeds, in the order in which they were asked for.

use std::time::Duration;

use super::fault::FaultRule;
use super::impair::{Fate, Impairment};
use crate::id::RuleId;
use crate::record::Cause;
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::Frame;

/// The fault rules and impairments of one direction of a link.
#[derive(Debug, Default)]
pub(super) struct Jury {
    faults: Vec<FaultRule>,
    impairments: Vec<Slot>,
    /// What is to be done to the frame that was judged last; the list is used again for the next.
    deeds: Vec<(RuleId, Deed)>,
}

/// The place of one kind of impairment: with a name to sign its deeds and luck of its own.
#[derive(Debug)]
struct Slot {
    kind: &'static str,
    rule: RuleId,
    rng: Rng,
    /// `None` while it is switched off.
    impairment: Option<Box<dyn Impairment>>,
}

/// Something to be done to a frame that is not lost, and told under the name of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Make a copy.
    Copy,
    /// Flip this bit of this byte, counted modulo the frame's length.
    Flip { byte: u32, bit: u8 },
    /// It was held back: only to be told.
    HeldBack(Duration),
}

/// What is added to a frame's delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delays {
    /// Later, and what follows stays behind.
    pub(super) in_order: Duration,
    /// Later still, alone: what follows may overtake.
    pub(super) alone: Option<Duration>,
}

/// What all together decided about one frame, beside the deeds.
#[derive(Debug, Default)]
pub(super) struct Sentence {
    /// Why it is lost and who did it, if it is.
    pub(super) loss: Option<(Cause, RuleId)>,
    pub(super) delays: Delays,
}

impl Jury {
    pub(super) fn add_fault(&mut self, fault: FaultRule) {
        self.faults.push(fault);
    }

    pub(super) fn add_impairment(&mut self, rule: RuleId, rng: Rng, impairment: Box<dyn Impairment>) {
        self.impairments.push(Slot { kind: impairment.kind(), rule, rng, impairment: Some(impairment) });
    }

    /// Puts another impairment, or none, in the place of the one of this kind; gives it back if there is no such place.
    pub(super) fn set_impairment(
        &mut self,
        kind: &str,
        impairment: Option<Box<dyn Impairment>>,
    ) -> Result<(), Option<Box<dyn Impairment>>> {
        match self.impairments.iter_mut().find(|slot| slot.kind == kind) {
            Some(slot) => {
                slot.impairment = impairment;
                Ok(())
            }
            None => Err(impairment),
        }
    }

    pub(super) fn faults(&self) -> &[FaultRule] {
        &self.faults
    }

    /// Whether there never was a rule or an impairment: a frame need not be judged.
    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.impairments.is_empty()
    }

    /// Asks the fault rules, then the impairments, each in the order in which they were added.
    ///
    /// Impairments are asked even about a frame that is already lost: its successor shall not inherit its luck.
    pub(super) fn judge(&mut self, frame: &mut Frame, now: Time) -> Sentence {
        if self.faults.iter().any(|fault| fault.is_live(now)) {
            // A match expression sees what a wire would carry.
            frame.complete();
        }
        let mut sentence = Sentence::default();
        self.deeds.clear();
        for fault in &mut self.faults {
            let fate = fault.judge(frame, now);
            sentence.add(fate, Cause::Fault, fault.rule(), &mut self.deeds);
        }
        for slot in &mut self.impairments {
            if let Some(impairment) = &mut slot.impairment {
                let fate = impairment.judge(frame, now, &mut slot.rng);
                sentence.add(fate, Cause::Loss, slot.rule, &mut self.deeds);
            }
        }
        sentence
    }

    /// What is to be done to the frame that was judged last. Whoever has done it gives the list back.
    pub(super) fn take_deeds(&mut self) -> Vec<(RuleId, Deed)> {
        std::mem::take(&mut self.deeds)
    }

    pub(super) fn give_back(&mut self, deeds: Vec<(RuleId, Deed)>) {
        self.deeds = deeds;
    }
}

impl Sentence {
    /// Adds the fate that `rule` has chosen; `cause` is why a frame is lost if that is the fate.
    fn add(&mut self, fate: Fate, cause: Cause, rule: RuleId, deeds: &mut Vec<(RuleId, Deed)>) {
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
