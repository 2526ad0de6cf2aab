//! Which node runs in which part.
//!
//! A good division has parts with the same work, and nothing but long links between them: the longer the shortest of
//! those, the more happens between two meetings. The two pull at each other, so several divisions are made: for each of
//! some delays, nodes that are joined by shorter links stay together, what comes of that is laid out in a row so that
//! neighbors stand close, and the row is cut into pieces of equal work. The one that should take the least time is taken.
//!
//! The work of a node is what has gone through it so far, or before the run what it is likely to do. Nothing here looks at
//! a clock: the same run is divided in the same way each time, although nobody could see it if it were not.

use std::collections::VecDeque;

use crate::network::Network;

/// How many different delays are tried.
const DELAYS_TRIED_MAX: usize = 16;

/// What it costs all parts to meet, in events: some microseconds.
const MEETING: f64 = 100.0;

/// How much of the time a division must spare to be worth it.
const TIME_SPARED_MIN: f64 = 0.2;

/// Before a run, how many events there are thought to be in a second of virtual time.
const EVENTS_A_SECOND: f64 = 1e6;

/// Before a run, how much a program is thought to do, where a node without one does 1.
const WORK_OF_PROGRAM: u64 = 4;

/// How much a frame costs where programs run, compared to where it is only passed on.
const WORK_OF_SOCKETS: u64 = 3;

/// How often the border between parts is gone along to make it shorter.
const REFINEMENTS: usize = 3;

/// The network as far as dividing it is concerned.
pub(super) struct Graph {
    /// How much each node has to do.
    work: Vec<u64>,
    links: Vec<Edge>,
    /// How many events there are in a nanosecond of virtual time.
    event_rate: f64,
}

/// A link.
#[derive(Debug, Clone, Copy)]
struct Edge {
    ends: [u32; 2],
    /// The smaller of its two delays, in nanoseconds.
    delay: u64,
    /// How many frames it has carried.
    frames: u64,
}

/// A division of all nodes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Division {
    /// The part of each node, by its id.
    pub(super) part_of: Vec<u32>,
    /// How many parts there are, none of them empty.
    pub(super) parts: usize,
    /// How long it should take, where 1 is one thread's time.
    cost: f64,
    /// Whether it should take clearly less time.
    pub(super) pays: bool,
}

impl Graph {
    /// What there is to divide, weighed by what has happened so far.
    pub(super) fn of(network: &Network) -> Self {
        let names = &network.names;
        let mut frames_at = vec![0_u64; names.nodes.len()];
        let mut links = Vec::with_capacity(names.links.len());
        for (index, link) in names.links.iter().enumerate() {
            let link_id = crate::id::LinkId(u32::try_from(index).unwrap_or(u32::MAX));
            let mut edge = Edge { ends: link.ends.map(|(node, _)| node.0), delay: u64::MAX, frames: 0 };
            for direction in crate::id::Direction::BOTH {
                let id = crate::id::PipeId::new(link_id, direction);
                let delivered = network.counters(id).delivered;
                let delay = u64::try_from(network.pipe(id).spec().delay.as_nanos()).unwrap_or(u64::MAX);
                edge.delay = delay.min(edge.delay);
                edge.frames += delivered;
                edge.ends.iter().for_each(|node| frames_at[*node as usize] += delivered);
            }
            links.push(edge);
        }
        let mut programs = vec![0_u64; names.nodes.len()];
        names.apps.iter().for_each(|app| programs[app.node.0 as usize] += 1);
        let works = frames_at.iter().zip(&programs);
        let (events, nanoseconds) = (network.events(), network.now().as_nanos());
        let has_run = events > 0 && nanoseconds > 0;
        let work = works.map(|(frames, programs)| match (has_run, programs) {
            (false, programs) => 1 + WORK_OF_PROGRAM * programs,
            (true, 0) => 1 + frames,
            (true, _) => 1 + WORK_OF_SOCKETS * frames,
        });
        let event_rate = if has_run { events as f64 / nanoseconds as f64 } else { EVENTS_A_SECOND / 1e9 };
        Self { work: work.collect(), links, event_rate }
    }

