//! What happened, as arrows and remarks between nodes: collected while the run goes on, told again for the columns that
//! are drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use super::STEPS_MAX;
use super::columns::Columns;
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
    id: FrameId,
    number: Option<u64>,
    label: String,
    pub(super) from: NodeId,
    /// `None` where no link is plugged in.
    pub(super) to: Option<NodeId>,
    end: End,
    is_damaged: bool,
    remarks: Vec<String>,
    /// The frame that it carries on; for a copy, the one that the original carries on.
    carries_on: Option<FrameId>,
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
    arrows: StepMap,
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
                    Place::Node(node) => self.drop_inside(at, node, frame, &why, names),
                    Place::Pipe(pipe) => {
                        let remark = format!("lost on {}: {why}", names.link(pipe.link()));
                        self.end_arrow(at, frame, names.source(pipe).0, Some(names.destination(pipe).0), remark);
                    }
                    // A port without a link, or a frame that the port itself refuses.
                    Place::Port(node, _) => match frame.id.and_then(|id| self.arrow(id)) {
                        Some(arrow) if arrow.from == node && arrow.end == End::OnTheWay => {
                            arrow.end = End::Lost(at);
                            arrow.remarks.push(format!("lost: {why}"));
                        }
                        _ => self.drop_inside(at, node, frame, &why, names),
                    },
                }
            }
            What::LinkIsUp(is_up) => self.link(at, record.place, is_up),
            What::Note { app, text } => {
                let (Place::Node(node) | Place::Port(node, _)) = record.place else { return };
                let text = app.map_or_else(|| text.to_owned(), |app| format!("{}: {text}", names.app(app)));
                self.add(at, Step::Note { node, text });
            }
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

/// One line of the diagram; `column`s are indexes into [`Columns::nodes`].
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: Time,
    pub(super) what: LineKind,
    pub(super) remarks: Vec<String>,
}

/// What is drawn on a line.
#[derive(Debug)]
pub(super) enum LineKind {
    Arrow { number: Option<u64>, label: String, from: usize, to: usize, end: End, is_damaged: bool },
    Drop { column: usize },
    Link { a: usize, b: usize, text: String, is_up: bool },
    Note { column: usize, text: String },
}

/// The story as the columns show it: arrows through nodes without a column are joined.
pub(super) fn lines(story: &Story, columns: &Columns, names: &Names) -> Vec<Line> {
    let telling = Telling::new(story, columns, names);
    let mut lines = Vec::new();
    for (at, step) in &story.steps {
        match step {
            Step::Arrow(arrow) => telling.arrow(*at, arrow, &mut lines),
            Step::Drop { node, text, .. } => {
                if let Some(column) = columns.of(*node) {
                    lines.push(Line { at: *at, what: LineKind::Drop { column }, remarks: vec![text.clone()] });
                }
            }
            Step::Link { pipe, is_up, both_ways } => {
                lines.extend(link_line(*at, *pipe, *is_up, *both_ways, columns, names));
            }
            Step::Note { node, text } => {
                if let Some(column) = columns.of(*node) {
                    let what = LineKind::Note { column, text: text.clone() };
                    lines.push(Line { at: *at, what, remarks: Vec::new() });
                }
            }
        }
    }
    lines
}

fn link_line(at: Time, pipe: PipeId, is_up: bool, both_ways: bool, columns: &Columns, names: &Names) -> Option<Line> {
    let (from, to) = (names.source(pipe).0, names.destination(pipe).0);
    let (a, b) = (columns.beyond(to, from)?, columns.beyond(from, to)?);
    if a == b && columns.of(from).is_none() && columns.of(to).is_none() {
        return None;
    }
    let state = if is_up { "up" } else { "down" };
    let link = names.link(pipe.link());
    let text = if both_ways {
        format!("{link} is {state}")
    } else {
        format!("{link} is {state} from {} to {}", names.node(from), names.node(to))
    };
    Some(Line { at, what: LineKind::Link { a: a.min(b), b: a.max(b), text, is_up }, remarks: Vec::new() })
}

/// The story's arrows by what caused them, for joining.
struct Telling<'s> {
    columns: &'s Columns,
    names: &'s Names,
    /// The arrows that leave nodes without a column, by the frame that they carry on.
    onward: BTreeMap<FrameId, Vec<&'s Arrow>>,
    /// Those arrows.
    joined: BTreeSet<FrameId>,
    /// What nodes without a column dropped.
    dropped: BTreeMap<FrameId, (Time, &'s str)>,
}

