//! Which nodes get a column, and in which order.
//!
//! Nodes stand as they stand along the links: of all orders the one with the shortest arrows, and of several such the one
//! nearest to the order of the scenario. For few nodes all orders are tried; for many, a walk along the links is good
//! enough.

use std::collections::BTreeSet;

use super::story::{Step, Story};
use super::{COLUMNS_MAX, LadderOptions};
use crate::id::NodeId;
use crate::record::Names;

/// Up to this many nodes all orders are tried: 7! = 5,040.
const NODES_TRIED_MAX: usize = 7;

/// The nodes of the diagram, from left to right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Those with a column.
    pub(super) nodes: Vec<NodeId>,
    /// These and those without a column, in their places between them.
    order: Vec<NodeId>,
}

impl Columns {
    /// A node's column, if it has one.
    pub(super) fn of(&self, node: NodeId) -> Option<usize> {
        self.nodes.iter().position(|shown| *shown == node)
    }

    /// Where an arrow from `from` to `to` aims: at the column of `to`, or else at the next beyond it, or else at the
    /// last before it.
    pub(super) fn beyond(&self, from: NodeId, to: NodeId) -> Option<usize> {
        let place = |node| self.order.iter().position(|other| *other == node);
        let (from, to) = (place(from)?, place(to)?);
        let is_rightward = from < to;
        let right = self.order.get(to..)?.iter().find_map(|node| self.of(*node));
        let left = self.order.get(..=to)?.iter().rev().find_map(|node| self.of(*node));
        if is_rightward { right.or(left) } else { left.or(right) }
    }

    /// The next column, or the one before the last.
    pub(super) fn beside(&self, column: usize) -> Option<usize> {
        [column + 1, column.wrapping_sub(1)].into_iter().find(|near| *near < self.nodes.len())
    }

    /// Whether there are so many that a list is drawn instead.
    pub(super) fn are_too_many(&self) -> bool {
        self.nodes.len() > COLUMNS_MAX
    }
}

/// Finds the columns for what happened.
pub(super) fn choose(options: &LadderOptions, story: &Story, names: &Names) -> Columns {
    let involved = involved(story);
    let is_called = |node: NodeId, list: &[String]| list.iter().any(|name| name == names.node(node));
    let order = arrange(&involved.iter().copied().collect::<Vec<_>>(), names);
    if options.nodes.is_empty() {
        let nodes = order.iter().copied().filter(|node| !is_called(*node, &options.elide)).collect();
        return Columns { nodes, order };
    }
    let all = (0..u32::try_from(names.nodes.len()).unwrap_or(u32::MAX)).map(NodeId);
    let all: Vec<NodeId> = all.collect();
    let chosen = options.nodes.iter().filter_map(|name| all.iter().copied().find(|node| names.node(*node) == name));
    let mut nodes: Vec<NodeId> = Vec::new();
    for node in chosen.filter(|node| !is_called(*node, &options.elide)) {
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    // The chosen order rules; the others stand behind, where they bother nobody.
    let others = order.into_iter().filter(|node| !nodes.contains(node));
    let order = nodes.iter().copied().chain(others).collect();
    Columns { nodes, order }
}

/// The nodes that took part.
fn involved(story: &Story) -> BTreeSet<NodeId> {
    let mut involved = BTreeSet::new();
    for (_, step) in &story.steps {
        match step {
            Step::Arrow(arrow) => involved.extend([Some(arrow.from), arrow.to].into_iter().flatten()),
            Step::Drop { node, .. } | Step::Note { node, .. } => {
                involved.insert(*node);
            }
            Step::Link { .. } => {}
        }
    }
    involved
}

/// Puts nodes in the order in which they stand along the links.
fn arrange(nodes: &[NodeId], names: &Names) -> Vec<NodeId> {
    let links = names.links.iter().map(|link| (link.ends[0].0, link.ends[1].0));
    let place = |node: NodeId| nodes.iter().position(|other| *other == node);
    let links: Vec<(usize, usize)> = links.filter_map(|(a, b)| Some((place(a)?, place(b)?))).collect();
    let order = if nodes.len() <= NODES_TRIED_MAX { shortest(nodes.len(), &links) } else { walk(nodes.len(), &links) };
    order.into_iter().filter_map(|index| nodes.get(index).copied()).collect()
}

/// The first of the orders in which the links are shortest.
fn shortest(count: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let mut best: (usize, Vec<usize>) = (usize::MAX, Vec::new());
    try_orders(count, &mut Vec::new(), &mut |order| {
        let place = |node| order.iter().position(|other| *other == node).unwrap_or(0);
        let length = links.iter().map(|(a, b)| place(*a).abs_diff(place(*b))).sum();
        if length < best.0 {
            best = (length, order.to_vec());
        }
    });
    best.1
}

/// Calls `judge` with each order of `0..count`, in lexicographic order.
fn try_orders(count: usize, order: &mut Vec<usize>, judge: &mut impl FnMut(&[usize])) {
    if order.len() == count {
        return judge(order);
    }
    for next in 0..count {
        if !order.contains(&next) {
            order.push(next);
            try_orders(count, order, judge);
            order.pop();
        }
    }
}

/// A walk along the links that begins at a node with few of them.
fn walk(count: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let neighbors = |node: usize| {
        links.iter().filter_map(move |(a, b)| match node {
            _ if *a == node => Some(*b),
            _ if *b == node => Some(*a),
            _ => None,
        })
    };
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut is_seen = vec![false; count];
    let mut starts: Vec<usize> = (0..count).collect();
    starts.sort_by_key(|node| (neighbors(*node).count(), *node));
    for start in starts {
        let mut waiting = vec![start];
        while let Some(node) = waiting.pop() {
            if std::mem::replace(&mut is_seen[node], true) {
                continue;
            }
            order.push(node);
            let mut next: Vec<usize> = neighbors(node).filter(|next| !is_seen[*next]).collect();
            // The last is walked first: the longest way should come last, so leaves go first.
            next.sort_by_key(|next| std::cmp::Reverse((neighbors(*next).count(), *next)));
            waiting.extend(next);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing;

    #[test]
    fn a_chain_stands_as_its_links_lead_whatever_the_order_of_the_file() {
        // 2 - 0 - 3 - 1
        assert_eq!(shortest(4, &[(0, 2), (3, 0), (1, 3)]), [1, 3, 0, 2]);
        assert_eq!(walk(4, &[(0, 2), (3, 0), (1, 3)]), [1, 3, 0, 2]);
    }

    #[test]
    fn the_hub_of_a_star_stands_in_the_middle() {
        assert_eq!(shortest(4, &[(0, 3), (1, 3), (2, 3)]), [0, 1, 3, 2]);
    }

    #[test]
    fn nodes_without_links_keep_the_order_of_the_file() {
        assert_eq!(shortest(3, &[]), [0, 1, 2]);
        assert_eq!(walk(3, &[]), [0, 1, 2]);
        assert_eq!(shortest(0, &[]), [0; 0]);
    }

    #[test]
    fn an_arrow_at_a_node_without_a_column_aims_beyond_it() {
        let columns = Columns {
            nodes: vec![testing::CLIENT, testing::SERVER],
            order: vec![testing::CLIENT, testing::R1, testing::SERVER],
        };
        assert_eq!(columns.beyond(testing::CLIENT, testing::R1), Some(1));
        assert_eq!(columns.beyond(testing::SERVER, testing::R1), Some(0));
    }
}
