//! The server's side of DHCP: messages and times in, acts out (RFC 2131 §4.3).
//!
//! It touches nothing: [`program`](super::server_program) sends what it wants sent and pings whom it wants pinged. An
//! address that is not the client's already is offered only when a ping to it was not answered (§3.1); a server that is
//! not the one a client has chosen forgets its offer; a server that knows nothing of a client is silent.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use smoltcp::wire::{DhcpMessageType, EthernetAddress};

use super::lease::FOR_EVER;
use super::pool::{ABANDONED_FOR, Applicant, Binding, Claim, ClientId, OFFER_HELD_FOR, Pool, PoolSpec};
use crate::time::Time;
use crate::units::format_duration;
use crate::wire::dhcp::{MESSAGE_BYTES_ALWAYS, Message, code};
use crate::wire::summary::Mac;

/// How many addresses may be pinged at once; a client beyond that asks again in a few seconds.
const PROBES_MAX: usize = 256;

/// How many addresses in a row are pinged in vain for one client before it has to ask again.
const PROBES_OF_ONE_MAX: u32 = 16;

/// Where a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) interface: u16,
    /// The server's address there.
    pub(super) own: Ipv4Net,
    /// It was sent to the server alone: no relay and no other server has seen it.
    pub(super) is_direct: bool,
}

/// What a server wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// See whether somebody has an address.
    Probe(Ipv4Addr),
    Say(String),
    /// No longer than so many bytes.
    Send(Message, To, usize),
    /// Remember a binding over a crash.
    Store(Ipv4Addr),
}

/// Where an answer goes (RFC 2131 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// To a client that has its address.
    Client(Ipv4Addr),
    /// To everybody on a link.
    Everybody(Arrival),
    /// To a client that cannot be asked for its hardware address yet.
    Hardware(Arrival, EthernetAddress, Ipv4Addr),
    /// To the relay that the message came through.
    Relay(Ipv4Addr),
}

/// How often what has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) discovers: u64,
    pub(super) offers: u64,
    pub(super) acks: u64,
    pub(super) naks: u64,
    pub(super) declines: u64,
    pub(super) releases: u64,
    pub(super) exhausted: u64,
    pub(super) taken: u64,
}

/// A ping that may still be answered, and what is offered if it is not.
#[derive(Debug)]
struct Probe {
    until: Time,
    pool: usize,
    applicant: Applicant,
    message: Message,
    arrival: Arrival,
    /// How many addresses were tried before this one.
    tries: u32,
}

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) pools: Vec<Pool>,
    pub(super) acts: Vec<Act>,
    pub(super) counts: Counts,
    /// By the address that is pinged.
    probes: BTreeMap<Ipv4Addr, Probe>,
    /// How long an answer to a ping is waited for; zero: nobody is pinged.
    patience: Duration,
    /// Every address of the server's machine.
    own: Vec<Ipv4Addr>,
}

impl Server {
    pub(super) fn new(pools: Vec<PoolSpec>, patience: Duration) -> Self {
        let pools = pools.into_iter().map(Pool::new).collect();
        let counts = Counts::default();
        Self { pools, acts: Vec::new(), counts, probes: BTreeMap::new(), patience, own: Vec::new() }
    }

    /// These are the addresses of the server's machine.
    pub(super) fn set_own(&mut self, own: Vec<Ipv4Addr>) {
        self.own = own;
    }

    /// When [`wake`](Self::wake) is next wanted.
    pub(super) fn due_at(&self) -> Option<Time> {
        self.probes.values().map(|probe| probe.until).min()
    }

    /// Offers every address whose ping has gone unanswered for long enough.
    pub(super) fn wake(&mut self, now: Time) {
        for (address, probe) in self.probes.extract_if(.., |_, probe| probe.until <= now).collect::<Vec<_>>() {
            let Probe { pool, applicant, message, arrival, .. } = &probe;
            if self.pools[*pool].may_have(applicant, address, now) {
                self.offer(*pool, address, applicant, message, *arrival, now);
            }
        }
    }

