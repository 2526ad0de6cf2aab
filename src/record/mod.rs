//! What happened, where, why.
//!
//! Nodes and links put what they want done, and what they want known, into an [`Outbox`]; the network carries it out
//! and tells every [`Observer`] in [`Record`]s. With no observer nothing is told and nothing is spent on telling.

mod cause;
mod names;
mod outbox;
mod value;

pub use cause::Cause;
pub use names::{AppName, Interface, LinkName, Names, NodeName, RuleName};
pub use outbox::{Effect, Outbox};
pub use value::Value;

use crate::id::{AppId, FrameId, NodeId, PipeId, PortId, RuleId};
use crate::time::Time;
use crate::wire::Frame;
use std::time::Duration;

/// Where something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Inside a node.
    Node(NodeId),
    /// On one direction of a link.
    Pipe(PipeId),
    /// Where a link is plugged into a node.
    Port(NodeId, PortId),
}

/// Something that did happen.
#[derive(Debug)]
pub struct Record<'a> {
    /// When.
    pub at: Time,
    /// Where.
    pub place: Place,
    /// What.
    pub what: What<'a>,
}

/// What a [`Record`] tells. Frames in it have complete checksums.
#[derive(Debug)]
pub enum What<'a> {
    /// A link did something to a frame that it still delivers. At a [`Place::Pipe`].
    Altered {
        /// The frame, told of by an earlier [`What::Sent`].
        frame: FrameId,
        /// What was done.
        how: Alteration,
        /// Who did it.
        rule: Option<RuleId>,
    },
    /// A frame reached the far end. At a [`Place::Port`].
    Delivered {
        /// As it arrived: perhaps damaged.
        frame: &'a Frame,
    },
    /// A frame, or a packet that had not become one yet, is gone. At any place.
    Dropped {
        /// As it was then.
        frame: &'a Frame,
        /// Why.
        cause: Cause,
        /// The impairment or fault that did it, if one did.
        rule: Option<RuleId>,
    },
    /// A link went up or down. At a [`Place::Pipe`], once for each direction.
    LinkIsUp(bool),
    /// A node or a program says something worth knowing. At a [`Place::Node`].
    Note {
        /// The program that says it; `None` for the node itself.
        app: Option<AppId>,
        /// One line, without a full stop; a view of a node's state has more below it.
        text: &'a str,
    },
    /// A program tells what its encrypted connections can be read with. At a [`Place::Node`].
    Secret {
        /// One line as TLS libraries write it into `SSLKEYLOGFILE`, without its end.
        line: &'a str,
    },
    /// A frame was put on a link. At a [`Place::Port`].
    Sent {
        /// As it was sent.
        frame: &'a Frame,
    },
}

/// What a link did to a frame without dropping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// One bit was flipped: bit `bit` (7 is the highest) of byte `byte` of the frame.
    Corrupted {
        /// Byte offset from the start of the frame.
        byte: u32,
        /// 0 to 7.
        bit: u8,
    },
    /// It arrives this much later than it would have.
    Delayed(Duration),
    /// A copy was made, which is a frame of its own.
    Duplicated {
        /// The copy.
        copy: FrameId,
    },
}

/// Somebody who watches a run: a trace, a capture, an expectation. Never touches a frame.
pub trait Observer: Send {
    /// Sees one record. Records come in the order of virtual time.
    fn record(&mut self, record: &Record<'_>, names: &Names);

    /// All that happens until `now` has happened, and somebody may be looking at what was written so far. What is written
    /// in the end must not depend on whether, or when, this is called.
    fn flush(&mut self, _now: Time, _names: &Names) {}

    /// The run is over; `now` is its end.
    fn finish(&mut self, _now: Time, _names: &Names) {}
}