    /// The best division into so many parts; `None` if there are not so many nodes, or only one part is wanted.
    pub(super) fn divide(&self, parts: usize) -> Option<Division> {
        let parts = parts.min(self.work.len());
        if parts < 2 {
            return None;
        }
        let mut delays: Vec<u64> = self.links.iter().map(|link| link.delay).collect();
        delays.sort_unstable();
        delays.dedup();
        // Of many delays some, the longest and the shortest among them: with the shortest every link may be cut.
        let step = delays.len().div_ceil(DELAYS_TRIED_MAX).max(1);
        let tried = delays.iter().copied().step_by(step).chain(delays.last().copied()).chain([0]);
        let divisions = tried.filter_map(|shortest| self.cut(shortest, parts));
        divisions.min_by(|a, b| a.cost.total_cmp(&b.cost))
    }

    /// The division that cuts only links with at least this delay; `None` if too few pieces are left.
    fn cut(&self, shortest: u64, parts: usize) -> Option<Division> {
        let clusters = self.clusters(shortest);
        let count = clusters.iter().max().map_or(0, |last| *last as usize + 1);
        if count < parts {
            return None;
        }
        let mut work = vec![0_u64; count];
        clusters.iter().zip(&self.work).for_each(|(cluster, one)| work[*cluster as usize] += one);
        let mut neighbors: Vec<Vec<(u32, u64)>> = vec![Vec::new(); count];
        for link in &self.links {
            let [a, b] = link.ends.map(|node| clusters[node as usize]);
            if a != b {
                neighbors[a as usize].push((b, link.frames + 1));
                neighbors[b as usize].push((a, link.frames + 1));
            }
        }
        let mut part_of = in_pieces(&row(&neighbors), &work, parts);
        refine(&mut part_of, &neighbors, &work, parts);
        Some(self.judge(clusters.iter().map(|cluster| part_of[*cluster as usize]).collect(), parts))
    }

    /// Which nodes must stay together if links that are shorter are not cut: a number for each, counted from 0 in the
    /// order of the nodes.
    fn clusters(&self, shortest: u64) -> Vec<u32> {
        let count = u32::try_from(self.work.len()).unwrap_or(u32::MAX);
        let mut leader: Vec<u32> = (0..count).collect();
        fn find(leader: &mut [u32], mut node: u32) -> u32 {
            while leader[node as usize] != node {
                leader[node as usize] = leader[leader[node as usize] as usize];
                node = leader[node as usize];
            }
            node
        }
        for link in self.links.iter().filter(|link| link.delay < shortest) {
            let [a, b] = link.ends.map(|node| find(&mut leader, node));
            leader[a.max(b) as usize] = a.min(b);
        }
        let mut numbers = vec![u32::MAX; self.work.len()];
        let mut used = 0;
        (0..count)
            .map(|node| {
                let number = &mut numbers[find(&mut leader, node) as usize];
                if *number == u32::MAX {
                    *number = used;
                    used += 1;
                }
                *number
            })
            .collect()
    }

    /// How long a division should take.
    fn judge(&self, part_of: Vec<u32>, parts: usize) -> Division {
        let mut work = vec![0_u64; parts];
        part_of.iter().zip(&self.work).for_each(|(part, one)| work[*part as usize] += one);
        let is_cut = |link: &&Edge| part_of[link.ends[0] as usize] != part_of[link.ends[1] as usize];
        let lookahead = self.links.iter().filter(is_cut).map(|link| link.delay).min();
        // Meetings for each event.
        let meetings = lookahead.map_or(0.0, |delay| 1.0 / (self.event_rate * delay.max(1) as f64)).min(1.0);
        let busiest = work.iter().max().copied().unwrap_or(0) as f64 / work.iter().sum::<u64>().max(1) as f64;
        let cost = busiest + meetings * MEETING;
        Division { part_of, parts, cost, pays: cost < 1.0 - TIME_SPARED_MIN }
    }
}