    /// Somebody has answered a ping.
    pub(super) fn answered(&mut self, address: Ipv4Addr, now: Time) {
        let Some(probe) = self.probes.remove(&address) else { return };
        self.counts.taken += 1;
        self.say(format!("{address} is in use: it answers a ping; not offered for {}", format_duration(ABANDONED_FOR)));
        self.pools[probe.pool].abandon(address, now + ABANDONED_FOR);
        self.choose(probe.pool, probe.applicant, probe.message, probe.arrival, probe.tries + 1, now);
    }

    /// A message has come.
    pub(super) fn received(&mut self, message: Message, arrival: Arrival, now: Time) {
        let Some(kind) = message.kind().filter(|_| !message.is_reply) else { return };
        // §4.3.1: "the address is selected based on the subnet from which the message was received (if 'giaddr' is 0) or on
        // the address of the relay agent that forwarded the message ('giaddr' when not 0)."
        let place = if message.giaddr.is_unspecified() { arrival.own.addr() } else { message.giaddr };
        // A renewal or a release comes past the relay, from an address that says by itself where it belongs.
        let is_past_relay = arrival.is_direct && message.giaddr.is_unspecified() && !message.ciaddr.is_unspecified();
        let place = if is_past_relay { message.ciaddr } else { place };
        let pool = self.pools.iter().position(|pool| pool.spec.subnet.contains(&place));
        let Some(pool) = pool else {
            return self.say(format!(
                "{} from {} at {place}, where no address is given away",
                word(kind),
                Mac(message.chaddr.0)
            ));
        };
        if !message.giaddr.is_unspecified() {
            self.pools[pool].relay = Some(message.giaddr);
        }
        match kind {
            DhcpMessageType::Discover => self.discovered(pool, message, arrival, now),
            DhcpMessageType::Request => self.requested(pool, &message, arrival, now),
            DhcpMessageType::Decline => self.declined(pool, &message, now),
            DhcpMessageType::Release => self.released(pool, &message, now),
            DhcpMessageType::Inform => self.informed(pool, &message, arrival),
            _ => {}
        }
    }

    fn discovered(&mut self, pool: usize, message: Message, arrival: Arrival, now: Time) {
        self.counts.discovers += 1;
        let applicant = applicant(&message);
        if self.probes.values().any(|probe| probe.applicant.client == applicant.client) {
            // What it will be offered is being looked at.
            return;
        }
        self.choose(pool, applicant, message, arrival, 0, now);
    }

    fn choose(&mut self, pool: usize, who: Applicant, message: Message, arrival: Arrival, tries: u32, now: Time) {
        let is_free_to_try = tries < PROBES_OF_ONE_MAX;
        let Some(found) = self.pools[pool].find(&who, now).filter(|_| is_free_to_try) else {
            self.counts.exhausted += 1;
            // §4.3.1: "If no address is available, the server may choose to report the problem to the system administrator."
            let subnet = self.pools[pool].spec.subnet;
            return self.say(format!("no address of {subnet} is left for {}", Mac(who.mac.0)));
        };
        if !found.is_to_be_probed || self.patience.is_zero() {
            return self.offer(pool, found.address, &who, &message, arrival, now);
        }
        if self.probes.len() >= PROBES_MAX {
            return self.say(format!("{} has to ask again: {PROBES_MAX} addresses are being pinged", Mac(who.mac.0)));
        }
        // Nobody else is to be offered it meanwhile.
        let until = now + self.patience;
        self.pools[pool].keep(found.address, &who, Claim::Offered, until + OFFER_HELD_FOR);
        self.acts.push(Act::Probe(found.address));
        self.probes.insert(found.address, Probe { until, pool, applicant: who, message, arrival, tries });
    }

