//! One direction of a link.
//!
//! A frame is moved in, judged once, and moved out when its time has come. What is on the way is kept in the order of
//! arrival, so that the agenda needs one entry for a busy pipe, not one for each frame.

use std::collections::VecDeque;
use std::time::Duration;

use super::fault::FaultRule;
use super::impair::{Fate, Impairment};
use super::queue::{Queue, QueueLimit, Waiting};
use crate::id::{FrameId, PipeId, RuleId};
use crate::record::{Alteration, Cause, Outbox, Value};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Rate;
use crate::wire::{Frame, Layer};

/// Nothing crosses a link in zero time, so that events of one instant at different nodes are independent.
pub const DELAY_MIN: Duration = Duration::from_nanos(1);

/// The length of an Ethernet header: an MTU counts what lies behind it.
const ETHERNET_HEADER_BYTES: usize = 14;

/// What one direction of a link is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeSpec {
    /// Propagation delay. Same room 1 us, same city 5 ms, other continent 80 ms, satellite 270 ms.
    pub delay: Duration,
    /// How fast frames are clocked out, counted in bytes from the Ethernet header to the end of the payload; `None`:
    /// in no time.
    pub rate: Option<Rate>,
    /// The largest packet, link header not counted.
    pub mtu: usize,
    /// How much may wait for the transmitter.
    pub queue: QueueLimit,
}

impl Default for PipeSpec {
    /// The least delay, no rate, an MTU of 1500, a queue of 1000 frames.
    fn default() -> Self {
        Self { delay: DELAY_MIN, rate: None, mtu: 1500, queue: QueueLimit::default() }
    }
}

/// What has gone through, or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PipeCounters {
    /// Frames that were put in, whatever became of them.
    pub sent: u64,
    /// Bytes of those frames.
    pub sent_bytes: u64,
    /// Frames that came out, copies included.
    pub delivered: u64,
    /// Bytes of those frames.
    pub delivered_bytes: u64,
    /// Frames that did not come out.
    pub dropped: u64,
    /// Of these: dropped because the queue had no room.
    pub dropped_queue_full: u64,
    /// Of these: lost by chance.
    pub dropped_loss: u64,
    /// Of these: dropped by a fault rule.
    pub dropped_fault: u64,
    /// Of these: dropped because the link was down.
    pub dropped_link_down: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Frames with a bit flipped.
    pub corrupted: u64,
    /// Frames held back so that others may overtake them.
    pub held_back: u64,
    /// The most frames that ever waited at once.
    pub queue_packets_max: u64,
    /// The most bytes that ever waited at once.
    pub queue_bytes_max: u64,
}

impl PipeCounters {
    /// Every counter with its name, in a fixed order.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, Value)> {
        [("sent", self.sent), ("dropped", self.dropped)].map(|(name, value)| (name, value.into())).into()
    }
}

/// An impairment in its place: with a name to sign its deeds and luck of its own.
#[derive(Debug)]
struct Slot {
    rule: RuleId,
    rng: Rng,
    impairment: Box<dyn Impairment>,
}

/// A frame on its way.
#[derive(Debug)]
struct InFlight {
    /// When its transmission begins, or began.
    begins_at: Time,
    arrives_at: Time,
    /// What impairments added to the delay.
    extra: Duration,
    /// Whether others may overtake it.
    is_held_back: bool,
    frame: Frame,
}

/// One direction of a link: frames in, frames out later.
#[derive(Debug)]
pub struct Pipe {
    id: PipeId,
    spec: PipeSpec,
    is_up: bool,
    queue: Queue,
    /// When the transmitter has nothing left to send.
    free_at: Time,
    /// When the last frame that keeps the order arrives.
    ordered_until: Time,
    flight: VecDeque<InFlight>,
    faults: Vec<FaultRule>,
    impairments: Vec<Slot>,
    copies: u32,
    counters: PipeCounters,
}

impl Pipe {
    /// An idle pipe.
    #[must_use]
    pub fn new(id: PipeId, spec: PipeSpec) -> Self {
        let queue = Queue::new(spec.queue);
        Self {
            id,
            spec,
            is_up: true,
            queue,
            free_at: Time::ZERO,
            ordered_until: Time::ZERO,
            flight: VecDeque::new(),
            faults: Vec::new(),
            impairments: Vec::new(),
            copies: 0,
            counters: PipeCounters::default(),
        }
    }

