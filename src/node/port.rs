//! A bare link end: frames go in and out as they are, for a stack that is not ours.
//!
//! Two ways to use it:
//!
//! * **A foreign stack inside** ([`Port::with_stack`]): anything that implements [`ForeignStack`], such as a closure
//!   around a plain smoltcp `Interface` with its own ARP. It is polled in virtual time, whenever a frame arrives and
//!   whenever it asked to be, so a run stays deterministic: smoltcp's users can test their firmware's stack against our
//!   routers and faults.
//! * **A handle outside** ([`Port::new`], [`Port::handle`]): a test reads what has arrived and pushes what shall leave,
//!   between two steps of the network. What was pushed leaves when the node is next called.
//!
//! Either way the far side sees a [`PortHandle`], which is a [`smoltcp::phy::Device`] with Ethernet as its medium.
//! What comes out of a port was made by somebody else, so nothing about it is taken on trust: its frames are marked,
//! and whoever receives them verifies their checksums.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use super::{Build, Command, LinkState, Node, NodeKind, Role};
use crate::id::PortId;
use crate::record::{Cause, Outbox, Value};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// The row of ports.
pub static KIND: NodeKind = NodeKind {
    name: "port",
    doc: "A bare link end for a stack that is not ours: Rust code, or the outside world, reads and writes its frames.",
    example: "kind = \"port\"",
    fields: &[],
    build: Build { role: Role::Outside, build: |_, _| Some(Box::new(Port::new())) },
};

/// How many frames wait to be read; a stack that never reads loses the newcomers.
pub const INBOX_FRAMES_MAX: usize = 1024;

/// How often a foreign stack is polled at one instant before it has to wait for the next microsecond.
const POLLS_PER_INSTANT_MAX: usize = 64;

/// What a stack that always wants to be polled at once has to wait instead: the least that smoltcp's clock can tell.
const POLL_AGAIN_AFTER: Duration = Duration::from_micros(1);

/// The length of an Ethernet header, which smoltcp counts as part of an Ethernet device's MTU.
const ETHERNET_HEADER_BYTES: usize = 14;

/// A protocol stack that reads and writes Ethernet frames.
pub trait ForeignStack: Send {
    /// Does whatever is to be done at `now`: reads and writes frames, moves the stack's own timers.
    ///
    /// Returns when to be called again if nothing arrives before; `None` if only an arrival matters.
    fn poll(&mut self, now: Time, device: &mut PortHandle) -> Option<Time>;
}

impl<F: FnMut(Time, &mut PortHandle) -> Option<Time> + Send> ForeignStack for F {
    fn poll(&mut self, now: Time, device: &mut PortHandle) -> Option<Time> {
        self(now, device)
    }
}

#[derive(Debug)]
struct Queues {
    /// What has arrived and was not read yet.
    inbox: VecDeque<Vec<u8>>,
    /// What was written and has not left yet.
    outbox: VecDeque<Vec<u8>>,
    /// The largest packet, Ethernet header not counted.
    mtu: usize,
}

/// The outer side of a [`Port`]: reads and writes whole Ethernet frames.
#[derive(Debug, Clone)]
pub struct PortHandle {
    queues: Arc<Mutex<Queues>>,
}

impl PortHandle {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        // A panic elsewhere leaves whole frames in the queues: nothing half done to be afraid of.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next frame that has arrived.
    #[must_use]
    pub fn read(&self) -> Option<Vec<u8>> {
        self.lock().inbox.pop_front()
    }

    /// Writes a frame, which leaves when the node is next called.
    pub fn write(&self, frame: Vec<u8>) {
        self.lock().outbox.push_back(frame);
    }
}

/// A frame on its way to a smoltcp `Interface`.
#[derive(Debug)]
pub struct Arrived(Vec<u8>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for a frame from a smoltcp `Interface`.
#[derive(Debug)]
pub struct Leaving<'h>(&'h PortHandle);

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.write(frame);
        result
    }
}