    fn offer(&mut self, pool: usize, address: Ipv4Addr, who: &Applicant, to: &Message, arrival: Arrival, now: Time) {
        let is_bound = self.pools[pool].holder(address, now).is_some_and(|holder| holder.claim == Claim::Bound);
        if !is_bound {
            // §4.3.1: "the server SHOULD NOT reuse the selected network address before the client responds to the server's
            // DHCPOFFER message."
            self.pools[pool].keep(address, who, Claim::Offered, now + OFFER_HELD_FOR);
        }
        self.counts.offers += 1;
        let mut offer = Message::reply(DhcpMessageType::Offer, to);
        offer.yiaddr = address;
        self.fill(&mut offer, pool, to, arrival, true);
        self.send(offer, to, arrival);
    }

    fn requested(&mut self, pool: usize, message: &Message, arrival: Arrival, now: Time) {
        let who = applicant(message);
        let wanted = message.options.address(code::REQUESTED_ADDRESS);
        let has_it = !message.ciaddr.is_unspecified();
        match (message.options.address(code::SERVER_IDENTIFIER), wanted) {
            // SELECTING. §4.3.2: "If the DHCPREQUEST message contains a 'server identifier' option, the message is in
            // response to a DHCPOFFER message."
            (Some(server), Some(wanted)) if self.own.contains(&server) => {
                if self.pools[pool].may_have(&who, wanted, now) && self.has_record(pool, &who, wanted) {
                    return self.bind(pool, wanted, &who, message, arrival, now);
                }
                // §3.1: "If the selected server is unable to satisfy the DHCPREQUEST message (e.g., the requested network
                // address has been allocated), the server SHOULD respond with a DHCPNAK message."
                self.refuse(message, arrival, "the address is not available");
            }
            (Some(server), _) if self.own.contains(&server) => {
                self.refuse(message, arrival, "no address is requested");
            }
            (Some(server), _) => {
                // §3.1: "Those servers not selected by the DHCPREQUEST message use the message as notification that the
                // client has declined that server's offer."
                self.probes.retain(|_, probe| probe.applicant.client != who.client);
                let offered = self.pools[pool].address_of(&who.client);
                let is_offer = |address: &Ipv4Addr| {
                    self.pools[pool].get(*address).is_some_and(|binding| binding.claim == Claim::Offered)
                };
                if let Some(address) = offered.filter(is_offer) {
                    self.pools[pool].end(address, now);
                    self.say(format!("{} has chosen {server}; {address} is free again", Mac(who.mac.0)));
                }
            }
            // INIT-REBOOT.
            (None, Some(wanted)) if !has_it => {
                if !self.pools[pool].spec.subnet.contains(&wanted) {
                    // "If the DHCP server detects that the client is on the wrong net [...], then the server SHOULD send a
                    // DHCPNAK message to the client."
                    return self.refuse(message, arrival, "the address is of another subnet");
                }
                self.confirm(pool, wanted, &who, message, arrival, now);
            }
            // RENEWING and REBINDING.
            (None, None) if has_it => self.confirm(pool, message.ciaddr, &who, message, arrival, now),
            (None, _) => {}
        }
    }

    /// A client has, or had, an address and wants to know whether it still does.
    fn confirm(&mut self, pool: usize, address: Ipv4Addr, who: &Applicant, to: &Message, arrival: Arrival, now: Time) {
        let known = self.pools[pool].fixed_for(who).or_else(|| self.pools[pool].address_of(&who.client));
        match known {
            Some(known) if known == address && self.pools[pool].may_have(who, address, now) => {
                self.bind(pool, address, who, to, arrival, now);
            }
            // "If the network is correct, then the DHCP server should check if the client's notion of its IP address is
            // correct. If not, then the server SHOULD send a DHCPNAK message to the client."
            Some(_) => self.refuse(to, arrival, "the address is not yours"),
            // "If the DHCP server has no record of this client, then it MUST remain silent, and MAY output a warning to the
            // network administrator."
            None => self.say(format!("{} asks for {address}; nothing is known of it", Mac(who.mac.0))),
        }
    }

