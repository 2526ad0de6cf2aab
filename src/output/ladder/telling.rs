//! The story as the columns show it, line by line: arrows through nodes without a column are joined.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Columns;
use super::story::{Arrow, End, Step, Story};
use crate::id::{FrameId, PipeId};
use crate::record::Names;
use crate::time::Time;

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