    /// Adds an impairment behind those already there. `rng` is the stream of its name.
    pub fn add_impairment(&mut self, rule: RuleId, rng: Rng, impairment: Box<dyn Impairment>) {
        self.impairments.push(Slot { rule, rng, impairment });
    }

    /// Puts another impairment in the place of the one called `rule`, keeping its luck.
    ///
    /// # Errors
    ///
    /// Gives the impairment back if there is none of that name.
    pub fn replace_impairment(
        &mut self,
        rule: RuleId,
        impairment: Box<dyn Impairment>,
    ) -> Result<(), Box<dyn Impairment>> {
        match self.impairments.iter_mut().find(|slot| slot.rule == rule) {
            Some(slot) => {
                slot.impairment = impairment;
                Ok(())
            }
            None => Err(impairment),
        }
    }

    /// Takes the impairment called `rule` away; whether there was one.
    pub fn remove_impairment(&mut self, rule: RuleId) -> bool {
        let before = self.impairments.len();
        self.impairments.retain(|slot| slot.rule != rule);
        self.impairments.len() < before
    }

    /// Adds a fault rule behind those already there; it counts frames from now on.
    pub fn add_fault(&mut self, fault: FaultRule) {
        self.faults.push(fault);
    }

    /// A frame enters. It is told of by [`Outbox`] effects if it does not come out, or not as it was.
    pub fn send(&mut self, mut frame: Frame, now: Time, out: &mut Outbox) {
        let bytes = frame.len() as u64;
        self.counters.sent += 1;
        self.counters.sent_bytes += bytes;
        if !self.is_up {
            return self.drop_frame(frame, Cause::LinkDown, None, out);
        }
        if packet_length(&frame) > self.spec.mtu {
            return self.drop_frame(frame, Cause::OverMtu, None, out);
        }
        let Some(begins_at) = self.transmit(bytes, now) else {
            return self.drop_frame(frame, Cause::QueueFull, None, out);
        };
        if self.faults.is_empty() && self.impairments.is_empty() {
            return self.launch(frame, begins_at, Duration::ZERO, false);
        }
        self.judge(&mut frame, now, out).apply(self, frame, begins_at, out);
    }

    /// When the next frame comes out.
    #[must_use]
    pub fn next_arrival_at(&self) -> Option<Time> {
        self.flight.front().map(|first| first.arrives_at)
    }

    /// Takes out the next frame that has arrived by `now`.
    pub fn take_arrival(&mut self, now: Time) -> Option<Frame> {
        self.flight.front().filter(|first| first.arrives_at <= now)?;
        let arrived = self.flight.pop_front()?;
        self.counters.delivered += 1;
        self.counters.delivered_bytes += arrived.frame.len() as u64;
        Some(arrived.frame)
    }

    /// The link goes up or down. What is on a link that goes down is lost.
    pub fn set_up(&mut self, is_up: bool, now: Time, out: &mut Outbox) {
        if self.is_up == is_up {
            return;
        }
        self.is_up = is_up;
        if !is_up {
            while let Some(lost) = self.flight.pop_front() {
                self.drop_frame(lost.frame, Cause::LinkDown, None, out);
            }
            self.queue.clear();
            self.free_at = now;
            self.ordered_until = now;
        }
    }

    /// Changes the propagation delay, for frames whose transmission has not begun.
    pub fn set_delay(&mut self, delay: Duration, now: Time) {
        self.spec.delay = delay.max(DELAY_MIN);
        self.reschedule(now);
    }

    /// Changes the rate, for frames whose transmission has not begun.
    pub fn set_rate(&mut self, rate: Option<Rate>, now: Time) {
        self.spec.rate = rate;
        self.reschedule(now);
    }

