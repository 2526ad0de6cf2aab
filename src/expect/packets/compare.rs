//! Expected against seen: which line is which packet, and how they differ.

use super::line::{Base, Fate, Line, Pattern, When, arrow, seconds};
use super::seen::{Outcome, Seen};
use crate::record::Names;
use crate::time::Time;

/// How many steps the search for a loose match may take; beyond that the first candidates count.
const STEPS_MAX: u32 = 1_000_000;

/// How many lines times packets are put side by side where the order is loose.
const ALIGNED_MAX: usize = 4_000_000;

/// What a line and a packet cost to be put side by side, against leaving one of them alone.
const COST_UNLIKE: u32 = 3;
const COST_ALONE: u32 = 2;

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// A line and the packet that it stands for; how they differ, if they do.
    Both { line: usize, seen: usize, differences: Vec<String> },
    /// A line for which there was no packet.
    Missing { line: usize },
    /// A packet for which there is no line.
    Unexpected { seen: usize },
}

impl Row {
    /// Whether all is well with it.
    pub(super) fn is_met(&self) -> bool {
        matches!(self, Self::Both { differences, .. } if differences.is_empty())
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison<'c> {
    pub(super) lines: &'c [Line],
    pub(super) seen: &'c [Seen],
    /// What the first line's `+` counts from.
    pub(super) begins_at: Time,
    /// Other packets may come between.
    pub(super) is_loose: bool,
    /// No packet may come after the last line.
    pub(super) is_complete: bool,
    pub(super) names: &'c Names,
}

/// The times of labels and of the packet before.
#[derive(Debug, Clone)]
struct Clock {
    previous: Time,
    labels: Vec<(String, Time)>,
}

impl Clock {
    fn new(begins_at: Time) -> Self {
        Self { previous: begins_at, labels: Vec::new() }
    }

    /// How far off a packet is, as a phrase; `None` if it comes when it is expected.
    fn difference(&self, when: &When, at: Time) -> Option<String> {
        let base = match &when.base {
            Base::Any | Base::Define(_) => return None,
            Base::Label(name) => self.labels.iter().find(|(label, _)| label == name).map(|(_, at)| *at)?,
            Base::Previous => self.previous,
            Base::Start => Time::ZERO,
        };
        let wanted = base + when.offset;
        let (off, side) = if at >= wanted { (at.since(wanted), "later") } else { (wanted.since(at), "earlier") };
        let is_in_time = off <= when.slack();
        let distance = || {
            let tolerance =
                if when.slack().is_zero() { String::new() } else { format!(" ± {}", seconds(when.slack())) };
            format!("time: expected at {wanted}{tolerance}, seen {} s {side}", seconds(off))
        };
        (!is_in_time).then(distance)
    }

    /// The packet of this line came at `at`.
    fn tick(&mut self, when: &When, at: Time) {
        self.previous = at;
        if let Base::Define(name) = &when.base {
            self.labels.push((name.clone(), at));
        }
    }
}

impl Comparison<'_> {
    /// Puts lines and packets side by side. If every row is met, the expectation is.
    pub(super) fn rows(&self) -> Vec<Row> {
        if self.is_loose {
            return self.loose_rows();
        }
        let pairs = self.lines.len().min(self.seen.len());
        let mut straight: Vec<(Option<usize>, Option<usize>)> = (0..pairs).map(|at| (Some(at), Some(at))).collect();
        straight.extend((pairs..self.lines.len()).map(|line| (Some(line), None)));
        if self.is_complete {
            straight.extend((pairs..self.seen.len()).map(|seen| (None, Some(seen))));
        }
        let rows = self.judge(&straight);
        // Only when something is wrong it matters which packet was probably meant by which line.
        if rows.iter().all(Row::is_met) { rows } else { self.judge(&self.aligned()) }
    }

    /// Judges pairs of a line and a packet in order.
    fn judge(&self, pairs: &[(Option<usize>, Option<usize>)]) -> Vec<Row> {
        let mut clock = Clock::new(self.begins_at);
        let mut rows = Vec::with_capacity(pairs.len());
        for pair in pairs {
            rows.push(match *pair {
                (Some(line), Some(seen)) => {
                    let differences = self.differences(line, seen, &clock);
                    clock.tick(&self.lines[line].when, self.seen[seen].at);
                    Row::Both { line, seen, differences }
                }
                (Some(line), None) => Row::Missing { line },
                (None, Some(seen)) => {
                    clock.previous = self.seen[seen].at;
                    Row::Unexpected { seen }
                }
                (None, None) => continue,
            });
        }
        rows
    }

    /// Everything in which a packet differs from a line.
    fn differences(&self, line: usize, seen: usize, clock: &Clock) -> Vec<String> {
        let (line, seen) = (&self.lines[line], &self.seen[seen]);
        let mut differences = shape_differences(line, seen);
        differences.extend(clock.difference(&line.when, seen.at));
        if let Some(fate) = &line.fate {
            differences.extend(self.fate_difference(fate, seen.outcome));
        }
        differences
    }

