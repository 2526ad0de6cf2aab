//! What a port tells its neighbor, and when (IEEE 802.1D-2004 §17.26).

use super::SpanningTree;
use super::port::{Port, Role};
use super::timer::Timer;
use crate::id::{FrameId, PortId};
use crate::record::Outbox;
use crate::time::Time;
use crate::wire::bpdu::{
    BPDU_ADDRESS, BPDU_AGREEMENT, BPDU_FORWARDING, BPDU_LEARNING, BPDU_LLC, BPDU_PROPOSAL, BPDU_TOPOLOGY_CHANGE,
    BPDU_TOPOLOGY_CHANGE_ACK, Bpdu, BpduKind, BpduRole,
};
use crate::wire::{Frame, Layer};

/// Two addresses and a length.
const HEADER_BYTES: usize = 14;

impl SpanningTree {
    /// Sends what a port has to tell, if it has anything and may.
    pub(super) fn transmit(&mut self, index: usize, now: Time, cause: Option<FrameId>, out: &mut Outbox) -> bool {
        let port = &mut self.ports[index];
        if !port.is_enabled {
            (port.has_news, port.hello) = (true, Timer::Off);
            port.forget_sent();
            return false;
        }
        if !port.is_settled() {
            return false;
        }
        let hello_time = port.designated_times.hello.duration();
        if !port.hello.is_running(now) {
            port.hello = Timer::start(now, hello_time);
            let tells =
                port.role == Role::Designated || (port.role == Role::Root && port.topology_change.is_running(now));
            port.has_news |= tells;
        }
        if !port.has_news || !port.may_send(now) {
            return false;
        }
        let message = match (port.speaks_rapid, port.role) {
            (true, _) => port.rapid_message(now),
            (false, Role::Designated) => port.old_message(now),
            (false, Role::Root) => Bpdu::NOTIFICATION,
            (false, _) => {
                port.has_news = false;
                return false;
            }
        };
        (port.has_news, port.acknowledges_change) = (false, false);
        port.count_sent(now);
        port.hello = Timer::start(now, hello_time);
        let frame = port.frame(&message, out).caused_by(cause);
        out.send(PortId(u16::try_from(index).unwrap_or(u16::MAX)), frame);
        self.sent += 1;
        true
    }
}

impl Port {
    /// txRstp, §17.21.20
    fn rapid_message(&self, now: Time) -> Bpdu {
        let role = match self.role {
            Role::Alternate | Role::Backup => BpduRole::AlternateOrBackup,
            Role::Designated => BpduRole::Designated,
            Role::Root => BpduRole::Root,
            Role::Disabled => BpduRole::Unknown,
        };
        let flags = [
            (BPDU_TOPOLOGY_CHANGE, self.topology_change.is_running(now)),
            (BPDU_PROPOSAL, self.proposing),
            (BPDU_LEARNING, self.learning),
            (BPDU_FORWARDING, self.forwarding),
            (BPDU_AGREEMENT, self.agree),
        ];
        self.message(BpduKind::Rapid, role, &flags)
    }

    /// txConfig, §17.21.19
    fn old_message(&self, now: Time) -> Bpdu {
        let flags = [
            (BPDU_TOPOLOGY_CHANGE, self.topology_change.is_running(now)),
            (BPDU_TOPOLOGY_CHANGE_ACK, self.acknowledges_change),
        ];
        self.message(BpduKind::Configuration, BpduRole::Unknown, &flags)
    }

    fn message(&self, kind: BpduKind, role: BpduRole, flags: &[(u8, bool)]) -> Bpdu {
        let (vector, times) = (&self.designated, &self.designated_times);
        Bpdu {
            kind,
            flags: flags.iter().filter(|(_, is_set)| *is_set).map(|(bit, _)| bit).sum(),
            role,
            root: vector.root,
            cost: vector.cost,
            bridge: vector.bridge,
            port: vector.port,
            message_age: times.message_age,
            max_age: times.max_age,
            hello: times.hello,
            forward_delay: times.forward_delay,
        }
    }

    fn frame(&self, message: &Bpdu, out: &mut Outbox) -> Frame {
        let length = BPDU_LLC.len() + message.len();
        let mut buffer = out.buffer(HEADER_BYTES + length);
        let bytes = buffer.bytes_mut();
        bytes[..6].copy_from_slice(&BPDU_ADDRESS);
        bytes[6..12].copy_from_slice(&self.mac);
        bytes[12..14].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        bytes[14..17].copy_from_slice(&BPDU_LLC);
        bytes[17..].copy_from_slice(&message.emit()[..message.len()]);
        Frame::new(buffer, Layer::Ethernet)
    }
}