impl Device for PortHandle {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Arrived, Leaving<'_>)> {
        Some((Arrived(self.read()?), Leaving(self)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Leaving<'_>> {
        // Always: a device that refuses makes smoltcp ask for a poll at once, for ever.
        Some(Leaving(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.lock().mtu + ETHERNET_HEADER_BYTES;
        capabilities
    }
}

/// A node with one port and nothing of its own behind it.
pub struct Port {
    handle: PortHandle,
    stack: Option<Box<dyn ForeignStack>>,
    poll_at: Option<Time>,
    /// When the node was last called: what was written since leaves "then", which is at once.
    called_at: Time,
    is_down: bool,
    received: u64,
    sent: u64,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("handle", &self.handle).field("has_stack", &self.stack.is_some()).finish()
    }
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

impl Port {
    /// A port whose frames wait for [`Port::handle`].
    #[must_use]
    pub fn new() -> Self {
        let queues = Queues { inbox: VecDeque::new(), outbox: VecDeque::new(), mtu: super::MTU_DEFAULT };
        Self {
            handle: PortHandle { queues: Arc::new(Mutex::new(queues)) },
            stack: None,
            poll_at: None,
            called_at: Time::ZERO,
            is_down: false,
            received: 0,
            sent: 0,
        }
    }

    /// A port with a stack behind it, first polled when the run starts.
    #[must_use]
    pub fn with_stack(stack: impl ForeignStack + 'static) -> Self {
        Self { stack: Some(Box::new(stack)), ..Self::new() }
    }

    /// The outer side. Every clone reads and writes the same queues.
    #[must_use]
    pub fn handle(&self) -> PortHandle {
        self.handle.clone()
    }

    /// Lets the stack work, then puts what was written on the link.
    fn run(&mut self, now: Time, out: &mut Outbox) {
        self.called_at = now;
        self.poll_at = None;
        if self.is_down {
            return;
        }
        if let Some(stack) = &mut self.stack {
            for _ in 0..POLLS_PER_INSTANT_MAX {
                self.poll_at = stack.poll(now, &mut self.handle);
                if self.poll_at.is_none_or(|at| at > now) {
                    break;
                }
            }
            self.poll_at = self.poll_at.map(|at| if at > now { at } else { now + POLL_AGAIN_AFTER });
        }
        loop {
            let Some(bytes) = self.handle.lock().outbox.pop_front() else { break };
            self.sent += 1;
            let frame = super::foreign_frame(&bytes, Layer::Ethernet, out);
            out.send(PortId(0), frame);
        }
    }

    fn drop_frame(&mut self, frame: Frame, cause: Cause, out: &mut Outbox) {
        out.drop_frame(frame, cause);
    }
}

impl Node for Port {
    fn kind(&self) -> &'static str {
        "port"
    }

    fn start(&mut self, now: Time, out: &mut Outbox) {
        self.run(now, out);
    }

    fn receive(&mut self, port: PortId, mut frame: Frame, now: Time, out: &mut Outbox) {
        if self.is_down {
            return self.drop_frame(frame, Cause::NodeDown, out);
        }
        if port != PortId(0) {
            return self.drop_frame(frame, Cause::NoLink, out);
        }
        if frame.layer != Layer::Ethernet {
            return self.drop_frame(frame, Cause::UnknownProtocol, out);
        }
        if self.handle.lock().inbox.len() >= INBOX_FRAMES_MAX {
            self.drop_frame(frame, Cause::ReceiveBufferFull, out);
        } else {
            // Who reads it is not one of us: the bytes must be as a wire would carry them.
            frame.complete();
            self.received += 1;
            self.handle.lock().inbox.push_back(frame.bytes().to_vec());
            out.consume(frame);
        }
        self.run(now, out);
    }

    fn wake(&mut self, now: Time, out: &mut Outbox) {
        self.run(now, out);
    }

    fn wake_at(&self) -> Option<Time> {
        let has_written = !self.is_down && !self.handle.lock().outbox.is_empty();
        if has_written { Some(self.called_at) } else { self.poll_at }
    }

    fn link_changed(&mut self, _port: PortId, state: LinkState, _now: Time, _out: &mut Outbox) {
        // A smoltcp `Interface` reads its device's MTU once, when it is made.
        self.handle.lock().mtu = state.mtu;
    }

    fn command(&mut self, command: &Command, now: Time, out: &mut Outbox) -> Result<(), String> {
        match command {
            Command::Crash => {
                self.is_down = true;
                self.poll_at = None;
                let mut queues = self.handle.lock();
                queues.inbox.clear();
                queues.outbox.clear();
            }
            Command::Restart => {
                self.is_down = false;
                self.run(now, out);
            }
            Command::Inject { .. } if self.is_down => {
                return Err(format!("the port is down and cannot {}", command.verb()));
            }
            Command::Inject { layer: Layer::Ethernet, bytes, .. } => {
                self.handle.write(bytes.clone());
                self.run(now, out);
            }
            Command::Inject { .. } => {
                return Err("a port needs a whole Ethernet frame, beginning with its header".into());
            }
            Command::StartApp(_) | Command::StopApp(_) => return Err(format!("a port cannot {}", command.verb())),
        }
        Ok(())
    }

    fn counter(&self, path: &str) -> Option<Value> {
        self.counters().into_iter().find(|(name, _)| name == path).map(|(_, value)| value)
    }

    fn counters(&self) -> Vec<(String, Value)> {
        let named = [("received", self.received), ("sent", self.sent)];
        named.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