/// All clusters in a row, so that those close to each other stand close: breadth first, from one that is far out.
fn row(neighbors: &[Vec<(u32, u64)>]) -> Vec<u32> {
    let mut row = Vec::with_capacity(neighbors.len());
    let mut is_placed = vec![false; neighbors.len()];
    let mut is_seen = vec![false; neighbors.len()];
    for start in 0..u32::try_from(neighbors.len()).unwrap_or(u32::MAX) {
        if !is_placed[start as usize] {
            let far = wave(start, neighbors, &mut is_seen).last().copied().unwrap_or(start);
            row.extend(wave(far, neighbors, &mut is_placed));
        }
    }
    row
}

/// Everything that can be reached from a cluster, nearest first.
fn wave(start: u32, neighbors: &[Vec<(u32, u64)>], is_reached: &mut [bool]) -> Vec<u32> {
    let (mut order, mut waiting) = (Vec::new(), VecDeque::from([start]));
    is_reached[start as usize] = true;
    while let Some(cluster) = waiting.pop_front() {
        order.push(cluster);
        for (next, _) in &neighbors[cluster as usize] {
            if !std::mem::replace(&mut is_reached[*next as usize], true) {
                waiting.push_back(*next);
            }
        }
    }
    order
}

/// Cuts a row into pieces of about the same work, none of them empty.
fn in_pieces(row: &[u32], work: &[u64], parts: usize) -> Vec<u32> {
    let total: u128 = work.iter().map(|one| u128::from(*one)).sum::<u128>().max(1);
    let mut part_of = vec![0; row.len()];
    let (mut before, mut part) = (0_u128, 0_usize);
    for (place, cluster) in row.iter().enumerate() {
        let own = u128::from(work[*cluster as usize]);
        // By where its middle lies; but every part before the last leaves at least one to each that follows.
        let wanted = ((before * 2 + own) * parts as u128 / (total * 2)) as usize;
        let left = row.len() - place;
        let least = parts.saturating_sub(left);
        let most = if place == 0 { 0 } else { part + 1 };
        part = wanted.max(part).max(least).min(most).min(parts - 1);
        part_of[*cluster as usize] = u32::try_from(part).unwrap_or(u32::MAX);
        before += own;
    }
    part_of
}

