//! Profiles: typical links, to start from.
//!
//! Each is written as a scenario would write it, so that it can be shown and copied, and is read by the same reader.
//! Where the two directions differ, the *first* end of the link is the subscriber's: `ab` is the uplink.
//!
//! Numbers are for teaching and testing; where a value comes from is said in each row. Queues of access links are as
//! large as one finds them, not as large as they should be.

use super::spec::{PipeProperties, read_link};
use crate::read::{Reader, Scope, Table};

/// A typical link.
#[derive(Debug)]
pub struct Profile {
    /// As written in the scenario: `satellite-geo`.
    pub name: &'static str,
    /// One sentence, with a full stop.
    pub doc: &'static str,
    /// Where the values come from, one phrase.
    pub source: &'static str,
    /// What it stands for, as lines of a link's table.
    pub settings: &'static str,
}

/// Every profile, from the nearest to the farthest.
pub static PROFILES: &[Profile] = &[
    Profile {
        name: "datacenter",
        doc: "Two servers under one switch, jumbo frames.",
        source: "100 m of fibre at 5 ns/m and a cut-through switch; a port's share of a shallow switch buffer",
        settings: "delay = \"2us\"\nrate = \"25Gbit\"\nmtu = 9000\nqueue = \"512KiB\"",
    },
    Profile {
        name: "lan",
        doc: "Gigabit Ethernet in a building, with a store-and-forward switch.",
        source: "IEEE 802.3ab: up to 100 m at 5 ns/m per segment; Linux txqueuelen 1000",
        settings: "delay = \"20us\"\nrate = \"1Gbit\"\nqueue = \"1000 packets\"",
    },
    Profile {
        name: "wifi",
        doc: "A home's radio link, one wall away.",
        source: "the order of IEEE 802.11n goodput; contention and link-layer retransmission show as a heavy-tailed delay",
        settings: "delay = \"1ms\"\nrate = \"60Mbit\"\nqueue = \"256 packets\"\n\
                   jitter = { dist = \"pareto\", scale = \"300us\", shape = 2.5 }\nloss = \"0.1%\"",
    },
    Profile {
        name: "home-fiber",
        doc: "A home on passive optical fibre.",
        source: "a common GPON plan (ITU-T G.984), 500/100 Mbit/s, some 2 ms to the provider",
        settings: "delay = \"2ms\"\nqueue = \"1000 packets\"\n\
                   ab = { rate = \"100Mbit\" }\nba = { rate = \"500Mbit\" }",
    },
    Profile {
        name: "home-cable",
        doc: "A home on the television cable.",
        source: "WebPageTest \"Cable\": 5/1 Mbit/s, 28 ms round trip; a large modem buffer as in Gettys, \"Bufferbloat\", 2011",
        settings: "delay = \"14ms\"\nab = { rate = \"1Mbit\", queue = \"256KiB\" }\n\
                   ba = { rate = \"5Mbit\", queue = \"256KiB\" }",
    },
    Profile {
        name: "home-dsl",
        doc: "A home on the telephone line, with PPPoE.",
        source: "WebPageTest \"DSL\": 1.5 Mbit/s and 384 kbit/s, 50 ms round trip; MTU 1492 from RFC 2516 §7",
        settings: "delay = \"25ms\"\nmtu = 1492\nab = { rate = \"384kbit\", queue = \"64KiB\" }\n\
                   ba = { rate = \"1500kbit\", queue = \"128KiB\" }",
    },
    Profile {
        name: "mobile-5g",
        doc: "A phone near a 5G mast.",
        source: "the order of public mid-band measurements: 200/30 Mbit/s, 30 ms round trip",
        settings: "delay = \"13ms\"\nqueue = \"1000 packets\"\njitter = { dist = \"normal\", mean = \"2ms\", sd = \"1ms\" }\n\
                   ab = { rate = \"30Mbit\" }\nba = { rate = \"200Mbit\" }",
    },
    Profile {
        name: "mobile-4g",
        doc: "A phone on LTE.",
        source: "WebPageTest \"LTE\": 12 Mbit/s, 70 ms round trip; losses are hidden by retransmission and show as jitter",
        settings: "delay = \"31ms\"\nrate = \"12Mbit\"\nqueue = \"1000 packets\"\n\
                   jitter = { dist = \"normal\", mean = \"4ms\", sd = \"2ms\" }",
    },
    Profile {
        name: "mobile-3g",
        doc: "A phone on HSPA.",
        source: "WebPageTest \"3G\": 1.6 Mbit/s and 768 kbit/s, 300 ms round trip",
        settings: "delay = \"130ms\"\nqueue = \"500 packets\"\njitter = { dist = \"normal\", mean = \"20ms\", sd = \"10ms\" }\n\
                   ab = { rate = \"768kbit\" }\nba = { rate = \"1600kbit\" }",
    },
    Profile {
        name: "modem",
        doc: "A telephone modem (V.90).",
        source: "56 kbit/s down, 33.6 kbit/s up; WebPageTest \"Dial\": 120 ms round trip",
        settings: "delay = \"60ms\"\nqueue = \"10 packets\"\nab = { rate = \"33600bit\" }\nba = { rate = \"56kbit\" }",
    },
    Profile {
        name: "transatlantic",
        doc: "A provider's fibre between London and New York.",
        source: "some 6,600 km of cable at 5 us/km; a few ms of terrestrial tail",
        settings: "delay = \"35ms\"\nrate = \"10Gbit\"\nqueue = \"16MiB\"",
    },
    Profile {
        name: "satellite-leo",
        doc: "A dish to satellites at 550 km.",
        source: "Michel et al., \"A First Look at Starlink Performance\", IMC 2022: round trips of 40 to 60 ms; rates of \
                 the order that is sold; handovers lose frames in bursts, how many is a guess",
        settings: "delay = \"18ms\"\nqueue = \"1000 packets\"\njitter = { dist = \"normal\", mean = \"6ms\", sd = \"3ms\" }\n\
                   loss = { kind = \"gilbert-elliott\", p = \"0.02%\", r = \"10%\" }\n\
                   ab = { rate = \"15Mbit\" }\nba = { rate = \"150Mbit\" }",
    },
    Profile {
        name: "satellite-geo",
        doc: "A dish to a satellite at 35,786 km.",
        source: "RFC 2488 §2: 239.6 ms (below the satellite) to 279.0 ms (at the edge of its view) one way",
        settings: "delay = \"270ms\"\nqueue = \"1000 packets\"\nab = { rate = \"5Mbit\" }\nba = { rate = \"50Mbit\" }",
    },
];

