//! A machine: one implementation for host and router.

mod spec;

use std::any::Any;

pub use spec::{ArpSettings, InterfaceSpec, MachineSpec, NeighborSpec, RouteKind, RouteSpec, TTL_DEFAULT};

use super::Node;
use crate::id::PortId;
use crate::record::{Cause, Outbox};
use crate::time::Time;
use crate::wire::Frame;

/// A host or a router.
#[derive(Debug)]
pub struct Machine {
    spec: Box<MachineSpec>,
}

impl Machine {
    /// A machine that knows nobody yet.
    #[must_use]
    pub fn new(spec: MachineSpec) -> Self {
        Self { spec: Box::new(spec) }
    }
}

impl Node for Machine {
    fn kind(&self) -> &'static str {
        if self.spec.forwards { "router" } else { "host" }
    }

    fn receive(&mut self, _port: PortId, frame: Frame, _now: Time, out: &mut Outbox) {
        out.drop_frame(frame, Cause::NodeDown);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
