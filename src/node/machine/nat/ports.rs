//! Which outside ports are taken, and which one a new mapping gets (RFC 4787 §4.2).

use super::spec::{NatSpec, PortChoice};
use crate::rng::Rng;

/// The ports below this are well known, and are only given for one of their own (RFC 4787 REQ-3a).
const WELL_KNOWN_END: u16 = 1024;

const WORDS: usize = (u16::MAX as usize + 1) / 64;

/// Every second bit, from the first on.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The ports of one protocol at one address.
#[derive(Debug)]
pub(super) struct Ports {
    /// A bit for each port.
    taken: Vec<u64>,
    /// Where a sequential choice goes on.
    next: u16,
}

/// What a port must be like.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    first: u16,
    last: u16,
    /// Even or odd, if that matters.
    parity: Option<u16>,
}

impl Ports {
    pub(super) fn new() -> Self {
        Self { taken: vec![0; WORDS], next: 0 }
    }

    pub(super) fn is_taken(&self, port: u16) -> bool {
        self.taken[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }

    pub(super) fn take(&mut self, port: u16) {
        self.taken[usize::from(port / 64)] |= 1 << (port % 64);
    }

    pub(super) fn release(&mut self, port: u16) {
        self.taken[usize::from(port / 64)] &= !(1 << (port % 64));
    }

    /// Chooses and takes a port for an inside port; `None` if none is left.
    pub(super) fn choose(&mut self, inside: u16, is_query: bool, spec: &NatSpec, luck: &mut Rng) -> Option<u16> {
        let (first, last) = match spec.ports {
            Some(range) => range,
            None if is_query => (0, u16::MAX),
            // RFC 4787 REQ-3a: "If the host's source port was in the range 0-1023, it is RECOMMENDED the NAT's source
            // port be in the same range. If the host's source port was in the range 1024-65535, it is RECOMMENDED that
            // the NAT's source port be in that range."
            None if inside < WELL_KNOWN_END => (1, WELL_KNOWN_END - 1),
            None => (WELL_KNOWN_END, u16::MAX),
        };
        // RFC 4787 REQ-4: "It is RECOMMENDED that a NAT have a 'Port parity preservation' behavior of 'Yes'."
        let parity = (spec.keeps_parity && !is_query).then_some(inside % 2);
        let begin = match spec.port_choice {
            PortChoice::Preserve => inside,
            PortChoice::Random => first + luck.below(u64::from(last - first) + 1) as u16,
            PortChoice::Sequential => self.next.max(first),
        };
        let begin = if (first..=last).contains(&begin) { begin } else { first };
        // A port of the wrong parity is better than none.
        let wishes = [Wanted { first, last, parity }, Wanted { first, last, parity: None }];
        let port = wishes.into_iter().find_map(|wanted| self.next_free(begin, wanted))?;
        self.take(port);
        self.next = port.wrapping_add(1);
        Some(port)
    }

    /// The first free port from `begin` on that is as wanted, going round once.
    fn next_free(&self, begin: u16, wanted: Wanted) -> Option<u16> {
        let after = self.first_free(begin, wanted.last, wanted.parity);
        after.or_else(|| self.first_free(wanted.first, begin, wanted.parity))
    }

    fn first_free(&self, first: u16, last: u16, parity: Option<u16>) -> Option<u16> {
        let fitting = match parity {
            None => u64::MAX,
            Some(0) => EVEN,
            Some(_) => !EVEN,
        };
        (first / 64..=last / 64).find_map(|word| {
            let mut free = !self.taken[usize::from(word)] & fitting;
            if word == first / 64 {
                free &= u64::MAX << (first % 64);
            }
            if word == last / 64 {
                free &= u64::MAX >> (63 - last % 64);
            }
            (free != 0).then(|| word * 64 + free.trailing_zeros() as u16)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    fn luck() -> Rng {
        Rng::stream(1, "ports")
    }

    #[test]
    fn rfc_4787_req_3a_and_req_4_range_and_parity_are_kept() {
        let spec = NatSpec::home(0);
        let mut ports = Ports::new();
        let mut choose = |inside| ports.choose(inside, false, &spec, &mut luck());
        assert_eq!(choose(5000), Some(5000));
        // Taken: the next even one, then the one after that.
        assert_eq!(choose(5000), Some(5002));
        assert_eq!(choose(5000), Some(5004));
        assert_eq!(choose(5001), Some(5001));
        assert_eq!(choose(68), Some(68));
        // Round the end of the range: 1023 is odd, and 1 the first odd port.
        assert_eq!(choose(1023), Some(1023));
        assert_eq!(choose(1023), Some(1));
        assert_eq!(choose(65_534), Some(65_534));
        assert_eq!(choose(65_534), Some(1024));
    }

    #[test]
    fn the_last_port_of_a_range_is_given_and_then_none() {
        let spec = NatSpec { ports: Some((4000, 4002)), ..NatSpec::home(0) };
        let mut ports = Ports::new();
        let given: Vec<Option<u16>> = (0..4).map(|_| ports.choose(80, false, &spec, &mut luck())).collect();
        // Even ones first, then what is left.
        assert_eq!(given, [Some(4000), Some(4002), Some(4001), None]);
        ports.release(4001);
        assert_eq!(ports.choose(80, false, &spec, &mut luck()), Some(4001));
    }

    #[test]
    fn a_sequence_goes_on_where_it_was() {
        let spec = NatSpec { port_choice: PortChoice::Sequential, keeps_parity: false, ..NatSpec::home(0) };
        let mut ports = Ports::new();
        let given: Vec<Option<u16>> = (0..3).map(|_| ports.choose(9999, false, &spec, &mut luck())).collect();
        assert_eq!(given, [Some(1024), Some(1025), Some(1026)]);
    }

    proptest! {
        #[test]
        fn rfc_4787_req_3_no_port_is_given_twice(
            wishes in proptest::collection::vec((0_u16..300, any::<bool>()), 1..200),
            choice in prop_oneof![Just(PortChoice::Preserve), Just(PortChoice::Random), Just(PortChoice::Sequential)],
            keeps_parity: bool,
        ) {
            // "A NAT MUST NOT have a 'Port assignment' behavior of 'Port overloading'."
            let spec =
                NatSpec { ports: Some((100, 199)), port_choice: choice, keeps_parity, ..NatSpec::home(0) };
            let (mut ports, mut luck) = (Ports::new(), luck());
            let mut given = std::collections::BTreeSet::new();
            for (inside, releases) in wishes {
                match ports.choose(inside, false, &spec, &mut luck) {
                    Some(port) => {
                        prop_assert!((100..=199).contains(&port) && given.insert(port) && ports.is_taken(port));
                        if releases {
                            ports.release(port);
                            given.remove(&port);
                        }
                    }
                    None => prop_assert_eq!(given.len(), 100),
                }
            }
        }
    }
}