/// The names of [`PROFILES`], in their order.
pub const NAMES: [&str; 13] = [
    "datacenter",
    "lan",
    "wifi",
    "home-fiber",
    "home-cable",
    "home-dsl",
    "mobile-5g",
    "mobile-4g",
    "mobile-3g",
    "modem",
    "transatlantic",
    "satellite-leo",
    "satellite-geo",
];

/// The profile called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

impl Profile {
    /// Both directions, `ab` first.
    #[must_use]
    pub fn properties(&self) -> [PipeProperties; 2] {
        let reader = Reader::new(self.settings, Scope::default());
        let parsed = toml::de::DeTable::parse(self.settings).expect("a test reads every profile");
        read_link(&Table::new(parsed.get_ref(), parsed.span(), self.name.to_owned(), &reader))
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{LINK_FIELDS, PIPE_FIELDS};
    use super::*;
    use crate::link::tests::problems_of;

    #[test]
    fn every_profile_reads_without_a_mistake_and_says_where_it_comes_from() {
        for profile in PROFILES {
            let problems = problems_of(profile.settings, |table| {
                table.check(&[PIPE_FIELDS, LINK_FIELDS], &[]);
                drop(read_link(table));
            });
            assert!(problems.is_empty(), "{}: {problems:?}", profile.name);
            assert!(profile.doc.ends_with('.') && !profile.source.is_empty(), "{}", profile.name);
            assert!(!profile.settings.contains("profile"), "{} stands on itself", profile.name);
            assert!(profile.properties().iter().all(|direction| direction.spec.rate.is_some()), "{}", profile.name);
        }
    }

    #[test]
    fn the_list_of_names_is_complete() {
        assert!(PROFILES.iter().map(|profile| profile.name).eq(NAMES));
    }
}
