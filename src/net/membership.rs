//! The groups that one socket listens to.
//!
//! The IP layer counts how many reasons there are to listen to a group; a socket is one reason for each of its groups,
//! however often it asks, and none any more once it is dropped.

use std::io;
use std::net::IpAddr;

use super::core::{Errand, Turn};
use super::errors;

/// Groups, each on an interface.
#[derive(Debug, Default)]
pub(crate) struct Memberships(Vec<(u16, IpAddr)>);

impl Memberships {
    /// Listens to a group on an interface.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for what is no multicast address.
    pub(crate) fn join(&mut self, interface: u16, group: IpAddr, turn: &mut Turn<'_>) -> io::Result<()> {
        if !group.is_multicast() {
            return Err(errors::invalid("only a multicast group can be joined"));
        }
        if !self.0.contains(&(interface, group)) {
            self.0.push((interface, group));
            turn.ip.join(interface, group, turn.out);
        }
        Ok(())
    }

    /// Whether it listens to a group, on whichever interface.
    pub(crate) fn contains(&self, group: IpAddr) -> bool {
        self.0.iter().any(|(_, joined)| *joined == group)
    }

    /// Listens to a group on an interface no longer: what is to be told to the IP layer, if it did.
    pub(crate) fn leave(&mut self, interface: u16, group: IpAddr) -> Option<Errand> {
        let index = self.0.iter().position(|joined| *joined == (interface, group))?;
        self.0.swap_remove(index);
        Some(Errand::Leave { interface, group })
    }

    /// Listens to nothing any more: what is to be told to the IP layer.
    pub(crate) fn leave_all(self) -> impl Iterator<Item = Errand> {
        self.0.into_iter().map(|(interface, group)| Errand::Leave { interface, group })
    }
}