    fn has_record(&self, pool: usize, who: &Applicant, address: Ipv4Addr) -> bool {
        let pool = &self.pools[pool];
        pool.fixed_for(who) == Some(address) || pool.address_of(&who.client) == Some(address)
    }

    fn bind(&mut self, pool: usize, address: Ipv4Addr, who: &Applicant, to: &Message, arrival: Arrival, now: Time) {
        // Whoever is in such a hurry does not wait for the ping.
        self.probes.retain(|_, probe| probe.applicant.client != who.client);
        let granted = self.time_for(pool, to);
        let until = if granted == FOR_EVER { Time::MAX } else { now + Duration::from_secs(granted.into()) };
        self.pools[pool].keep(address, who, Claim::Bound, until);
        self.counts.acks += 1;
        self.acts.push(Act::Store(address));
        let mut ack = Message::reply(DhcpMessageType::Ack, to);
        ack.yiaddr = address;
        // Table 3: "'ciaddr' from DHCPREQUEST or 0".
        ack.ciaddr = to.ciaddr;
        self.fill(&mut ack, pool, to, arrival, true);
        self.send(ack, to, arrival);
    }

    fn refuse(&mut self, to: &Message, arrival: Arrival, why: &str) {
        self.counts.naks += 1;
        self.say(format!("{} is refused: {why}", Mac(to.chaddr.0)));
        let mut nak = Message::reply(DhcpMessageType::Nak, to);
        nak.options.set_address(code::SERVER_IDENTIFIER, arrival.own.addr());
        nak.options.set(code::MESSAGE, why.as_bytes().to_vec());
        echo_relay(&mut nak, to);
        if to.giaddr.is_unspecified() {
            // §4.3.2: "The server MUST broadcast the DHCPNAK message to the 0xffffffff broadcast address because the client may
            // not have a correct network address or subnet mask".
            self.acts.push(Act::Send(nak, To::Everybody(arrival), MESSAGE_BYTES_ALWAYS));
        } else {
            // "The server MUST set the broadcast bit in the DHCPNAK, so that the relay agent will broadcast the DHCPNAK to
            // the client".
            nak.is_broadcast = true;
            self.acts.push(Act::Send(nak, To::Relay(to.giaddr), MESSAGE_BYTES_ALWAYS));
        }
    }

    fn declined(&mut self, pool: usize, message: &Message, now: Time) {
        let Some(address) = message.options.address(code::REQUESTED_ADDRESS) else { return };
        let is_meant = message.options.address(code::SERVER_IDENTIFIER).is_some_and(|id| self.own.contains(&id));
        // Nobody declines what is not its own: that would empty the pool.
        let who = applicant(message);
        let is_own = self.pools[pool].holder(address, now).is_some_and(|holder| holder.client == who.client);
        if !is_meant || !is_own {
            return self.say(format!("{} declines {address}, which is not its own", Mac(who.mac.0)));
        }
        self.counts.declines += 1;
        // §4.3.3: "The server MUST mark the network address as not available and SHOULD notify the local system administrator".
        self.say(format!(
            "{} declines {address}: somebody else has it; not offered for {}",
            Mac(who.mac.0),
            format_duration(ABANDONED_FOR)
        ));
        self.pools[pool].abandon(address, now + ABANDONED_FOR);
        self.acts.push(Act::Store(address));
    }

    fn released(&mut self, pool: usize, message: &Message, now: Time) {
        let (who, address) = (applicant(message), message.ciaddr);
        let is_own = self.pools[pool].holder(address, now).is_some_and(|holder| holder.client == who.client);
        if !is_own {
            return self.say(format!("{} releases {address}, which is not its own", Mac(who.mac.0)));
        }
        self.counts.releases += 1;
        // §4.3.4: "the server marks the network address as not allocated. The server SHOULD retain a record of the client's
        // initialization parameters for possible reuse".
        self.pools[pool].end(address, now);
        self.acts.push(Act::Store(address));
        self.say(format!("{} has released {address}", Mac(who.mac.0)));
    }

