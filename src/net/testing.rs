//! Stacks wired together without machines, for tests: addresses, one delay, and a closure that decides what gets lost.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use smoltcp::wire::IpProtocol;

use super::ip::{Ip, SendError};
use super::packet::{self, Envelope, Header};
use super::program::{Program, ProgramError};
use super::tcp::reset_reply;
use super::{Delivery, Hosts, Net, ResolverSettings, Stack, StackConfig, TcpSettings};
use crate::id::AppId;
use crate::record::{Cause, Effect, Outbox, Value};
use crate::time::Time;
use crate::wire::{Frame, Layer, Pool};

/// An IP layer that owns addresses and nothing else.
pub(crate) struct Own(pub(crate) Vec<IpAddr>);

/// The address of the lab's stack number `index`.
pub(crate) fn address(index: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, 1 + index as u8).into()
}

/// Its IPv6 address.
pub(crate) fn address_v6(index: usize) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1 + index as u16).into()
}

/// An IP layer that collects what is sent.
pub(crate) struct LabIp {
    own: Own,
    pub(crate) mtu: usize,
    /// What every send fails with.
    pub(crate) refusal: Option<SendError>,
    sent: Vec<Frame>,
}

impl Ip for Own {
    fn source_for(&self, destination: IpAddr) -> Result<IpAddr, SendError> {
        let same_version = |own: &&IpAddr| own.is_ipv4() == destination.is_ipv4();
        self.0.iter().find(same_version).copied().ok_or(SendError::NetworkUnreachable)
    }

    fn mtu_for(&self, _destination: IpAddr) -> usize {
        1500
    }

    fn owns(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    fn is_broadcast(&self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(address) if address.octets()[3] == 255)
    }

