//! Two stacks back to back, for tests.
use std::net::IpAddr;
use super::ip::{Ip, SendError};
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::Frame;

/// An IP layer that owns addresses and nothing else.
pub(crate) struct Own(pub(crate) Vec<IpAddr>);

impl Ip for Own {
    fn source_for(&self, destination: IpAddr) -> Result<IpAddr, SendError> {
        self.0.iter().find(|own| own.is_ipv4() == destination.is_ipv4()).copied().ok_or(SendError::NetworkUnreachable)
    }
    fn mtu_for(&self, _: IpAddr) -> usize { 1500 }
    fn owns(&self, address: IpAddr) -> bool { self.0.contains(&address) }
    fn is_broadcast(&self, address: IpAddr) -> bool { address.to_string().ends_with(".255") }
    fn send(&mut self, packet: Frame, _: Time, out: &mut Outbox) -> Result<(), SendError> { out.consume(packet); Ok(()) }
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> { self }
}
