//! The longest prefix that an address begins with, in a time that does not grow with the number of prefixes.
//!
//! A trie that eats six bits of the address at each step, with its nodes packed ("Poptrie", Asai and Ohara, SIGCOMM
//! 2015): a node says in one 64-bit word which of its 64 slots lead on and in another where the answer of a slot differs
//! from that of the slot before, so that what a slot holds is found by counting ones. An IPv4 address takes six steps
//! at most, an IPv6 address 22, however many prefixes there are.
//!
//! ```text
//!   10.64.3.7 = 000010 100100 000000 000000 110000 0111..
//!               │      └─ slot 36 of that node: leads on, or holds the answer
//!               └─ slot 2 of the root: leads on
//! ```
//!
//! It is built whole and not changed afterwards: a machine whose routes change builds another.

/// How many bits of the address each step eats: as many as a 64-bit word has slots for.
const STRIDE: u32 = 6;

const SLOTS: usize = 1 << STRIDE;

/// No prefix.
const NONE: u32 = u32::MAX;

/// A prefix, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The prefix's bits, the first one highest; those behind its length are zero.
    pub(super) bits: u128,
    pub(super) length: u8,
    /// Less than `u32::MAX`.
    pub(super) value: u32,
}

/// One step: 64 slots, each of which leads to a child or has an answer.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// Which slots lead to a child.
    children: u64,
    /// At which slots, of those that do not, another answer begins.
    runs: u64,
    first_child: u32,
    first_answer: u32,
}

/// Prefixes, to be looked up.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    answers: Vec<u32>,
}

/// A node that is still to be filled.
struct Unfilled<'e> {
    node: usize,
    /// How many bits lead to it.
    depth: u32,
    /// The answer where none of `entries` has one.
    inherited: u32,
    /// Prefixes longer than `depth` that begin with the bits that lead here.
    entries: &'e [Entry],
}

impl Trie {
    /// A trie of these prefixes, in any order. Of two alike the last one counts.
    pub(super) fn new(mut entries: Vec<Entry>) -> Self {
        // Stable, and by length among those that begin alike: what contains comes before what is contained.
        entries.sort_by_key(|entry| (entry.bits, entry.length));
        let default = entries.iter().take_while(|entry| entry.length == 0).last().map_or(NONE, |entry| entry.value);
        let longer = entries.partition_point(|entry| (entry.bits, entry.length) <= (0, 0));
        let mut trie = Self { nodes: vec![Node::default()], answers: Vec::new() };
        let mut unfilled = vec![Unfilled { node: 0, depth: 0, inherited: default, entries: &entries[longer..] }];
        while let Some(next) = unfilled.pop() {
            trie.fill(&next, &mut unfilled);
        }
        trie
    }

    /// The value of the longest prefix that `address` begins with.
    pub(super) fn find(&self, address: u128) -> Option<u32> {
        let (mut node, mut depth) = (&self.nodes[0], 0);
        loop {
            let slot = slot(address, depth);
            let up_to_slot = u64::MAX >> (SLOTS as u32 - 1 - slot);
            if node.children >> slot & 1 == 0 {
                let answer = node.first_answer + (node.runs & up_to_slot).count_ones() - 1;
                return Some(self.answers[answer as usize]).filter(|value| *value != NONE);
            }
            let child = node.first_child + (node.children & up_to_slot).count_ones() - 1;
            node = &self.nodes[child as usize];
            depth += STRIDE;
        }
    }

    fn fill<'e>(&mut self, here: &Unfilled<'e>, unfilled: &mut Vec<Unfilled<'e>>) {
        let mut slots = [here.inherited; SLOTS];
        let mut node = Node { first_child: self.nodes.len() as u32, ..Node::default() };
        let mut rest = here.entries;
        while let Some((entry, others)) = rest.split_first() {
            let first = slot(entry.bits, here.depth);
            let (length, end) = (u32::from(entry.length), here.depth + STRIDE);
            if length <= end {
                let count = 1 << (end - length);
                slots[first as usize..][..count].fill(entry.value);
                rest = others;
                continue;
            }
            // Whatever covers this slot came before it, so its answer is known.
            let deeper = rest.partition_point(|entry| slot(entry.bits, here.depth) == first);
            node.children |= 1 << first;
            unfilled.push(Unfilled {
                node: self.nodes.len(),
                depth: end,
                inherited: slots[first as usize],
                entries: &rest[..deeper],
            });
            self.nodes.push(Node::default());
            rest = &rest[deeper..];
        }
        node.first_answer = self.answers.len() as u32;
        let mut last = None;
        for (slot, answer) in slots.into_iter().enumerate().filter(|(slot, _)| node.children >> slot & 1 == 0) {
            if last != Some(answer) {
                node.runs |= 1 << slot;
                self.answers.push(answer);
                last = Some(answer);
            }
        }
        self.nodes[here.node] = node;
    }
}

/// The six bits of an address behind the first `depth`; beyond its end, zeros.
fn slot(address: u128, depth: u32) -> u32 {
    (address << depth >> (u128::BITS - STRIDE)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(bits: u128, length: u8, value: u32) -> Entry {
        let kept = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        Entry { bits: bits & kept, length, value }
    }

    fn walk(entries: &[Entry], address: u128) -> Option<u32> {
        let covers = |e: &&Entry| entry(address, e.length, 0).bits == e.bits;
        // Of equal lengths the last.
        entries.iter().filter(covers).max_by_key(|entry| entry.length).map(|entry| entry.value)
    }

    #[test]
    fn an_empty_trie_finds_nothing() {
        let trie = Trie::new(Vec::new());
        assert_eq!((trie.find(0), trie.find(u128::MAX)), (None, None));
    }

    #[test]
    fn the_longest_prefix_is_found_at_every_length() {
        // 1111… of each length from 0 to 128: an address of n ones finds the one of length n.
        let entries: Vec<Entry> = (0..=128).map(|length| entry(u128::MAX, length, u32::from(length))).collect();
        let trie = Trie::new(entries);
        for ones in 0..=128_u32 {
            let address = u128::MAX.checked_shl(128 - ones).unwrap_or(0);
            assert_eq!(trie.find(address), Some(ones));
        }
    }

    #[test]
    fn a_hundred_thousand_prefixes_take_a_few_bytes_each() {
        let scattered = |index: u32| u128::from(index.wrapping_mul(0x9e37_79b9)) << 96;
        let trie = Trie::new((0..100_000).map(|index| entry(scattered(index), 24, index)).collect());
        let bytes = trie.nodes.len() * size_of::<Node>() + trie.answers.len() * size_of::<u32>();
        assert!(bytes < 100_000 * 48, "{bytes}");
        assert!((0..100_000).all(|index| trie.find(scattered(index)).is_some()));
    }

    proptest! {
        #[test]
        fn a_look_up_finds_what_a_walk_finds(
            written in prop::collection::vec((any::<u128>(), 0_u8..=128), 0..40),
            wanted in prop::collection::vec(any::<u128>(), 20),
        ) {
            // Few distinct bits, so that prefixes nest and collide.
            const KEPT: u128 = 0xc030_0003_0000_0100_0000_0000_0000_0003;
            let entries: Vec<Entry> =
                written.iter().zip(0..).map(|((bits, length), value)| entry(bits & KEPT, *length, value)).collect();
            let trie = Trie::new(entries.clone());
            for wanted in wanted.iter().flat_map(|wanted| [*wanted, wanted & KEPT]) {
                prop_assert_eq!(trie.find(wanted), walk(&entries, wanted));
            }
        }
    }
}