/// Moves clusters along the border to where most of their frames go, if that makes no part larger than the largest is.
fn refine(part_of: &mut [u32], neighbors: &[Vec<(u32, u64)>], work: &[u64], parts: usize) {
    let (mut sizes, mut members) = (vec![0_u64; parts], vec![0_usize; parts]);
    for (part, one) in part_of.iter().zip(work) {
        sizes[*part as usize] += one;
        members[*part as usize] += 1;
    }
    let largest = sizes.iter().max().copied().unwrap_or(0);
    for _ in 0..REFINEMENTS {
        let mut has_moved = false;
        for cluster in 0..part_of.len() {
            let home = part_of[cluster];
            if members[home as usize] < 2 {
                continue;
            }
            let mut frames_to = vec![0_u64; parts];
            neighbors[cluster].iter().for_each(|(next, frames)| frames_to[part_of[*next as usize] as usize] += frames);
            let others = (0..parts).filter(|part| *part != home as usize);
            let Some(better) = others.max_by_key(|part| frames_to[*part]) else { continue };
            if frames_to[better] > frames_to[home as usize] && sizes[better] + work[cluster] <= largest {
                let better = u32::try_from(better).unwrap_or(u32::MAX);
                part_of[cluster] = better;
                sizes[home as usize] -= work[cluster];
                sizes[better as usize] += work[cluster];
                members[home as usize] -= 1;
                members[better as usize] += 1;
                has_moved = true;
            }
        }
        if !has_moved {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(a: u32, b: u32, delay: u64) -> Edge {
        Edge { ends: [a, b], delay, frames: 10 }
    }

    fn graph(work: Vec<u64>, links: Vec<Edge>) -> Graph {
        // A thousand events in a millisecond.
        Graph { work, links, event_rate: 1e-3 }
    }

    #[test]
    fn two_sites_are_parted_at_the_long_link_between_them() {
        // Hosts 0 to 3 at router 4, hosts 6 to 9 at router 5.
        let mut links: Vec<Edge> = (0..4).map(|host| link(host, 4, 1_000_000)).collect();
        links.extend((6..10).map(|host| link(host, 5, 1_000_000)));
        links.push(link(4, 5, 10_000_000));
        let division = graph(vec![1; 10], links).divide(2).unwrap();
        assert!(division.pays);
        let (one, other) = division.part_of.split_at(5);
        assert!(one.iter().all(|part| *part == one[0]) && other.iter().all(|part| *part == 1 - one[0]), "{division:?}");
    }

    #[test]
    fn a_grid_is_cut_into_pieces_of_the_same_size_with_a_short_border() {
        let (side, mut links) = (16, Vec::new());
        for place in 0..side * side {
            if place % side + 1 < side {
                links.push(link(place, place + 1, 1_000_000));
            }
            if place + side < side * side {
                links.push(link(place, place + side, 1_000_000));
            }
        }
        for parts in [2, 3, 4] {
            let grid = graph(vec![1; (side * side) as usize], links.clone());
            let division = grid.divide(parts).unwrap();
            let cut = links.iter().filter(|link| {
                link.ends.map(|node| division.part_of[node as usize])[0]
                    != link.ends.map(|node| division.part_of[node as usize])[1]
            });
            // Straight through would be 16 links for each cut; breadth first from a corner cuts at a slant.
            assert!(cut.count() <= 32 * (parts - 1), "{parts} parts");
            for part in 0..parts as u32 {
                let size = division.part_of.iter().filter(|one| **one == part).count();
                assert!(size * parts <= 256 * 12 / 10, "{parts} parts, {size} nodes in one");
            }
        }
    }

    #[test]
    fn short_links_do_not_pay_and_a_single_node_cannot_be_parted() {
        let row = |delay| graph(vec![5; 10], (0..9).map(|node| link(node, node + 1, delay)).collect());
        assert!(row(1_000_000).divide(2).unwrap().pays);
        // 1 us: one event between two meetings.
        assert!(!row(1_000).divide(2).unwrap().pays);
        assert_eq!(graph(vec![1], Vec::new()).divide(2), None);
        assert_eq!(row(1).divide(1), None);
    }

    #[test]
    fn one_node_that_does_everything_does_not_pay_either() {
        let mut work = vec![1; 10];
        work[0] = 1000;
        let star = graph(work, (1..10).map(|host| link(0, host, 10_000_000)).collect());
        assert!(!star.divide(2).unwrap().pays);
    }

    proptest! {
        #[test]
        fn every_node_has_a_part_and_no_part_is_empty(
            work in prop::collection::vec(0..50_u64, 1..40),
            ends in prop::collection::vec((any::<u32>(), any::<u32>(), 0..5_u64), 0..80),
            parts in 2..9_usize,
        ) {
            let nodes = work.len() as u32;
            let links = ends.into_iter().map(|(a, b, delay)| link(a % nodes, b % nodes, delay)).collect();
            let graph = graph(work, links);
            let division = graph.divide(parts);
            prop_assert_eq!(&graph.divide(parts), &division, "always the same");
            let Some(division) = division else {
                prop_assert_eq!(nodes, 1);
                return Ok(());
            };
            prop_assert_eq!(division.parts, parts.min(nodes as usize));
            prop_assert_eq!(division.part_of.len(), nodes as usize);
            for part in 0..division.parts as u32 {
                prop_assert!(division.part_of.contains(&part), "{:?}", division.part_of);
            }
            prop_assert!(division.part_of.iter().all(|part| (*part as usize) < division.parts));
        }
    }
}
