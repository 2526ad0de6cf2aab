//! What happened, as arrows and remarks between nodes, collected while the run goes on.

use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::STEPS_MAX;
use crate::filter::Filter;
use crate::id::{FrameId, NodeId, PipeId};
use crate::output::journal::{Journal, Relation, hash_number};
use crate::output::places::{Places, Selection, Wiring, opposite};
use crate::output::spell::{Speller, alteration, because, with_reference};
use crate::record::{Alteration, Names, Place, Record, What};
use crate::time::Time;
use crate::wire::Frame;

#[expect(clippy::disallowed_types, reason = "the hasher is fixed and the map is only looked up in")]
type StepMap = std::collections::HashMap<FrameId, usize, FixedState>;

/// One frame on one link.
#[derive(Debug, Clone)]
pub(super) struct Arrow {
    pub(super) id: FrameId,
    pub(super) number: Option<u64>,
    pub(super) label: String,
    pub(super) from: NodeId,
    /// `None` where no link is plugged in.
    pub(super) to: Option<NodeId>,
    pub(super) end: End,
    pub(super) is_damaged: bool,
    pub(super) remarks: Vec<String>,
    /// The frame that it carries on; for a copy, the one that the original carries on.
    pub(super) carries_on: Option<FrameId>,
}

/// What became of a frame on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Arrived(Time),
    Lost(Time),
    OnTheWay,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Arrow(Arrow),
    /// A packet ends inside a node.
    Drop {
        node: NodeId,
        frame: Option<FrameId>,
        text: String,
    },
    /// A link, in one direction or both, goes up or down.
    Link {
        pipe: PipeId,
        is_up: bool,
        both_ways: bool,
    },
    Note {
        node: NodeId,
        text: String,
    },
}

/// Everything that happened, in the order in which it began.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) steps: Vec<(Time, Step)>,
    /// How many steps were not kept.
    pub(super) left_out: u64,
    /// Where each frame's arrow is.
    pub(super) arrows: StepMap,
    pub(super) shows_states: bool,
    journal: Journal,
    selection: Selection,
    speller: Speller,
    wiring: Wiring,
}

impl Story {
    pub(super) fn new(filters: Vec<Filter>, hosts: Vec<(IpAddr, String)>) -> Self {
        Self {
            steps: Vec::new(),
            left_out: 0,
            arrows: StepMap::default(),
            shows_states: true,
            journal: Journal::default(),
            selection: Selection::new(filters, Places::default()),
            speller: Speller::new(hosts),
            wiring: Wiring::default(),
        }
    }