/// The most nodes without a column that one arrow passes through: a loop of switches ends here.
const HOPS_JOINED_MAX: usize = 64;

/// An arrow that is being followed through nodes without a column.
#[derive(Clone)]
struct Walk<'s> {
    at: Time,
    from: usize,
    first: &'s Arrow,
    remarks: Vec<String>,
    hops: usize,
}

impl<'s> Telling<'s> {
    fn new(story: &'s Story, columns: &'s Columns, names: &'s Names) -> Self {
        let (onward, joined, dropped) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let mut telling = Self { columns, names, onward, joined, dropped };
        for (at, step) in &story.steps {
            match step {
                Step::Arrow(arrow) if columns.of(arrow.from).is_none() => {
                    if let Some(earlier) = arrow.carries_on.filter(|earlier| story.arrows.contains_key(earlier)) {
                        telling.onward.entry(earlier).or_default().push(arrow);
                        telling.joined.insert(arrow.id);
                    }
                }
                Step::Drop { node, frame: Some(frame), text } if columns.of(*node).is_none() => {
                    telling.dropped.entry(*frame).or_insert((*at, text));
                }
                _ => {}
            }
        }
        telling
    }

    fn arrow(&self, at: Time, arrow: &'s Arrow, lines: &mut Vec<Line>) {
        if self.joined.contains(&arrow.id) {
            return;
        }
        let mut remarks = Vec::new();
        let from = self.columns.of(arrow.from).or_else(|| {
            // A node without a column speaks for itself: its arrow comes from that side, and says so.
            remarks.push(format!("from {}", self.names.node(arrow.from)));
            let to = self.columns.of(arrow.to?);
            let side = self.columns.beyond(arrow.to?, arrow.from).filter(|side| Some(*side) != to);
            side.or_else(|| self.columns.beside(to?)).or(to)
        });
        if let Some(from) = from {
            self.follow(Walk { at, from, first: arrow, remarks, hops: 0 }, arrow, lines);
        }
    }

    /// Goes on with `arrow` until it ends, or ends at a column.
    fn follow(&self, mut walk: Walk<'s>, arrow: &'s Arrow, lines: &mut Vec<Line>) {
        walk.remarks.extend(arrow.remarks.iter().cloned());
        walk.hops += 1;
        let hidden = arrow.to.filter(|to| self.columns.of(*to).is_none() && walk.hops < HOPS_JOINED_MAX);
        let (Some(hidden), End::Arrived(_)) = (hidden, arrow.end) else {
            lines.extend(self.end(walk, arrow, arrow.end));
            return;
        };
        let mut is_last = true;
        for next in self.onward.get(&arrow.id).into_iter().flatten().filter(|next| next.from == hidden) {
            is_last = false;
            self.follow(walk.clone(), next, lines);
        }
        if is_last {
            let dropped = self.dropped.get(&arrow.id);
            let remark =
                dropped.map_or_else(|| format!("to {}", self.names.node(hidden)), |(_, text)| (*text).to_owned());
            walk.remarks.push(remark);
            let end = dropped.map_or(arrow.end, |(lost_at, _)| End::Lost(*lost_at));
            lines.extend(self.end(walk, arrow, end));
        }
    }

    fn end(&self, walk: Walk<'s>, last: &Arrow, end: End) -> Option<Line> {
        let Walk { at, from, first, mut remarks, .. } = walk;
        let aim = last.to.and_then(|to| self.columns.of(to));
        if aim.is_none() && self.columns.of(first.from).is_none() {
            // It never came near a column.
            return None;
        }
        let to = last.to.and_then(|to| self.columns.beyond(first.from, to));
        // Where no link is plugged in, the arrow has no aim: it leaves to the right, or to the left from the last column.
        let to = aim.or(to).filter(|to| *to != from).or_else(|| self.columns.beside(from));
        let (number, label) = (first.number, first.label.clone());
        let is_damaged = first.is_damaged || last.is_damaged;
        if end == End::OnTheWay {
            remarks.push("still on its way at the end".to_owned());
        }
        Some(match to {
            Some(to) => Line { at, what: LineKind::Arrow { number, label, from, to, end, is_damaged }, remarks },
            None => Line { at, what: LineKind::Note { column: from, text: label }, remarks },
        })
    }
}
