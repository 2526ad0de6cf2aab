//! The device under smoltcp's `Interface`: one packet in, a list of packets out.
//!
//! It exists for the length of one call. It never refuses a packet: smoltcp's `poll_at` would say "now" for ever.

use smoltcp::iface::{Config, Interface};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;

use super::super::packet;
use crate::time::Time;
use crate::wire::{Frame, Pool};

/// smoltcp's interface, made when it is first needed: it is large, and many machines never have a connection.
pub(super) struct LazyInterface {
    interface: Option<Box<Interface>>,
    /// For initial sequence numbers.
    seed: u64,
}

impl LazyInterface {
    pub(super) fn new(seed: u64) -> Self {
        Self { interface: None, seed }
    }

    pub(super) fn get(&mut self) -> &mut Interface {
        self.interface.get_or_insert_with(|| {
            let mut config = Config::new(HardwareAddress::Ip);
            config.random_seed = self.seed;
            let (mut sent, mut pool) = (Vec::new(), Pool::default());
            let mut interface = Interface::new(config, &mut Phy::new(None, &mut sent, &mut pool), Instant::ZERO);
            // The machine has decided that a packet is for it before it comes here.
            interface.set_any_ip(true);
            Box::new(interface)
        })
    }
}

/// What smoltcp takes for its only network card.
#[derive(Debug)]
pub(super) struct Phy<'a> {
    incoming: Option<&'a [u8]>,
    sent: &'a mut Vec<Frame>,
    pool: &'a mut Pool,
}

impl<'a> Phy<'a> {
    /// `incoming` is the one packet to be received; what is sent is added to `sent`.
    pub(super) fn new(incoming: Option<&'a [u8]>, sent: &'a mut Vec<Frame>, pool: &'a mut Pool) -> Self {
        Self { incoming, sent, pool }
    }
}

/// smoltcp's time: whole microseconds, rounded down, so that nothing in it is ever later than it is.
pub(super) fn instant(now: Time) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// The moment at which smoltcp sees its instant come.
pub(super) fn moment(instant: Instant) -> Time {
    Time::from_nanos(u64::try_from(instant.total_micros()).unwrap_or(0).saturating_mul(1000))
}

impl Device for Phy<'_> {
    type RxToken<'b>
        = Receive<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Transmit<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(Receive<'_>, Transmit<'_>)> {
        let packet = self.incoming.take()?;
        Some((Receive(packet), Transmit { sent: self.sent, pool: self.pool }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit { sent: self.sent, pool: self.pool })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        // No segment is too large here: what fits the path is written into the MSS option, and cut, on the way out.
        capabilities.max_transmission_unit = packet::PACKET_MAX;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

/// A packet to be received.
#[derive(Debug)]
pub(super) struct Receive<'a>(&'a [u8]);

impl RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

/// A chance to send a packet.
#[derive(Debug)]
pub(super) struct Transmit<'a> {
    sent: &'a mut Vec<Frame>,
    pool: &'a mut Pool,
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut buffer = self.pool.take(length);
        let result = write(buffer.bytes_mut());
        self.sent.push(packet::seal(buffer));
        result
    }
}