    /// Takes note of a record.
    pub(super) fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.journal.record(record);
        if !self.selection.has(record, names) {
            return self.speller.see(&record.what);
        }
        let at = record.at;
        match record.what {
            What::Altered { frame, how, rule } => {
                let remark = alteration(how, rule, &self.journal, names);
                let Some(arrow) = self.arrow(frame) else { return };
                arrow.remarks.push(remark);
                arrow.is_damaged |= matches!(how, Alteration::Corrupted { .. });
                if let Alteration::Duplicated { copy } = how {
                    let mut arrow = Arrow { id: copy, end: End::OnTheWay, ..arrow.clone() };
                    arrow.number = self.journal.number(copy);
                    arrow.remarks = vec![format!("copy of {}", hash_number(self.journal.number(frame)))];
                    self.add_arrow(at, arrow);
                }
            }
            What::Delivered { frame } => {
                self.speller.see(&record.what);
                let is_damaged = frame.damaged;
                if let Some(arrow) = frame.id.and_then(|id| self.arrow(id)) {
                    arrow.end = End::Arrived(at);
                    arrow.is_damaged |= is_damaged;
                    if let Place::Port(node, _) = record.place {
                        arrow.to = Some(node);
                    }
                }
            }
            What::Dropped { frame, cause, rule } => {
                self.speller.see(&record.what);
                let why = match rule {
                    Some(_) => because(cause, rule, names),
                    None => with_reference(cause),
                };
                match record.place {
                    Place::Pipe(pipe) => {
                        let remark = format!("lost on {}: {why}", names.link(pipe.link()));
                        self.end_arrow(at, frame, names.source(pipe).0, Some(names.destination(pipe).0), remark);
                    }
                    // What a node has sent and nobody received was refused by its own port: there is no link.
                    Place::Node(node) | Place::Port(node, _) => match frame.id.and_then(|id| self.arrow(id)) {
                        Some(arrow) if arrow.from == node && arrow.end == End::OnTheWay => {
                            arrow.end = End::Lost(at);
                            arrow.remarks.push(format!("lost: {why}"));
                        }
                        _ => self.drop_inside(at, node, frame, &why, names),
                    },
                }
            }
            What::LinkIsUp(is_up) => self.link(at, record.place, is_up),
            What::Note { app: None, .. } if !self.shows_states => {}
            What::Note { app, text } => {
                let (Place::Node(node) | Place::Port(node, _)) = record.place else { return };
                let text = app.map_or_else(|| text.to_owned(), |app| format!("{}: {text}", names.app(app)));
                self.add(at, Step::Note { node, text });
            }
            What::Secret { .. } => {}
            What::Sent { frame } => {
                let (Place::Port(from, port), Some(id)) = (record.place, frame.id) else { return };
                let to = self.wiring.pipe_from(from, port, names).map(|pipe| names.destination(pipe).0);
                let origin = self.journal.origin(frame, record.place);
                let is_related = |relation| origin.is_some_and(|origin| origin.relation == relation);
                let resends = origin.filter(|_| is_related(Relation::Resends));
                let arrow = Arrow {
                    id,
                    number: self.journal.number(id),
                    label: self.speller.short(frame),
                    from,
                    to,
                    end: End::OnTheWay,
                    is_damaged: frame.damaged,
                    remarks: resends.map(|origin| origin.to_string()).into_iter().collect(),
                    carries_on: frame.cause.filter(|_| is_related(Relation::Forwards)),
                };
                self.add_arrow(at, arrow);
            }
        }
    }

    fn drop_inside(&mut self, at: Time, node: NodeId, frame: &Frame, why: &str, names: &Names) {
        let what = match frame.id {
            Some(id) => hash_number(self.journal.number(id)),
            None => format!("`{}`", self.speller.short(frame)),
        };
        let text = format!("{} drops {what}: {why}", names.node(node));
        self.add(at, Step::Drop { node, frame: frame.id.or(frame.cause), text });
    }

    fn end_arrow(&mut self, at: Time, frame: &Frame, from: NodeId, to: Option<NodeId>, remark: String) {
        let Some(id) = frame.id else { return };
        if self.arrow(id).is_none() {
            let (number, label) = (self.journal.number(id), self.speller.short(frame));
            let (end, is_damaged, remarks) = (End::OnTheWay, frame.damaged, Vec::new());
            self.add_arrow(at, Arrow { id, number, label, from, to, end, is_damaged, remarks, carries_on: None });
        }
        if let Some(arrow) = self.arrow(id) {
            arrow.end = End::Lost(at);
            arrow.remarks.push(remark);
        }
    }

    fn link(&mut self, at: Time, place: Place, is_up: bool) {
        let Place::Pipe(pipe) = place else { return };
        let last = self.steps.last_mut();
        if let Some((when, Step::Link { pipe: other, is_up: same, both_ways })) = last
            && *when == at
            && *other == opposite(pipe)
            && *same == is_up
        {
            *both_ways = true;
        } else {
            self.add(at, Step::Link { pipe, is_up, both_ways: false });
        }
    }

    fn arrow(&mut self, id: FrameId) -> Option<&mut Arrow> {
        match self.steps.get_mut(*self.arrows.get(&id)?) {
            Some((_, Step::Arrow(arrow))) => Some(arrow),
            _ => None,
        }
    }

    fn add_arrow(&mut self, at: Time, arrow: Arrow) {
        if self.steps.len() < STEPS_MAX {
            self.arrows.insert(arrow.id, self.steps.len());
        }
        self.add(at, Step::Arrow(arrow));
    }

    fn add(&mut self, at: Time, step: Step) {
        if self.steps.len() < STEPS_MAX {
            self.steps.push((at, step));
        } else {
            self.left_out += 1;
        }
    }
}
