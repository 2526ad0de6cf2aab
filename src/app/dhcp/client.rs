//! The client's side of DHCP as a state machine: messages and times in, acts out (RFC 2131 §4.4, figure 5).
//!
//! ```text
//!  INIT ── discover ──▶ SELECTING ── request ──▶ REQUESTING ── ack ──▶ CHECKING ── free ──▶ BOUND ◀─────────┐ ack
//!   ▲                                                │ nak                │ taken: decline    │ T1           │
//!   ├────────────────────────────────────────────────┴────────────────────┘                   ▼              │
//!   │                                                                          RENEWING ── T2 ──▶ REBINDING ─┤
//!   └──── nak, expiry ◀──────────────────────────────────────────────────────────────┴─────────────┘         │
//!  INIT-REBOOT ── request what was known ──▶ REBOOTING ── ack ──▶ CHECKING ──────────────────────────────────┘
//! ```
//!
//! It touches nothing: [`program`](super::client_program) sends what it wants sent and puts addresses where it says.
//! RFC 2131 §4.4.1 would have a client wait from one to ten seconds before it begins, "to desynchronize the use of DHCP
//! at startup". That is left out: every run would begin with it. So is the fuzz around T1 and T2.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{DhcpMessageType, EthernetAddress};

use super::lease::Lease;
use crate::net::control::Standing;
use crate::rng::Rng;
use crate::time::Time;
use crate::units::format_duration;
use crate::wire::dhcp::{Message, code};

/// RFC 2131 §4.1: "the delay before the first retransmission SHOULD be 4 seconds".
const RETRY_FIRST: Duration = Duration::from_secs(4);

/// "The retransmission delay SHOULD be doubled with subsequent retransmissions up to a maximum of 64 seconds."
const RETRY_MAX: Duration = Duration::from_secs(64);

/// RFC 2131 §3.1: "a client [...] might retransmit the DHCPREQUEST message four times, for a total delay of 60 seconds,
/// before restarting the initialization procedure." Four waits, of 4, 8, 16 and 32 seconds.
const REQUESTS_MAX: u32 = 4;

/// RFC 2131 §4.4.5: "down to a minimum of 60 seconds, before retransmitting the DHCPREQUEST message."
const EXTENSION_RETRY_MIN: Duration = Duration::from_secs(60);

/// RFC 2131 §3.1: "The client SHOULD wait a minimum of ten seconds before restarting the configuration process".
const AFTER_DECLINE: Duration = Duration::from_secs(10);

/// After that many conflicts (RFC 5227 §1.1, `MAX_CONFLICTS`)...
const CONFLICTS_MAX: u64 = 10;

/// ...the client "MUST limit the rate at which it probes for new addresses on this interface to no more than one attempted
/// new address per `RATE_LIMIT_INTERVAL`" (§2.1.1).
const AFTER_DECLINES: Duration = Duration::from_secs(60);

/// How long a client waits after one refusal too many, at most.
const AFTER_NAK_MAX: Duration = Duration::from_secs(64);

/// The largest message that is welcome: one that fits an Ethernet frame.
const SIZE_MAX: u16 = 1472;

/// What is asked for beside an address.
const WANTED: [u8; 7] = [
    code::SUBNET_MASK,
    code::ROUTER,
    code::DOMAIN_NAME_SERVER,
    code::DOMAIN_NAME,
    code::LEASE_TIME,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
];

/// Who a client is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) mac: EthernetAddress,
    pub(super) host_name: String,
    /// Answers are to come by broadcast.
    pub(super) wants_broadcast: bool,
}

/// Where a client stands; the names are the standard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Bound,
    /// An address is known, and being checked.
    Checking,
    /// Nothing is known; something is done at the next time that is due.
    Init,
    /// The link is down.
    Offline,
    Rebinding,
    Rebooting,
    /// The address was given back; that is the end.
    Released,
    Renewing,
    Requesting,
    Selecting,
}