    /// Changes the MTU, for frames to come.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.spec.mtu = mtu;
    }

    /// Changes how much may wait, for frames to come.
    pub fn set_queue(&mut self, limit: QueueLimit) {
        self.spec.queue = limit;
        self.queue.limit = limit;
    }

    /// Which pipe this is.
    #[must_use]
    pub fn id(&self) -> PipeId {
        self.id
    }

    /// What the pipe is like now.
    #[must_use]
    pub fn spec(&self) -> &PipeSpec {
        &self.spec
    }

    /// Whether frames pass.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// What has gone through, or not.
    #[must_use]
    pub fn counters(&self) -> &PipeCounters {
        &self.counters
    }

    /// When a newcomer's transmission begins, if the queue lets it in.
    fn transmit(&mut self, bytes: u64, now: Time) -> Option<Time> {
        let Some(rate) = self.spec.rate else { return Some(now) };
        self.queue.advance(now);
        let begins_at = self.free_at.max(now);
        if begins_at > now {
            if !self.queue.has_room(bytes) {
                return None;
            }
            self.queue.push(Waiting { begins_at, bytes });
            self.counters.queue_packets_max = self.counters.queue_packets_max.max(self.queue.packets());
            self.counters.queue_bytes_max = self.counters.queue_bytes_max.max(self.queue.bytes());
        }
        self.free_at = begins_at + rate.time_for(bytes as usize);
        Some(begins_at)
    }

    /// Asks the fault rules, then the impairments, in order.
    ///
    /// Impairments are asked even about a frame that is already lost: its successor shall not inherit its luck.
    fn judge(&mut self, frame: &mut Frame, now: Time, out: &mut Outbox) -> Sentence {
        let mut sentence = Sentence::default();
        for fault in &mut self.faults {
            let fate = fault.judge(frame, now);
            sentence.add(fate, Cause::Fault, fault.rule(), frame, out, &mut self.counters);
        }
        for slot in &mut self.impairments {
            let fate = slot.impairment.judge(frame, now, &mut slot.rng);
            sentence.add(fate, Cause::Loss, slot.rule, frame, out, &mut self.counters);
        }
        sentence
    }

    /// Puts a frame on its way.
    fn launch(&mut self, frame: Frame, begins_at: Time, extra: Duration, is_held_back: bool) {
        let departs_at = begins_at + self.spec.rate.map_or(Duration::ZERO, |rate| rate.time_for(frame.len()));
        let mut arrives_at = departs_at + self.spec.delay.max(DELAY_MIN) + extra;
        if !is_held_back {
            arrives_at = arrives_at.max(self.ordered_until);
            self.ordered_until = arrives_at;
        }
        let in_flight = InFlight { begins_at, arrives_at, extra, is_held_back, frame };
        let place = self.flight.iter().rposition(|other| other.arrives_at <= arrives_at).map_or(0, |place| place + 1);
        self.flight.insert(place, in_flight);
    }

    /// Works out anew when the waiting frames leave, after the rate or the delay has changed.
    fn reschedule(&mut self, now: Time) {
        self.queue.advance(now);
        // What is being clocked out finishes as it began.
        let first = self.queue.iter_mut().next().map(|first| first.begins_at);
        let mut free_at = first.unwrap_or(self.free_at);
        let mut moved: Vec<(Time, Time)> = Vec::new();
        for waiting in self.queue.iter_mut() {
            moved.push((waiting.begins_at, free_at));
            waiting.begins_at = free_at;
            free_at += self.spec.rate.map_or(Duration::ZERO, |rate| rate.time_for(waiting.bytes as usize));
        }
        self.free_at = free_at;
        let begun = self.flight.iter().filter(|on_way| on_way.begins_at <= now && !on_way.is_held_back);
        self.ordered_until = begun.map(|on_way| on_way.arrives_at).max().unwrap_or(now);
        let mut on_way: Vec<InFlight> = self.flight.drain(..).collect();
        let (waiting, begun): (Vec<_>, Vec<_>) = on_way.drain(..).partition(|on_way| on_way.begins_at > now);
        self.flight.extend(begun);
        let mut waiting = waiting;
        waiting.sort_by_key(|on_way| on_way.begins_at);
        for InFlight { begins_at, extra, is_held_back, frame, .. } in waiting {
            let place = moved.binary_search_by_key(&begins_at, |(before, _)| *before);
            let begins_at = place.map_or(begins_at, |place| moved[place].1);
            self.launch(frame, begins_at, extra, is_held_back);
        }
    }

    fn drop_frame(&mut self, frame: Frame, cause: Cause, rule: Option<RuleId>, out: &mut Outbox) {
        self.counters.dropped += 1;
        match cause {
            Cause::Fault => self.counters.dropped_fault += 1,
            Cause::LinkDown => self.counters.dropped_link_down += 1,
            Cause::Loss => self.counters.dropped_loss += 1,
            Cause::QueueFull => self.counters.dropped_queue_full += 1,
            _ => {}
        }
        match rule {
            Some(rule) => out.drop_by_rule(frame, cause, rule),
            None => out.drop_frame(frame, cause),
        }
    }
}

