//! Whose the sockets are.
//!
//! A socket belongs to the program that opened or accepted it, until its handle is dropped. What a program still has
//! when it has ended, and its tasks with it, is in a place where nobody will ever look: forgotten, or in a circle of
//! references. As a kernel does, the machine closes it; and it is told, because in a program that goes on for ever the
//! same mistake takes one port after the other.

use std::collections::BTreeSet;

use super::arena::Key;
use super::core::Core;
use super::tcp::{TcpListener, TcpStream};
use super::udp::UdpSocket;
use super::{Net, errors};
use crate::id::AppId;

/// How many sockets are named when a program has left them open; of more only the number is told.
const NAMED_MAX: usize = 3;

/// What a program may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Handle {
    Icmp(Key),
    Ip(Key),
    Listener(Key),
    Stream(Key),
    Udp(Key),
}

/// Who holds what.
#[derive(Debug, Default)]
pub(crate) struct Owned(BTreeSet<(AppId, Handle)>);

impl Owned {
    /// A program holds a socket.
    pub(crate) fn add(&mut self, app: AppId, handle: Handle) {
        self.0.insert((app, handle));
    }

    /// Its handle was dropped.
    pub(crate) fn remove(&mut self, app: AppId, handle: Handle) {
        self.0.remove(&(app, handle));
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, app: AppId) -> Vec<Handle> {
        let mut taken = Vec::new();
        while let Some(first) =
            self.0.range((app, Handle::Icmp(Key::OLDEST))..).next().copied().filter(|(of, _)| *of == app)
        {
            self.0.remove(&first);
            taken.push(first.1);
        }
        taken
    }
}

impl Core {
    /// Closes what a program has left open: how it is called, if anything.
    pub(crate) fn close_left_open(&mut self, app: AppId) -> Option<String> {
        let left = self.owned.take(app);
        let mut names: Vec<String> = left.iter().take(NAMED_MAX).filter_map(|handle| self.name(*handle)).collect();
        left.iter().for_each(|handle| self.close(*handle));
        if left.len() > NAMED_MAX {
            names.push(format!("{} more", left.len() - NAMED_MAX));
        }
        (!names.is_empty()).then(|| names.join(", "))
    }

    fn name(&self, handle: Handle) -> Option<String> {
        match handle {
            Handle::Icmp(_) => Some("icmp".to_owned()),
            Handle::Ip(_) => Some("raw ip".to_owned()),
            Handle::Listener(key) => self.tcp.listener_name(key),
            Handle::Stream(key) => self.tcp.connection_name(key),
            Handle::Udp(key) => self.udp.name(key),
        }
    }

    /// Does what dropping the handle would have done.
    pub(crate) fn close(&mut self, handle: Handle) {
        match handle {
            Handle::Icmp(key) => self.raw.close(key),
            Handle::Ip(key) => {
                let groups = self.raw_ip.close(key);
                self.errands.extend(groups.leave_all());
            }
            Handle::Listener(key) => self.tcp.unlisten(key),
            Handle::Stream(key) => self.tcp.release(key),
            Handle::Udp(key) => {
                let groups = self.udp.close(key);
                self.errands.extend(groups.leave_all());
            }
        }
    }
}

impl Net {
    /// A handle of this program was made.
    pub(crate) fn own(&self, handle: Handle) {
        self.core(|core| core.owned.add(self.app(), handle));
    }

    /// A handle of this program was dropped.
    pub(crate) fn close(&self, handle: Handle) {
        self.core(|core| {
            core.owned.remove(self.app(), handle);
            core.close(handle);
        });
    }

    fn hand_over(&self, handle: Handle) {
        self.core(|core| core.owned.remove(self.app(), handle));
    }

    fn take_over(&mut self, net: &Self, handle: Handle) -> std::io::Result<()> {
        if !self.is_same_machine(net) {
            return Err(errors::invalid("a socket stays on its machine"));
        }
        self.hand_over(handle);
        *self = net.clone();
        self.own(handle);
        Ok(())
    }
}

/// Handles that can go from one program of a machine to another, through a [channel](Net::channel) for example.
macro_rules! can_be_handed_over {
    ($type:ty, $handle:ident) => {
        impl $type {
            /// Takes it from the program that has it: it will not be closed when that ends. Until another program
            /// [adopts](Self::adopt) it, it is nobody's.
            #[must_use]
            pub fn disown(self) -> Self {
                self.net.hand_over(Handle::$handle(self.key));
                self
            }

            /// Makes it the program's whose `net` it is.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) on another machine.
            pub fn adopt(mut self, net: &Net) -> std::io::Result<Self> {
                let key = self.key;
                self.net.take_over(net, Handle::$handle(key))?;
                Ok(self)
            }
        }
    };
}

can_be_handed_over!(TcpListener, Listener);
can_be_handed_over!(TcpStream, Stream);
can_be_handed_over!(UdpSocket, Udp);