    fn informed(&mut self, pool: usize, message: &Message, arrival: Arrival) {
        if message.ciaddr.is_unspecified() {
            return;
        }
        self.counts.acks += 1;
        let mut ack = Message::reply(DhcpMessageType::Ack, message);
        ack.ciaddr = message.ciaddr;
        // §4.3.5: "The server MUST NOT send a lease expiration time to the client and SHOULD NOT fill in 'yiaddr'."
        self.fill(&mut ack, pool, message, arrival, false);
        // "by sending a DHCPACK message directly to the address given in the 'ciaddr' field".
        self.acts.push(Act::Send(ack, To::Client(message.ciaddr), size_for(message)));
    }

    /// For how many seconds an address is given: what is asked for, but no longer than is usual.
    fn time_for(&self, pool: usize, message: &Message) -> u32 {
        let usual = u32::try_from(self.pools[pool].spec.lease_for.as_secs()).unwrap_or(FOR_EVER);
        message.options.seconds(code::LEASE_TIME).map_or(usual, |asked| asked.min(usual)).max(1)
    }

    /// Puts in what the client is told of its network.
    fn fill(&self, reply: &mut Message, pool: usize, to: &Message, arrival: Arrival, with_times: bool) {
        let spec = &self.pools[pool].spec;
        let granted = self.time_for(pool, to);
        let options = &mut reply.options;
        options.set_address(code::SERVER_IDENTIFIER, arrival.own.addr());
        options.set_address(code::SUBNET_MASK, spec.subnet.netmask());
        if with_times {
            options.set_seconds(code::LEASE_TIME, granted);
            if granted != FOR_EVER {
                // §4.4.5: "The server SHOULD return T1 and T2".
                let scaled = |after: Duration| {
                    let usual = spec.lease_for.as_secs().max(1);
                    u32::try_from(after.as_secs().saturating_mul(granted.into()) / usual).unwrap_or(FOR_EVER)
                };
                options.set_seconds(code::RENEWAL_TIME, scaled(spec.renew_after));
                options.set_seconds(code::REBINDING_TIME, scaled(spec.rebind_after));
            }
        }
        match (&spec.routers, self.pools[pool].relay) {
            (Some(written), _) => options.set_addresses(code::ROUTER, written),
            // A relay that forwards messages forwards everything.
            (None, Some(relay)) => options.set_address(code::ROUTER, relay),
            (None, None) => {}
        }
        // §4.3.1: "Parameters requested by the client": without a list, all that there are.
        let wishes = to.options.get(code::PARAMETER_REQUEST_LIST);
        let is_wanted = |code: u8| wishes.is_none_or(|wishes| wishes.contains(&code));
        if is_wanted(code::DOMAIN_NAME_SERVER) {
            options.set_addresses(code::DOMAIN_NAME_SERVER, &spec.servers);
        }
        if let Some(domain) = spec.domain.as_ref().filter(|_| is_wanted(code::DOMAIN_NAME)) {
            options.set(code::DOMAIN_NAME, domain.clone().into_bytes());
        }
        if wishes.is_some() && is_wanted(code::BROADCAST_ADDRESS) {
            options.set_address(code::BROADCAST_ADDRESS, spec.subnet.broadcast());
        }
        echo_relay(reply, to);
    }

    /// Sends an offer or an acknowledgment (§4.1).
    fn send(&mut self, reply: Message, to: &Message, arrival: Arrival) {
        let size = size_for(to);
        let to = if !to.giaddr.is_unspecified() {
            // "If the 'giaddr' field in a DHCP message from a client is non-zero, the server sends any return messages to the
            // 'DHCP server' port on the BOOTP relay agent whose address appears in 'giaddr'."
            To::Relay(to.giaddr)
        } else if !to.ciaddr.is_unspecified() {
            // "If the 'giaddr' field is zero and the 'ciaddr' field is nonzero, then the server unicasts DHCPOFFER and
            // DHCPACK messages to the address in 'ciaddr'."
            To::Client(to.ciaddr)
        } else if to.is_broadcast {
            // "If 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is set, then the server broadcasts DHCPOFFER
            // and DHCPACK messages to 0xffffffff."
            To::Everybody(arrival)
        } else {
            // "If the broadcast bit is not set and 'giaddr' is zero and 'ciaddr' is zero, then the server unicasts DHCPOFFER
            // and DHCPACK messages to the client's hardware address and 'yiaddr' address."
            To::Hardware(arrival, reply.chaddr, reply.yiaddr)
        };
        self.acts.push(Act::Send(reply, to, size));
    }

