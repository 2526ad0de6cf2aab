//! Where nodes and links put what they want done.
//!
//! Outputs are collected, not called: nobody holds a reference to the network. The loop hands one [`Outbox`] to
//! whomever it calls, and carries out its [`Effect`]s, in order, when the call returns.

use super::{Alteration, Cause};
use crate::id::{AppId, FrameId, PortId, RuleId};
use crate::wire::pool::Buffer;
use crate::wire::{Frame, Pool};

/// One thing that a node or a link wants done.
#[derive(Debug)]
pub enum Effect {
    /// Tell that a frame was altered. Only collected while somebody observes.
    Altered {
        /// The frame.
        frame: FrameId,
        /// What was done to it.
        how: Alteration,
        /// Who did it.
        rule: Option<RuleId>,
    },
    /// Tell that a frame is gone, and recycle it.
    Dropped {
        /// What is gone.
        frame: Frame,
        /// Why.
        cause: Cause,
        /// The impairment or fault that did it, if one did.
        rule: Option<RuleId>,
    },
    /// Tell that a program did what no program may, and what that was.
    Misbehaved {
        /// The program.
        app: AppId,
        /// One line, with the names of the program and its machine.
        text: String,
    },
    /// Tell something worth knowing. Only collected while somebody observes.
    Note {
        /// The program that says it.
        app: Option<AppId>,
        /// One line.
        text: String,
    },
    /// Tell a secret of an encrypted connection. Only collected while somebody observes.
    Secret {
        /// One line of a key log.
        line: String,
    },
    /// Put a frame on the link at a port.
    Send {
        /// Which port of the node that is being called.
        port: PortId,
        /// The frame; the network gives it its identity.
        frame: Frame,
    },
}

/// Collects effects, lends buffers.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Buffers for new frames; every frame ends here.
    pub pool: Pool,
    effects: Vec<Effect>,
    is_observed: bool,
    keeps_timers: bool,
}

impl Outbox {
    /// An empty outbox. With `is_observed`, notes and alterations are collected too.
    #[must_use]
    pub fn new(is_observed: bool) -> Self {
        Self { is_observed, ..Self::default() }
    }

    /// Whether anybody wants to know; where not, nothing is formatted.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.is_observed
    }

    /// Says whether anybody wants to know.
    pub fn set_observed(&mut self, is_observed: bool) {
        self.is_observed = is_observed;
    }

    /// A promise of the node that is being called: its [`wake_at`](crate::node::Node::wake_at) is as it was before.
    pub fn keeps_timers(&mut self) {
        self.keeps_timers = true;
    }

    /// Whether the promise was made; it is not from now on.
    pub(crate) fn take_keeps_timers(&mut self) -> bool {
        std::mem::take(&mut self.keeps_timers)
    }

    /// Takes what has been collected if it is one frame to be sent and nothing else: what most calls end in.
    pub(crate) fn take_only_send(&mut self) -> Option<(PortId, Frame)> {
        if self.effects.len() != 1 {
            return None;
        }
        match self.effects.pop()? {
            Effect::Send { port, frame } => Some((port, frame)),
            other => {
                self.effects.push(other);
                None
            }
        }
    }

    /// Puts `frame` on the link at `port`.
    pub fn send(&mut self, port: PortId, frame: Frame) {
        self.effects.push(Effect::Send { port, frame });
    }

    /// Ends `frame`, for a cause of the caller's own.
    pub fn drop_frame(&mut self, frame: Frame, cause: Cause) {
        self.effects.push(Effect::Dropped { frame, cause, rule: None });
    }

    /// Ends `frame`, because of a named rule.
    pub fn drop_by_rule(&mut self, frame: Frame, cause: Cause, rule: RuleId) {
        self.effects.push(Effect::Dropped { frame, cause, rule: Some(rule) });
    }

    /// Tells that `rule` altered `frame`.
    pub fn altered(&mut self, frame: FrameId, how: Alteration, rule: Option<RuleId>) {
        if self.is_observed {
            self.effects.push(Effect::Altered { frame, how, rule });
        }
    }

    /// Says something worth knowing; `text` is only called while somebody observes.
    pub fn note(&mut self, app: Option<AppId>, text: impl FnOnce() -> String) {
        if self.is_observed {
            self.effects.push(Effect::Note { app, text: text() });
        }
    }

    /// Tells that a program did what no program may: whether anybody observes or not.
    pub fn misbehaved(&mut self, app: AppId, text: String) {
        self.effects.push(Effect::Misbehaved { app, text });
    }

    /// Tells a secret of an encrypted connection; `line` is only called while somebody observes.
    pub fn secret(&mut self, line: impl FnOnce() -> String) {
        if self.is_observed {
            self.effects.push(Effect::Secret { line: line() });
        }
    }

    /// Ends `frame` without a word: it was consumed by whom it was meant for.
    pub fn consume(&mut self, frame: Frame) {
        frame.recycle(&mut self.pool);
    }

    /// A buffer of `length` bytes of unspecified contents.
    pub fn buffer(&mut self, length: usize) -> Buffer {
        self.pool.take(length)
    }

    /// Takes what has been collected, leaving `empty` (an empty vector with room) in its place.
    pub fn swap_effects(&mut self, empty: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, empty);
    }

    /// What has been collected so far.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }
}