    fn fate_difference(&self, fate: &Fate, outcome: Option<Outcome>) -> Option<String> {
        let became = match outcome {
            Some(Outcome::Delivered) => "it was delivered".to_owned(),
            Some(dropped @ Outcome::Dropped { .. }) => {
                format!("it was dropped: {}", dropped.name(self.names).unwrap_or_default())
            }
            None => "it was still on its way".to_owned(),
        };
        let is_right = match (fate, outcome) {
            (Fate::Delivered, Some(Outcome::Delivered)) | (Fate::Dropped(None), Some(Outcome::Dropped { .. })) => true,
            (Fate::Dropped(Some(name)), Some(Outcome::Dropped { cause, rule })) => {
                cause.name() == name || rule.is_some_and(|rule| self.names.rule(rule) == name)
            }
            _ => false,
        };
        (!is_right).then_some(became)
    }

    /// The cheapest way to put lines and packets side by side without crossing, times not considered.
    fn aligned(&self) -> Vec<(Option<usize>, Option<usize>)> {
        let (lines, packets) = (self.lines.len(), self.seen.len());
        let width = packets + 1;
        // Where other packets may come between, they cost nothing.
        let unexpected = if self.is_loose { 0 } else { COST_ALONE };
        let mut costs = vec![0_u32; (lines + 1) * width];
        for line in (0..=lines).rev() {
            for seen in (0..=packets).rev() {
                let after = |line: usize, seen: usize| costs[line * width + seen];
                costs[line * width + seen] = match (line < lines, seen < packets) {
                    (false, false) => 0,
                    // What comes after the last line costs nothing, unless nothing may come.
                    (false, true) if !self.is_complete => 0,
                    (false, true) => after(line, seen + 1) + unexpected,
                    (true, false) => after(line + 1, seen) + COST_ALONE,
                    (true, true) => {
                        let pair = after(line + 1, seen + 1) + self.pair_cost(line, seen);
                        pair.min(after(line + 1, seen) + COST_ALONE).min(after(line, seen + 1) + unexpected)
                    }
                };
            }
        }
        let mut pairs = Vec::new();
        let (mut line, mut seen) = (0, 0);
        while line < lines || (seen < packets && self.is_complete) {
            let after = |line: usize, seen: usize| costs[line * width + seen];
            let here = after(line, seen);
            if line < lines && seen < packets && here == after(line + 1, seen + 1) + self.pair_cost(line, seen) {
                pairs.push((Some(line), Some(seen)));
                (line, seen) = (line + 1, seen + 1);
            } else if line < lines && here == after(line + 1, seen) + COST_ALONE {
                pairs.push((Some(line), None));
                line += 1;
            } else {
                pairs.push((None, Some(seen)));
                seen += 1;
            }
        }
        pairs
    }

    fn pair_cost(&self, line: usize, seen: usize) -> u32 {
        if shape_differences(&self.lines[line], &self.seen[seen]).is_empty() { 0 } else { COST_UNLIKE }
    }

    /// The first way to find all lines in order among the packets, or else the way that gets furthest.
    fn loose_rows(&self) -> Vec<Row> {
        let mut search = Search { comparison: self, steps: 0, path: Vec::new(), furthest: Vec::new() };
        search.find(0, &Clock::new(self.begins_at));
        let found = search.furthest;
        let mut pairs: Vec<(Option<usize>, Option<usize>)> =
            found.iter().enumerate().map(|(line, seen)| (Some(line), Some(*seen))).collect();
        pairs.extend((found.len()..self.lines.len()).map(|line| (Some(line), None)));
        let rows = self.judge(&pairs);
        if found.len() == self.lines.len() || self.lines.len() * self.seen.len() > ALIGNED_MAX {
            return rows;
        }
        // A packet that fits but for its time is a better hint than none.
        let mut nearest = self.aligned();
        nearest.retain(|(line, _)| line.is_some());
        let nearest = self.judge(&nearest);
        let missing = |rows: &[Row]| rows.iter().filter(|row| matches!(row, Row::Missing { .. })).count();
        if missing(&nearest) < missing(&rows) { nearest } else { rows }
    }
}

/// A search with going back: a packet that fits a line may still be the wrong one.
struct Search<'s, 'c> {
    comparison: &'s Comparison<'c>,
    steps: u32,
    path: Vec<usize>,
    furthest: Vec<usize>,
}

impl Search<'_, '_> {
    /// Finds a packet for this line and all that follow; whether it could.
    fn find(&mut self, line: usize, clock: &Clock) -> bool {
        if self.path.len() > self.furthest.len() {
            self.furthest.clone_from(&self.path);
        }
        let Some(wanted) = self.comparison.lines.get(line) else { return true };
        let first = self.path.last().map_or(0, |seen| seen + 1);
        for seen in first..self.comparison.seen.len() {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return false;
            }
            if !self.comparison.differences(line, seen, clock).is_empty() {
                continue;
            }
            let mut next = clock.clone();
            next.tick(&wanted.when, self.comparison.seen[seen].at);
            self.path.push(seen);
            if self.find(line + 1, &next) {
                return true;
            }
            self.path.pop();
        }
        false
    }
}

fn shape_differences(line: &Line, seen: &Seen) -> Vec<String> {
    if line.passage != seen.passage {
        return vec![format!("it goes the other way: {} {}", arrow(seen.passage), seen.shape)];
    }
    match &line.shape {
        Pattern::Expression { text, index } => {
            let matches = seen.matched.get(*index).copied().unwrap_or(false);
            if matches { Vec::new() } else { vec![format!("not {{ {text} }}")] }
        }
        Pattern::Shape(shape) => shape.differences(&seen.shape),
    }
}