/// What all rules together decided about one frame.
#[derive(Debug, Default)]
struct Sentence {
    loss: Option<(Cause, RuleId)>,
    extra: Duration,
    is_held_back: bool,
    /// The rules that asked for a copy.
    copies: [Option<RuleId>; Self::COPIES_MAX],
}

impl Sentence {
    /// At most this many rules may duplicate one frame; the others are not heard.
    const COPIES_MAX: usize = 4;

    fn add(
        &mut self,
        fate: Fate,
        cause: Cause,
        rule: RuleId,
        frame: &mut Frame,
        out: &mut Outbox,
        counters: &mut PipeCounters,
    ) {
        if self.loss.is_some() {
            return;
        }
        match fate {
            Fate::Corrupt { byte, bit } => {
                // The damage must be seen against a right checksum.
                frame.complete();
                frame.damaged = true;
                let byte = byte % u32::try_from(frame.len()).unwrap_or(u32::MAX).max(1);
                if let Some(victim) = frame.bytes_mut().get_mut(byte as usize) {
                    *victim ^= 1 << (bit & 7);
                }
                counters.corrupted += 1;
                tell(frame, Alteration::Corrupted { byte, bit: bit & 7 }, rule, out);
            }
            Fate::Delay(delay) => self.extra += delay,
            Fate::Drop => self.loss = Some((cause, rule)),
            Fate::Duplicate => {
                if let Some(free) = self.copies.iter_mut().find(|copy| copy.is_none()) {
                    *free = Some(rule);
                }
            }
            Fate::HoldBack(delay) => {
                self.extra += delay;
                self.is_held_back = true;
                counters.held_back += 1;
                tell(frame, Alteration::Delayed(delay), rule, out);
            }
            Fate::Pass => {}
        }
    }

    fn apply(self, pipe: &mut Pipe, frame: Frame, begins_at: Time, out: &mut Outbox) {
        if let Some((cause, rule)) = self.loss {
            return pipe.drop_frame(frame, cause, Some(rule), out);
        }
        let mut copies: [Option<Frame>; Self::COPIES_MAX] = [const { None }; Self::COPIES_MAX];
        for (rule, slot) in self.copies.into_iter().flatten().zip(&mut copies) {
            let mut copy = frame.duplicate(&mut out.pool);
            let id = FrameId { origin: FrameId::LINK_BIT | pipe.id.0, count: pipe.copies };
            pipe.copies = pipe.copies.wrapping_add(1);
            pipe.counters.duplicated += 1;
            copy.id = Some(id);
            tell(&frame, Alteration::Duplicated { copy: id }, rule, out);
            *slot = Some(copy);
        }
        pipe.launch(frame, begins_at, self.extra, self.is_held_back);
        for copy in copies.into_iter().flatten() {
            pipe.launch(copy, begins_at, self.extra, self.is_held_back);
        }
    }
}

fn tell(frame: &Frame, how: Alteration, rule: RuleId, out: &mut Outbox) {
    if let Some(id) = frame.id {
        out.altered(id, how, Some(rule));
    }
}

/// How long the frame's packet is: what an MTU limits.
fn packet_length(frame: &Frame) -> usize {
    match frame.layer {
        Layer::Ethernet => frame.len().saturating_sub(ETHERNET_HEADER_BYTES),
        Layer::Ip => frame.len(),
    }
}
