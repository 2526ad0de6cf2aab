//! Packet sockets: those who look at all that crosses their machine's links, as `tcpdump` does, or who make whole packets
//! by hand, as `nmap` does.
//!
//! The machine shows every frame that it takes off a link or puts on one, whoever it is for (a card that is listened to
//! takes in all, "promiscuous mode"), and what it sends to itself. Nothing is copied that the socket's filter does not
//! want, and while there is no such socket nobody asks. What a program has not read yet is bounded; beyond that it is
//! counted and lost, as `tcpdump` says at its end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::super::arena::{Arena, Key};
use super::super::context::Net;
use super::super::core::Wakers;
use super::super::errors;
use crate::filter::Filter;
use crate::time::Time;
use crate::wire::{Frame, Layer, Pool};

/// How many bytes of frames may wait to be read, each counted with `FRAME_OVERHEAD` beside its own. `tcpdump` asks
/// Linux for two megabytes.
pub const TAP_BUFFER: usize = 2 * 1024 * 1024;

/// What each waiting frame counts for beside its bytes.
const FRAME_OVERHEAD: usize = 64;

/// The interface by which a machine sends to itself.
const LOOPBACK: &str = "lo";

/// Where a frame was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On its way from this machine to itself.
    Loopback,
    /// On the link at an interface, by its number.
    Link {
        /// The interface.
        interface: u16,
        /// Whether this machine put it there.
        is_outgoing: bool,
    },
}

/// A frame that was seen: a copy.
#[derive(Debug)]
pub struct Seen {
    /// When.
    pub at: Time,
    /// Where.
    pub place: Place,
    /// The frame as it is on the link; without an Ethernet header if it never was on one.
    pub frame: Frame,
}

#[derive(Debug)]
struct Tap {
    /// What is wanted.
    filter: Option<Filter>,
    /// Where; `None`: everywhere.
    place: Option<TapPlace>,
    queue: VecDeque<Seen>,
    queued_bytes: usize,
    received: u64,
    dropped: u64,
    readers: Wakers,
}

/// What is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TapPlace {
    Interface(u16),
    Loopback,
}

/// Every packet socket of a machine.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    taps: Arena<Tap>,
}

impl Taps {
    /// Whether nobody looks.
    pub(crate) fn is_empty(&self) -> bool {
        self.taps.len() == 0
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.taps.clear();
    }

    /// Shows a frame to whoever wants it.
    pub(crate) fn show(&mut self, frame: &Frame, place: Place, now: Time) {
        for (_, tap) in self.taps.iter_mut() {
            let is_watched = match (tap.place, place) {
                (None, _) | (Some(TapPlace::Loopback), Place::Loopback) => true,
                (Some(TapPlace::Interface(wanted)), Place::Link { interface, .. }) => wanted == interface,
                (Some(_), _) => false,
            };
            if !is_watched || tap.filter.as_ref().is_some_and(|filter| !filter.matches(frame)) {
                continue;
            }
            tap.received += 1;
            let bytes = frame.len() + FRAME_OVERHEAD;
            if tap.queued_bytes + bytes > TAP_BUFFER {
                tap.dropped += 1;
                continue;
            }
            tap.queued_bytes += bytes;
            let mut copy = frame.duplicate(&mut Pool::default());
            copy.id = frame.id;
            // As on the wire: there is no offload here whose open checksums would puzzle a reader.
            copy.complete();
            tap.queue.push_back(Seen { at: now, place, frame: copy });
            tap.readers.wake();
        }
    }
}

/// A packet socket. It closes when it is dropped.
#[derive(Debug)]
pub struct PacketSocket {
    net: Net,
    key: Key,
}