    fn say(&mut self, text: String) {
        self.acts.push(Act::Say(text));
    }

    /// The binding of an address, whichever pool it is in.
    pub(super) fn binding(&self, address: Ipv4Addr) -> Option<&Binding> {
        self.pools.iter().find_map(|pool| pool.get(address))
    }

    /// Puts a binding back that was remembered.
    pub(super) fn restore(&mut self, address: Ipv4Addr, binding: Binding) {
        if let Some(pool) = self.pools.iter_mut().find(|pool| pool.spec.subnet.contains(&address)) {
            pool.put(address, binding);
        }
    }

    /// Every binding, one a line, for people.
    pub(super) fn show(&self, now: Time) -> String {
        let mut text = String::new();
        for (address, binding) in self.pools.iter().flat_map(Pool::bindings) {
            let name = binding.name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
            let is_over = binding.until <= now;
            let what = match binding.claim {
                Claim::Bound if is_over => "free",
                Claim::Bound => "bound",
                Claim::Offered if is_over => continue,
                Claim::Offered => "offered",
                Claim::Abandoned if is_over => continue,
                Claim::Abandoned => "abandoned",
            };
            let left = binding.until.since(now).as_secs();
            let ends = match (binding.until, is_over) {
                (Time::MAX, _) => " for ever".to_owned(),
                (_, true) => String::new(),
                _ => format!(" for {}", format_duration(Duration::from_secs(left))),
            };
            let mac = binding.mac;
            let whose = if mac.0 == [0; 6] { String::new() } else { format!(" {}{name}", Mac(mac.0)) };
            text.push_str(&format!("{address} {what}{ends}{whose}\n"));
        }
        text
    }
}

fn applicant(message: &Message) -> Applicant {
    let identifier = message.options.get(code::CLIENT_IDENTIFIER).filter(|identifier| identifier.len() >= 2);
    Applicant {
        client: match identifier {
            Some(identifier) => ClientId::Identifier(identifier.iter().take(255).copied().collect()),
            None => ClientId::Hardware(message.chaddr),
        },
        mac: message.chaddr,
        name: message.options.text(code::HOST_NAME).map(|name| name.chars().take(63).collect()),
        wanted: message.options.address(code::REQUESTED_ADDRESS),
    }
}

/// RFC 3046 §2.2: "DHCP servers claiming to support the Relay Agent Information option SHALL echo the entire contents of the
/// Relay Agent Information option in all replies."
fn echo_relay(reply: &mut Message, to: &Message) {
    if let Some(information) = to.options.get(code::RELAY_AGENT_INFORMATION) {
        reply.options.set(code::RELAY_AGENT_INFORMATION, information.to_vec());
    }
}

/// How large an answer a client takes.
fn size_for(message: &Message) -> usize {
    // RFC 2132 §9.10: "The minimum legal value is 576 octets": of the packet, whose headers take 28.
    let said =
        message.options.number(code::MAXIMUM_MESSAGE_SIZE).map_or(0, |size| usize::from(size).saturating_sub(28));
    said.clamp(MESSAGE_BYTES_ALWAYS, 1472)
}

fn word(kind: DhcpMessageType) -> &'static str {
    match kind {
        DhcpMessageType::Discover => "discover",
        DhcpMessageType::Request => "request",
        DhcpMessageType::Decline => "decline",
        DhcpMessageType::Release => "release",
        DhcpMessageType::Inform => "inform",
        _ => "message",
    }
}

#[cfg(test)]
mod tests;
