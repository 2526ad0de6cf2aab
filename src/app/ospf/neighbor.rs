//! A neighbor: how far the conversation with it has come (RFC 2328 §10).
//!
//! ```text
//!  Down ── hello ──▶ Init ── it hears me ──▶ TwoWay ── adjacency wanted ──▶ ExStart ── who is master is settled ──▶
//!  Exchange ── both have described their databases ──▶ Loading ── all that was missing has come ──▶ Full
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::time::Time;
use crate::wire::ospf::Description;
use crate::wire::ospf::lsa::{LsaHeader, LsaKey};

/// How far it is. The order is that of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Init,
    TwoWay,
    ExStart,
    Exchange,
    Loading,
    Full,
}

impl State {
    /// As every router calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Init => "Init",
            Self::TwoWay => "2-Way",
            Self::ExStart => "ExStart",
            Self::Exchange => "Exchange",
            Self::Loading => "Loading",
            Self::Full => "Full",
        }
    }
}

/// A neighbor on one interface.
#[derive(Debug, Clone)]
pub(super) struct Neighbor {
    /// Its router ID.
    pub(super) id: Ipv4Addr,
    /// Its address on the link.
    pub(super) address: Ipv4Addr,
    pub(super) state: State,
    pub(super) priority: u8,
    /// Whom it takes for the designated router and its backup, by their addresses on the link.
    pub(super) designated: Ipv4Addr,
    pub(super) backup: Ipv4Addr,
    /// This router is the master of the exchange.
    pub(super) is_master: bool,
    /// The sequence number of the exchange.
    pub(super) sequence: u32,
    /// Its last description, without the headers: to know it again.
    pub(super) last_heard: Option<(u8, u8, u32)>,
    /// What was last said to it, for saying it again.
    pub(super) last_said: Option<Description>,
    /// What is still to be described.
    pub(super) to_describe: Vec<LsaHeader>,
    /// What it has and this router has not.
    pub(super) missing: BTreeMap<LsaKey, LsaHeader>,
    /// What is asked for at the moment.
    pub(super) asked: BTreeSet<LsaKey>,
    /// What it was told and has not acknowledged, and when it was last told.
    pub(super) unacknowledged: BTreeMap<LsaKey, Time>,
}

impl Neighbor {
    pub(super) fn new(id: Ipv4Addr, address: Ipv4Addr) -> Self {
        Self {
            id,
            address,
            state: State::Init,
            priority: 0,
            designated: Ipv4Addr::UNSPECIFIED,
            backup: Ipv4Addr::UNSPECIFIED,
            is_master: false,
            sequence: 0,
            last_heard: None,
            last_said: None,
            to_describe: Vec::new(),
            missing: BTreeMap::new(),
            asked: BTreeSet::new(),
            unacknowledged: BTreeMap::new(),
        }
    }

    /// Forgets the exchange: it begins anew or is over.
    pub(super) fn clear_exchange(&mut self) {
        self.last_heard = None;
        self.last_said = None;
        self.to_describe.clear();
        self.missing.clear();
        self.asked.clear();
        self.unacknowledged.clear();
    }

    /// Whether databases are being told of: then nothing may be forgotten (§14).
    pub(super) fn is_exchanging(&self) -> bool {
        matches!(self.state, State::Exchange | State::Loading)
    }
}