impl PacketSocket {
    /// Looks at what matches from now on, at one interface by its name (`lo` is what the machine sends to itself), or
    /// everywhere.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] for an unknown interface.
    pub fn open(net: &Net, interface: Option<&str>, filter: Option<Filter>) -> io::Result<Self> {
        let place = match interface {
            None => None,
            Some(LOOPBACK) => Some(TapPlace::Loopback),
            Some(name) => {
                let known = net.interfaces()?.into_iter().find(|known| known.name == name);
                let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("{name}: no such device exists"));
                Some(TapPlace::Interface(known.ok_or_else(unknown)?.index))
            }
        };
        let tap = Tap {
            filter,
            place,
            queue: VecDeque::new(),
            queued_bytes: 0,
            received: 0,
            dropped: 0,
            readers: Wakers::default(),
        };
        let key = net.core(|core| core.taps.taps.insert(tap));
        Ok(Self { net: net.clone(), key })
    }

    /// Waits for a frame, oldest first.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv(&self) -> io::Result<Seen> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, _, context| {
                let tap = core.taps.taps.get_mut(self.key).ok_or_else(errors::gone)?;
                let Some(seen) = tap.queue.pop_front() else {
                    tap.readers.register(context);
                    return Poll::Pending;
                };
                tap.queued_bytes -= seen.frame.len() + FRAME_OVERHEAD;
                Poll::Ready(Ok(seen))
            })
        })
        .await
    }

    /// How many frames matched, and how many of them were lost because the program did not read them in time.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.net.core(|core| core.taps.taps.get_mut(self.key).map_or((0, 0), |tap| (tap.received, tap.dropped)))
    }

    /// Sends a whole IP packet as it stands, by the route to its destination: what `IP_HDRINCL` allows. Its header's
    /// checksum is filled in, and its identification if that is zero.
    ///
    /// # Errors
    ///
    /// What the IP layer says at once; [`io::ErrorKind::InvalidInput`] for what is no IP packet.
    pub async fn send_packet(&self, packet: &[u8]) -> io::Result<()> {
        poll_fn(|context| {
            self.net.poll_turn(context, |core, turn, _| {
                if core.programs.count_packet(self.net.app(), core.now).is_err() {
                    return Poll::Pending;
                }
                if super::super::packet::Header::read(packet).is_none() {
                    return Poll::Ready(Err(errors::invalid("that is no IP packet")));
                }
                let frame = Frame::new(turn.out.pool.copy(packet), Layer::Ip);
                Poll::Ready(turn.ip.send(frame, turn.now, turn.out).map_err(io::Error::from))
            })
        })
        .await
    }
}

impl Drop for PacketSocket {
    fn drop(&mut self) {
        self.net.core(|core| drop(core.taps.taps.remove(self.key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(place: Option<TapPlace>, filter: Option<Filter>) -> Tap {
        Tap {
            filter,
            place,
            queue: VecDeque::new(),
            queued_bytes: 0,
            received: 0,
            dropped: 0,
            readers: Wakers::default(),
        }
    }

    fn frame(length: usize) -> Frame {
        Frame::new(Pool::default().copy(&vec![2; length]), Layer::Ethernet)
    }

    const IN: Place = Place::Link { interface: 0, is_outgoing: false };

    #[test]
    fn what_nobody_reads_is_bounded_counted_and_there_is_room_again_once_somebody_does() {
        let mut taps = Taps::default();
        let key = taps.taps.insert(tap(None, None));
        // 1,436 bytes and 64 beside them: 1,398 times that fit into 2 MiB.
        let fit = TAP_BUFFER / 1500;
        for _ in 0..fit + 10 {
            taps.show(&frame(1436), IN, Time::ZERO);
        }
        let tap = taps.taps.get_mut(key).unwrap();
        assert_eq!((tap.queue.len(), tap.received, tap.dropped), (fit, fit as u64 + 10, 10));
        let seen = tap.queue.pop_front().unwrap();
        tap.queued_bytes -= seen.frame.len() + FRAME_OVERHEAD;
        taps.show(&frame(1436), IN, Time::ZERO);
        let tap = taps.taps.get_mut(key).unwrap();
        assert_eq!((tap.queue.len(), tap.dropped), (fit, 10));
    }

    #[test]
    fn each_sees_what_it_asked_for() {
        let mut taps = Taps::default();
        let keys = [
            tap(None, None),
            tap(Some(TapPlace::Interface(1)), None),
            tap(Some(TapPlace::Loopback), None),
            tap(None, Filter::parse("tcp").ok()),
        ]
        .map(|tap| taps.taps.insert(tap));
        taps.show(&frame(60), IN, Time::ZERO);
        taps.show(&frame(60), Place::Link { interface: 1, is_outgoing: true }, Time::ZERO);
        taps.show(&frame(60), Place::Loopback, Time::ZERO);
        let seen = keys.map(|key| taps.taps.get_mut(key).unwrap().received);
        assert_eq!(seen, [3, 1, 1, 0]);
        taps.clear();
        assert!(taps.is_empty());
    }
}