impl State {
    /// As RFC 2131 spells it, where it has the state.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bound => "BOUND",
            Self::Checking => "CHECKING",
            Self::Init => "INIT",
            Self::Offline => "OFFLINE",
            Self::Rebinding => "REBINDING",
            Self::Rebooting => "REBOOTING",
            Self::Released => "RELEASED",
            Self::Renewing => "RENEWING",
            Self::Requesting => "REQUESTING",
            Self::Selecting => "SELECTING",
        }
    }
}

/// What a client wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Stop using an address.
    Drop(Ipv4Addr),
    /// Forget the lease that was remembered.
    Forget,
    /// Tell people.
    Say(String),
    /// Send to everybody on the link, from no address.
    Broadcast(Message),
    /// Send to a server, from the client's address.
    Unicast(Message, Ipv4Addr),
    /// Begin to use what a lease says, or go on with it, and remember it.
    Use(Box<Lease>),
}

/// How often what has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) bound: u64,
    pub(super) renewed: u64,
    pub(super) rebound: u64,
    pub(super) refused: u64,
    pub(super) declined: u64,
    pub(super) expired: u64,
}

/// A client on one interface.
#[derive(Debug)]
pub(super) struct Client {
    who: Identity,
    luck: Rng,
    state: State,
    pub(super) acts: Vec<Act>,
    pub(super) counts: Counts,
    xid: u32,
    /// When the transaction began, and its message was sent first.
    began_at: Time,
    asked_at: Time,
    /// What the last discover message said of the time since then.
    discovered_after: u16,
    /// How often the message has been sent.
    tries: u32,
    due_at: Option<Time>,
    /// The lease that is in use, being checked or remembered.
    lease: Option<Lease>,
    /// What is requested: an address, and of whom.
    wanted: Option<(Ipv4Addr, Ipv4Addr)>,
    /// How many refusals came one after the other.
    naks: u32,
}