    fn send(&mut self, packet: Frame, _now: Time, out: &mut Outbox) -> Result<(), SendError> {
        out.consume(packet);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

impl Ip for LabIp {
    fn source_for(&self, destination: IpAddr) -> Result<IpAddr, SendError> {
        self.own.source_for(destination)
    }

    fn mtu_for(&self, _destination: IpAddr) -> usize {
        self.mtu
    }

    fn owns(&self, address: IpAddr) -> bool {
        self.own.owns(address)
    }

    fn is_broadcast(&self, address: IpAddr) -> bool {
        self.own.is_broadcast(address)
    }

    fn send(&mut self, mut packet: Frame, _now: Time, out: &mut Outbox) -> Result<(), SendError> {
        let header = Header::read(packet.bytes()).expect("stacks send whole packets");
        assert_eq!(header.payload.end, packet.len());
        // IPv4's don't-fragment bit.
        let must_fit = header.source.is_ipv6() || packet.bytes()[6] & 0x40 != 0;
        let is_too_long = must_fit && packet.len() > self.mtu;
        let too_long = is_too_long.then_some(SendError::MessageTooLong { mtu: self.mtu });
        if let Some(refusal) = self.refusal.or(too_long) {
            out.drop_frame(packet, Cause::NoRoute);
            return Err(refusal);
        }
        packet.complete();
        self.sent.push(packet);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

/// What a packet of the lab looks like to those who decide its fate, and to tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) at: Time,
    /// Which stack sent it.
    pub(crate) from: usize,
    /// `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.` for TCP, else the protocol's name.
    pub(crate) flags: String,
    pub(crate) bytes: Vec<u8>,
}

impl Sighting {
    pub(crate) fn header(&self) -> Header {
        Header::read(&self.bytes).unwrap()
    }

    /// Milliseconds, sender, flags, length of the transport payload (of TCP) or of the IP payload.
    pub(crate) fn line(&self) -> String {
        let millis = self.at.as_nanos() / 1_000_000;
        let sender = ['a', 'b', 'c', 'd'][self.from];
        format!("{millis} {sender} {} {}", self.flags, self.payload().len())
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let transport = &self.bytes[self.header().payload];
        match self.header().protocol {
            IpProtocol::Tcp => &transport[usize::from(transport[12] >> 4) * 4..],
            _ => transport,
        }
    }

    /// Sequence and acknowledgment number.
    pub(crate) fn numbers(&self) -> (u32, u32) {
        let transport = &self.bytes[self.header().payload];
        let word = |at: usize| u32::from_be_bytes(transport[at..at + 4].try_into().unwrap());
        (word(4), word(8))
    }

    fn new(at: Time, from: usize, bytes: Vec<u8>) -> Self {
        let header = Header::read(&bytes).unwrap();
        let flags = match header.protocol {
            IpProtocol::Tcp => {
                let bits = bytes[header.payload.start + 13];
                let names = [(2, 'S'), (1, 'F'), (4, 'R'), (8, 'P'), (16, '.')];
                names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
            }
            protocol => protocol.to_string(),
        };
        Self { at, from, flags, bytes }
    }
}

/// What happens to a packet on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    /// It arrives this much later than usual.
    Late(Duration),
    Passes,
}

type Judge = Box<dyn FnMut(&Sighting) -> Fate>;

pub(crate) struct Lab {
    pub(crate) stacks: Vec<Stack>,
    ips: Vec<Option<Box<LabIp>>>,
    pub(crate) now: Time,
    pub(crate) delay: Duration,
    /// Decides what is lost.
    pub(crate) judge: Judge,
    /// Everything that was sent, lost or not.
    pub(crate) wire: Vec<Sighting>,
    /// What was said, with who said it.
    pub(crate) notes: Vec<(usize, String)>,
    /// What programs did that no program may.
    pub(crate) misdeeds: Vec<String>,
    /// What was dropped inside a stack.
    pub(crate) drops: Vec<Cause>,
    flying: BTreeMap<(Time, usize), (usize, Vec<u8>)>,
    outbox: Outbox,
    launched: usize,
    apps: u32,
}

impl Lab {
    /// `count` stacks, 10 ms apart.
    pub(crate) fn new(count: usize) -> Self {
        Self::with(count, TcpSettings::default())
    }

    pub(crate) fn with(count: usize, settings: TcpSettings) -> Self {
        let mut hosts = Hosts::default();
        (0..count).for_each(|index| hosts.add(["a", "b", "c", "d"][index], address(index)));
        let hosts = Arc::new(hosts);
        let stack = |index: usize| {
            let host_name = ["a", "b", "c", "d"][index].to_owned();
            let seed = index as u64;
            let (settings, resolver) = (settings.clone(), ResolverSettings::default());
            Stack::new(StackConfig { seed, run_seed: seed, host_name, hosts: Arc::clone(&hosts), settings, resolver })
        };
        let ip = |index| {
            let own = Own(vec![address(index), address_v6(index), Ipv4Addr::LOCALHOST.into()]);
            Some(Box::new(LabIp { own, mtu: 1500, refusal: None, sent: Vec::new() }))
        };
        Self {
            stacks: (0..count).map(stack).collect(),
            ips: (0..count).map(ip).collect(),
            now: Time::ZERO,
            delay: Duration::from_millis(10),
            judge: Box::new(|_| Fate::Passes),
            wire: Vec::new(),
            notes: Vec::new(),
            misdeeds: Vec::new(),
            drops: Vec::new(),
            flying: BTreeMap::new(),
            outbox: Outbox::new(true),
            launched: 0,
            apps: 0,
        }
    }

    /// Adds a program and starts it now.
    pub(crate) fn start<F, Fut>(&mut self, index: usize, name: &str, main: F) -> AppId
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        let app = AppId(self.apps);
        self.apps += 1;
        self.stacks[index].add_program(app, name, Program::new(main));
        self.stacks[index].start_program(app, self.now);
        self.settle(index);
        app
    }

    pub(crate) fn ip(&mut self, index: usize) -> &mut LabIp {
        self.ips[index].as_mut().unwrap()
    }

    /// Lets time pass until nothing happens any more, or until `end`.
    pub(crate) fn run_until(&mut self, end: Time) {
        loop {
            let wakes = self.stacks.iter().filter_map(Stack::wake_at).min();
            let next = self.flying.keys().next().map(|(at, _)| *at).into_iter().chain(wakes).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            assert!(
                next >= self.now || self.stacks.iter().any(|stack| stack.wake_at().is_some_and(|at| at <= self.now))
            );
            self.now = self.now.max(next);
            if let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (index, bytes) = entry.remove();
                self.hand_over(index, &bytes);
            } else {
                (0..self.stacks.len()).for_each(|index| self.wake(index));
            }
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn run_for(&mut self, millis: u64) {
        self.run_until(self.now + Duration::from_millis(millis));
    }

    /// Puts a packet before a stack, as if it had just arrived.
    pub(crate) fn hand_over(&mut self, index: usize, bytes: &[u8]) {
        let frame = Frame::new(self.outbox.pool.copy(bytes), Layer::Ip);
        let ip = self.ips[index].as_mut().unwrap();
        let delivery = self.stacks[index].deliver(frame, self.now, &mut **ip, &mut self.outbox);
        if let Delivery::NobodyWants(frame) = delivery {
            let answer = answer(&frame, &mut self.outbox.pool);
            if let Some(answer) = answer {
                let _ = ip.send(answer, self.now, &mut self.outbox);
            }
            self.outbox.consume(frame);
        }
        self.settle(index);
    }

    /// Wakes a stack.
    pub(crate) fn wake(&mut self, index: usize) {
        let ip = self.ips[index].as_mut().unwrap();
        self.stacks[index].poll_sockets(self.now, &mut **ip, &mut self.outbox);
        self.settle(index);
    }

    /// Lets programs run, and sends what was said.
    pub(crate) fn settle(&mut self, index: usize) {
        if self.stacks[index].has_ready_programs() {
            let ip = self.ips[index].take().unwrap();
            let ip = self.stacks[index].run(self.now, ip, &mut self.outbox);
            self.ips[index] = Some(ip.into_any().downcast().unwrap());
        }
        let mut effects = Vec::new();
        self.outbox.swap_effects(&mut effects);
        for effect in effects {
            match effect {
                Effect::Note { text, .. } => self.notes.push((index, text)),
                Effect::Misbehaved { text, .. } => self.misdeeds.push(text),
                Effect::Dropped { frame, cause, .. } => {
                    self.drops.push(cause);
                    self.outbox.consume(frame);
                }
                other => panic!("a stack does not {other:?}"),
            }
        }
        let sent = std::mem::take(&mut self.ips[index].as_mut().unwrap().sent);
        for frame in sent {
            self.launch(index, frame);
        }
    }

    fn launch(&mut self, from: usize, frame: Frame) {
        let sighting = Sighting::new(self.now, from, frame.bytes().to_vec());
        let fate = (self.judge)(&sighting);
        let destination = sighting.header().destination;
        let bytes = sighting.bytes.clone();
        self.wire.push(sighting);
        self.outbox.consume(frame);
        let late = match fate {
            Fate::Lost => return,
            Fate::Late(late) => late,
            Fate::Passes => Duration::ZERO,
        };
        let is_for_all = matches!(destination, IpAddr::V4(address) if address.octets()[3] == 255);
        for index in 0..self.stacks.len() {
            let is_own = index == from && destination.is_loopback();
            let is_here = destination == address(index) || destination == address_v6(index);
            if is_own || is_here || (is_for_all && index != from) {
                let at = self.now + if index == from { Duration::ZERO } else { self.delay + late };
                self.launched += 1;
                self.flying.insert((at, self.launched), (index, bytes.clone()));
            }
        }
    }

    /// What was on the wire since the `skip`-th packet.
    pub(crate) fn lines(&self, skip: usize) -> Vec<String> {
        self.wire.iter().skip(skip).map(Sighting::line).collect()
    }

    pub(crate) fn said(&self, index: usize) -> Vec<&str> {
        self.notes.iter().filter(|(who, _)| *who == index).map(|(_, text)| text.as_str()).collect()
    }

    pub(crate) fn outcome(&self, index: usize, app: AppId, key: &str) -> Option<Value> {
        self.stacks[index].outcome(app, key)
    }

    /// A reported text; `-` if there is none.
    pub(crate) fn text(&self, index: usize, app: AppId, key: &str) -> String {
        match self.outcome(index, app, key) {
            Some(Value::Text(text)) => text,
            Some(other) => other.to_string(),
            None => "-".to_owned(),
        }
    }

    pub(crate) fn counter(&self, index: usize, name: &str) -> i64 {
        match self.stacks[index].counters().into_iter().find(|(other, _)| other == name) {
            Some((_, Value::Integer(count))) => count,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// `ss -tan`, state by state.
    pub(crate) fn states(&self, index: usize) -> Vec<&'static str> {
        self.stacks[index].sockets().into_iter().map(|row| row.state).collect()
    }
}

/// What the machine does about a packet that nobody wants.
fn answer(frame: &Frame, pool: &mut Pool) -> Option<Frame> {
    let header = Header::read(frame.bytes())?;
    let envelope = |protocol| Envelope {
        source: header.destination,
        destination: header.source,
        protocol,
        ttl: packet::TTL,
        dont_fragment: true,
        ident: 0,
    };
    match header.protocol {
        IpProtocol::Tcp => reset_reply(frame, pool),
        IpProtocol::Udp if header.source.is_ipv4() => {
            Some(icmp_error(&envelope(IpProtocol::Icmp), 3, 3, frame.bytes(), pool))
        }
        IpProtocol::Icmp if header.source.is_ipv4() => {
            let message = &frame.bytes()[header.payload.clone()];
            let (mut buffer, start) = envelope(IpProtocol::Icmp).open(message.len(), pool).ok()?;
            buffer.bytes_mut()[start..].copy_from_slice(message);
            buffer.bytes_mut()[start] = 0;
            Some(packet::seal(buffer))
        }
        _ => None,
    }
}

/// An ICMPv4 error about `packet`, quoting its header and eight bytes.
pub(crate) fn icmp_error(envelope: &Envelope, kind: u8, code: u8, packet: &[u8], pool: &mut Pool) -> Frame {
    let quoted = packet.len().min(28);
    let (mut buffer, start) = envelope.open(8 + quoted, pool).unwrap();
    let message = &mut buffer.bytes_mut()[start..];
    message[..8].copy_from_slice(&[kind, code, 0, 0, 0, 0, 0, 0]);
    message[8..].copy_from_slice(&packet[..quoted]);
    packet::seal(buffer)
}

/// The same, as bytes, from `router` to the sender of `packet`.
pub(crate) fn icmp_error_bytes(router: IpAddr, kind: u8, code: u8, packet: &[u8]) -> Vec<u8> {
    let envelope = Envelope {
        source: router,
        destination: Header::read(packet).unwrap().source,
        protocol: IpProtocol::Icmp,
        ttl: 61,
        dont_fragment: true,
        ident: 0,
    };
    icmp_error(&envelope, kind, code, packet, &mut Pool::default()).bytes().to_vec()
}