impl Client {
    /// A client that does nothing yet. `remembered` is the lease of an earlier life.
    pub(super) fn new(who: Identity, remembered: Option<Lease>, luck: Rng) -> Self {
        Self {
            who,
            luck,
            state: State::Offline,
            acts: Vec::new(),
            counts: Counts::default(),
            xid: 0,
            began_at: Time::ZERO,
            asked_at: Time::ZERO,
            discovered_after: 0,
            tries: 0,
            due_at: None,
            lease: remembered,
            wanted: None,
            naks: 0,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The lease, if its address may be used.
    pub(super) fn lease(&self) -> Option<&Lease> {
        let has_one = matches!(self.state, State::Bound | State::Renewing | State::Rebinding);
        self.lease.as_ref().filter(|_| has_one)
    }

    /// When [`wake`](Self::wake) is next wanted.
    pub(super) fn due_at(&self) -> Option<Time> {
        self.due_at
    }

    /// The link is up or down; called once before anything else.
    pub(super) fn link_is(&mut self, is_up: bool, now: Time) {
        match (self.state, is_up) {
            (State::Released, _) => {}
            (State::Offline, true) => self.begin(now),
            (State::Offline, false) | (_, true) => {}
            (_, false) => {
                self.state = State::Offline;
                // The time that was granted goes on.
                self.due_at = self.lease.as_ref().map(|lease| lease.expires_at).filter(|at| *at != Time::MAX);
            }
        }
    }

    /// How an address of the interface is; that of the lease that was last [used](Act::Use) counts.
    pub(super) fn address_is(&mut self, address: Ipv4Addr, standing: Standing, now: Time) {
        if self.lease.as_ref().is_none_or(|lease| lease.net.addr() != address) {
            return;
        }
        match (self.state, standing) {
            (State::Checking, Standing::InUse) => self.bind(now),
            (State::Checking | State::Bound | State::Renewing | State::Rebinding, Standing::Conflict) => {
                self.decline(now);
            }
            _ => {}
        }
    }

    /// It is the time that [`due_at`](Self::due_at) named, or later.
    pub(super) fn wake(&mut self, now: Time) {
        if self.due_at.is_none_or(|at| at > now) {
            return;
        }
        self.due_at = None;
        let has_expired = self.lease.as_ref().is_some_and(|lease| lease.expires_at <= now);
        match self.state {
            State::Init => self.discover(now),
            State::Selecting => self.send_discover(now),
            State::Requesting | State::Rebooting if self.tries < REQUESTS_MAX => self.send_request(now),
            State::Requesting => {
                self.say("no answer to any request; beginning anew");
                self.discover(now);
            }
            State::Rebooting => self.go_on_unconfirmed(now),
            State::Bound if !has_expired => self.extend(State::Renewing, now),
            State::Renewing if !has_expired => {
                let is_over = self.lease.as_ref().is_some_and(|lease| lease.rebind_at <= now);
                self.extend(if is_over { State::Rebinding } else { State::Renewing }, now);
            }
            State::Rebinding if !has_expired => self.extend(State::Rebinding, now),
            State::Bound | State::Renewing | State::Rebinding | State::Checking => {
                self.expire();
                self.discover(now);
            }
            State::Offline => self.expire(),
            State::Released => {}
        }
    }

    /// A message has come.
    pub(super) fn received(&mut self, message: &Message, now: Time) {
        let Some(kind) = message.kind().filter(|_| message.is_reply && message.chaddr == self.who.mac) else { return };
        // RFC 2131 §4.4.1: "If the 'xid' of an arriving DHCPOFFER message does not match the 'xid' of the most recent
        // DHCPDISCOVER message, the DHCPOFFER message must be silently discarded." §4.4.5 says the same of DHCPACK.
        if message.xid != self.xid {
            return;
        }
        match (kind, self.state) {
            (DhcpMessageType::Offer, State::Selecting) => self.take_offer(message, now),
            (DhcpMessageType::Ack, State::Requesting | State::Rebooting | State::Renewing | State::Rebinding) => {
                self.take_ack(message, now);
            }
            (DhcpMessageType::Nak, State::Requesting | State::Rebooting | State::Renewing | State::Rebinding) => {
                self.take_nak(message, now);
            }
            // "Any arriving DHCPACK messages must be silently discarded", in other states.
            _ => {}
        }
    }

    /// Gives the address back, if there is one, and ends.
    pub(super) fn release(&mut self, now: Time) {
        let has_address = self.lease().is_some();
        if let Some(lease) = self.lease.take().filter(|_| has_address) {
            self.begin_transaction(now);
            let mut release = Message::request(DhcpMessageType::Release, self.xid, self.who.mac);
            release.ciaddr = lease.net.addr();
            release.options.set_address(code::SERVER_IDENTIFIER, lease.server);
            self.identify(&mut release);
            self.say(format!("releasing {}", lease.net.addr()));
            // RFC 2131 §4.4.4: "The client unicasts DHCPRELEASE messages to the server."
            self.acts.push(Act::Unicast(release, lease.server));
            self.acts.push(Act::Drop(lease.net.addr()));
        }
        self.acts.push(Act::Forget);
        (self.state, self.due_at) = (State::Released, None);
    }

    /// The link is up: what was known is asked for again, or anything at all.
    fn begin(&mut self, now: Time) {
        match &self.lease {
            Some(lease) if lease.expires_at > now => {
                self.wanted = Some((lease.net.addr(), lease.server));
                self.begin_transaction(now);
                self.state = State::Rebooting;
                self.send_request(now);
            }
            _ => self.discover(now),
        }
    }

    fn discover(&mut self, now: Time) {
        self.begin_transaction(now);
        self.state = State::Selecting;
        self.send_discover(now);
    }

    fn begin_transaction(&mut self, now: Time) {
        // §4.4.1: "The client generates and records a random transaction identifier".
        self.xid = self.luck.next_u64() as u32;
        (self.began_at, self.asked_at, self.tries) = (now, now, 0);
    }

    fn send_discover(&mut self, now: Time) {
        let mut discover = Message::request(DhcpMessageType::Discover, self.xid, self.who.mac);
        self.discovered_after = self.secs(now);
        discover.secs = self.discovered_after;
        discover.is_broadcast = self.who.wants_broadcast;
        if let Some(lease) = &self.lease {
            // "The client MAY suggest a network address".
            discover.options.set_address(code::REQUESTED_ADDRESS, lease.net.addr());
        }
        self.identify(&mut discover);
        self.ask_for_more(&mut discover);
        self.acts.push(Act::Broadcast(discover));
        self.retry_later(now);
    }

    /// The request of REQUESTING and of REBOOTING.
    fn send_request(&mut self, now: Time) {
        let Some((address, server)) = self.wanted else { return self.discover(now) };
        let mut request = Message::request(DhcpMessageType::Request, self.xid, self.who.mac);
        request.is_broadcast = self.who.wants_broadcast;
        // §4.3.2: "'requested IP address' MUST be filled in with the yiaddr value from the chosen DHCPOFFER", or "with
        // client's notion of its previously assigned address".
        request.options.set_address(code::REQUESTED_ADDRESS, address);
        if self.state == State::Requesting {
            // §3.1: "the DHCPREQUEST message MUST use the same value in the DHCP message header's 'secs' field".
            request.secs = self.discovered_after;
            request.options.set_address(code::SERVER_IDENTIFIER, server);
        } else {
            // INIT-REBOOT: "'server identifier' MUST NOT be filled in".
            request.secs = self.secs(now);
        }
        self.identify(&mut request);
        self.ask_for_more(&mut request);
        self.acts.push(Act::Broadcast(request));
        self.retry_later(now);
    }

    /// Asks for more time: the server that gave it, or anybody.
    fn extend(&mut self, state: State, now: Time) {
        let Some(lease) = self.lease.clone() else { return self.discover(now) };
        if state != self.state {
            self.begin_transaction(now);
            self.state = state;
        }
        let mut request = Message::request(DhcpMessageType::Request, self.xid, self.who.mac);
        request.secs = self.secs(now);
        // §4.3.2: "'server identifier' MUST NOT be filled in, 'requested IP address' option MUST NOT be filled in, 'ciaddr'
        // MUST be filled in with client's IP address."
        request.ciaddr = lease.net.addr();
        self.identify(&mut request);
        self.ask_for_more(&mut request);
        let until = match state {
            State::Renewing => {
                self.acts.push(Act::Unicast(request, lease.server));
                lease.rebind_at
            }
            _ => {
                // "This message MUST be broadcast to the 0xffffffff IP broadcast address."
                self.acts.push(Act::Broadcast(request));
                lease.expires_at
            }
        };
        // §4.4.5: "the client SHOULD wait one-half of the remaining time until T2 (in RENEWING state) and one-half of the
        // remaining lease time (in REBINDING state), down to a minimum of 60 seconds".
        let half = until.since(now) / 2;
        self.due_at = Some((now + half.max(EXTENSION_RETRY_MIN)).min(until));
    }

    fn take_offer(&mut self, offer: &Message, now: Time) {
        // Table 3: an offer has a server identifier and a lease time; what is no lease is no offer.
        let Some(server) = offer.options.address(code::SERVER_IDENTIFIER) else { return };
        let Some(lease) = Lease::of(offer, now) else {
            return self.say(format!("an offer of {server} is of no use"));
        };
        self.say(format!("{server} offers {}", lease.net));
        // "selects one DHCPOFFER message [...] e.g., the first DHCPOFFER message".
        self.wanted = Some((offer.yiaddr, server));
        (self.asked_at, self.tries) = (now, 0);
        self.state = State::Requesting;
        self.send_request(now);
    }

    fn take_ack(&mut self, ack: &Message, _now: Time) {
        let Some(lease) = Lease::of(ack, self.asked_at) else { return self.say("an acknowledgment is of no use") };
        let expected = match (self.state, &self.lease) {
            (State::Renewing | State::Rebinding, Some(lease)) => Some(lease.net.addr()),
            _ => self.wanted.map(|(address, _)| address),
        };
        let is_of_chosen = self.is_of_chosen(ack);
        if Some(lease.net.addr()) != expected || !is_of_chosen {
            return self.say(format!("an acknowledgment of {} is not what was asked for", lease.net.addr()));
        }
        self.naks = 0;
        let was = self.state;
        self.acts.push(Act::Use(Box::new(lease.clone())));
        let renew_at = lease.renew_at;
        self.lease = Some(lease);
        match was {
            State::Renewing | State::Rebinding => {
                let count = if was == State::Renewing { &mut self.counts.renewed } else { &mut self.counts.rebound };
                *count += 1;
                self.state = State::Bound;
                self.due_at = Some(renew_at).filter(|at| *at != Time::MAX);
                let how = if was == State::Renewing { "renewed" } else { "rebound" };
                self.tell_lease(how);
            }
            _ => {
                self.state = State::Checking;
                self.due_at = None;
            }
        }
    }

    /// The address is free: it is the client's.
    fn bind(&mut self, now: Time) {
        let Some(lease) = &self.lease else { return };
        self.due_at = Some(lease.renew_at.max(now)).filter(|at| *at != Time::MAX);
        self.state = State::Bound;
        self.counts.bound += 1;
        self.tell_lease("bound");
    }

    fn tell_lease(&mut self, how: &str) {
        let Some(Lease { net, server, renew_at, expires_at, .. }) = &self.lease else { return };
        let until = match *expires_at {
            Time::MAX => "for ever".to_owned(),
            at => format!("until {at} s, to be renewed at {renew_at} s"),
        };
        self.say(format!("{how}: {net} from {server} {until}"));
    }

    /// While one server is asked, only its word counts.
    fn is_of_chosen(&self, message: &Message) -> bool {
        let server = message.options.address(code::SERVER_IDENTIFIER);
        match self.state {
            State::Requesting => self.wanted.is_some_and(|(_, chosen)| server == Some(chosen)),
            _ => server.is_some(),
        }
    }

    fn take_nak(&mut self, nak: &Message, now: Time) {
        if !self.is_of_chosen(nak) {
            return;
        }
        self.counts.refused += 1;
        let why = nak.options.get(code::MESSAGE).map_or_else(String::new, |text| {
            let text = String::from_utf8_lossy(text);
            format!(": {}", text.chars().filter(|letter| !letter.is_control()).take(80).collect::<String>())
        });
        self.say(format!("refused{why}"));
        self.lose_lease();
        // §3.1: "If the client receives a DHCPNAK message, the client restarts the configuration process." At once, but
        // not over and over: a refusal to each request would make a storm of the four messages.
        let wait = match self.naks {
            0 => Duration::ZERO,
            again => (Duration::from_secs(1) * 2_u32.pow(again.min(7) - 1)).min(AFTER_NAK_MAX),
        };
        self.naks = self.naks.saturating_add(1);
        if wait.is_zero() {
            return self.discover(now);
        }
        (self.state, self.due_at) = (State::Init, Some(now + wait));
    }

    /// Somebody else has the address.
    fn decline(&mut self, now: Time) {
        let Some(lease) = self.lease.take() else { return };
        self.counts.declined += 1;
        self.begin_transaction(now);
        let mut decline = Message::request(DhcpMessageType::Decline, self.xid, self.who.mac);
        decline.options.set_address(code::REQUESTED_ADDRESS, lease.net.addr());
        decline.options.set_address(code::SERVER_IDENTIFIER, lease.server);
        self.identify(&mut decline);
        self.say(format!("declining {}: somebody else has it", lease.net.addr()));
        self.acts.push(Act::Drop(lease.net.addr()));
        // §4.4.4: "Because the client is declining the use of the IP address supplied by the server, the client broadcasts
        // DHCPDECLINE messages."
        self.acts.push(Act::Broadcast(decline));
        self.acts.push(Act::Forget);
        let wait = if self.counts.declined < CONFLICTS_MAX { AFTER_DECLINE } else { AFTER_DECLINES };
        (self.state, self.due_at) = (State::Init, Some(now + wait));
    }

    /// Nobody has confirmed what was known.
    fn go_on_unconfirmed(&mut self, now: Time) {
        let Some(lease) = self.lease.clone().filter(|lease| lease.expires_at > now) else {
            return self.discover(now);
        };
        // §3.2: "the client MAY choose to use the previously allocated network address and configuration parameters for the
        // remainder of the unexpired lease."
        self.say(format!("nobody answers; going on with {}", lease.net));
        self.acts.push(Act::Use(Box::new(lease)));
        (self.state, self.due_at) = (State::Checking, None);
    }

    fn expire(&mut self) {
        if let Some(lease) = &self.lease {
            self.counts.expired += 1;
            self.say(format!("the lease of {} has expired", lease.net.addr()));
        }
        // §4.4.5: "MUST immediately stop any other network processing".
        self.lose_lease();
    }

    fn lose_lease(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.acts.push(Act::Drop(lease.net.addr()));
        }
        self.wanted = None;
        self.acts.push(Act::Forget);
    }

    /// §4.1: "The client MUST adopt a retransmission strategy that incorporates a randomized exponential backoff algorithm",
    /// "randomized by the value of a uniform random number chosen from the range -1 to +1."
    fn retry_later(&mut self, now: Time) {
        let wait = RETRY_FIRST.saturating_mul(1 << self.tries.min(8)).min(RETRY_MAX);
        let jitter = self.luck.up_to(Duration::from_secs(2));
        self.tries = self.tries.saturating_add(1);
        self.due_at = Some(now + wait - Duration::from_secs(1) + jitter);
    }

    fn secs(&self, now: Time) -> u16 {
        u16::try_from(now.since(self.began_at).as_secs()).unwrap_or(u16::MAX)
    }

    /// §4.2: "If the client supplies a 'client identifier', the client MUST use the same 'client identifier' in all subsequent
    /// messages".
    fn identify(&self, message: &mut Message) {
        // RFC 2132 §9.14: "the type field [...] set to the hardware type".
        let identifier = [&[1], &self.who.mac.0[..]].concat();
        message.options.set(code::CLIENT_IDENTIFIER, identifier);
        if message.kind() != Some(DhcpMessageType::Decline) && message.kind() != Some(DhcpMessageType::Release) {
            message.options.set(code::HOST_NAME, self.who.host_name.clone().into_bytes());
        }
    }

    /// §4.4.1: "If the client included a list of requested parameters in a DHCPDISCOVER message, it MUST include that list in
    /// all subsequent messages."
    fn ask_for_more(&self, message: &mut Message) {
        message.options.set(code::PARAMETER_REQUEST_LIST, WANTED.to_vec());
        message.options.set(code::MAXIMUM_MESSAGE_SIZE, SIZE_MAX.to_be_bytes().to_vec());
    }

    fn say(&mut self, text: impl Into<String>) {
        self.acts.push(Act::Say(text.into()));
    }

    /// One line about the lease, for people.
    pub(super) fn show(&self, interface: &str, now: Time) -> String {
        let state = self.state.name();
        let Some(lease) = self.lease() else { return format!("{interface}: {state}\n") };
        let left = |at: Time| match at {
            Time::MAX => "never".to_owned(),
            at => format!("in {}", format_duration(Duration::from_secs(at.since(now).as_secs()))),
        };
        let list = |addresses: &[Ipv4Addr]| addresses.iter().map(|one| format!(" {one}")).collect::<String>();
        let (renews, expires) = (left(lease.renew_at), left(lease.expires_at));
        let mut text = format!("{interface}: {state} {} from {}", lease.net, lease.server);
        text.push_str(&format!(", renews {renews}, expires {expires}\n"));
        if !lease.routers.is_empty() {
            text.push_str(&format!("    router{}\n", list(&lease.routers)));
        }
        for server in &lease.resolver.servers {
            text.push_str(&format!("    dns {server}\n"));
        }
        if let Some(domain) = &lease.resolver.domain {
            text.push_str(&format!("    domain {domain}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests;
