//! Which VLAN a frame is in when it comes, and in which form it goes (IEEE 802.1Q clauses 6.9 and 8.6).
//!
//! ```text
//!                 no tag, or a mere priority    a tag
//! access port     its VLAN                      refused
//! trunk           the native VLAN, if any       the tag's VLAN, if carried here
//! ```

use std::fmt;

use super::spec::{Membership, VLAN_DEFAULT, VlanSet};
use crate::wire::Frame;
use crate::wire::vlan::{VLAN_ID_MAX, put_tag, set_vlan, tag_of, take_tag};

/// The twelve bits of a tag that name the VLAN.
const VLAN_BITS: u16 = 0x0fff;

impl Membership {
    /// What a port carries of which nothing is said.
    pub const UNSAID: Self = Self::Access(VLAN_DEFAULT);

    /// The VLAN of a frame that came in here with this tag; `None`: the port does not take it.
    #[must_use]
    pub fn vlan_of(&self, tag: Option<u16>) -> Option<u16> {
        // IEEE 802.1Q table 9-2: VLAN 0 says that the tag has a priority and nothing else.
        let tagged = tag.map(|tag| tag & VLAN_BITS).filter(|vlan| *vlan != 0);
        match (self, tagged) {
            (Self::Access(own), None) => Some(*own),
            (Self::Access(_), Some(_)) => None,
            (Self::Trunk { native, .. }, None) => *native,
            (Self::Trunk { vlans, native }, Some(vlan)) => {
                (vlan <= VLAN_ID_MAX && (vlans.contains(vlan) || *native == Some(vlan))).then_some(vlan)
            }
        }
    }

    /// Whether the port carries a VLAN, tagged or not.
    #[must_use]
    pub fn carries(&self, vlan: u16) -> bool {
        match self {
            Self::Access(own) => *own == vlan,
            Self::Trunk { vlans, native } => vlans.contains(vlan) || *native == Some(vlan),
        }
    }

    /// Whether a frame of a VLAN that the port carries has a tag here.
    #[must_use]
    pub fn tags(&self, vlan: u16) -> bool {
        match self {
            Self::Access(_) => false,
            Self::Trunk { native, .. } => *native != Some(vlan),
        }
    }

    /// Gives a frame of `vlan` the form that it has behind this port.
    pub(super) fn reform(&self, frame: &mut Frame, vlan: u16) {
        match (tag_of(frame.bytes()), self.tags(vlan)) {
            (None, false) => {}
            (None, true) => put_tag(frame, vlan),
            (Some(_), false) => drop(take_tag(frame)),
            (Some(tag), true) if tag & VLAN_BITS == vlan => {}
            // A mere priority gets the VLAN that it came to be in.
            (Some(_), true) => set_vlan(frame, vlan),
        }
    }
}

impl fmt::Display for Membership {
    /// `access 10`; `trunk all, 1 untagged`; `trunk 10 20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(vlan) => write!(f, "access {vlan}"),
            Self::Trunk { vlans, native } => {
                f.write_str("trunk")?;
                match vlans {
                    VlanSet::All => f.write_str(" all")?,
                    VlanSet::These(these) => these.iter().try_for_each(|vlan| write!(f, " {vlan}"))?,
                }
                native.map_or(Ok(()), |native| write!(f, ", {native} untagged"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::spec::VlanSet;
    use super::*;

    fn trunk(vlans: &[u16], native: Option<u16>) -> Membership {
        let vlans = VlanSet::These(vlans.iter().copied().collect::<BTreeSet<u16>>());
        Membership::Trunk { vlans, native }
    }

    #[test]
    fn a_port_takes_what_it_carries_and_nothing_else() {
        let access = Membership::Access(10);
        assert_eq!(
            [None, Some(0xa000), Some(10), Some(20)].map(|tag| access.vlan_of(tag)),
            [Some(10), Some(10), None, None]
        );
        let bare = trunk(&[10, 20], None);
        assert_eq!([None, Some(0), Some(0xe014), Some(30)].map(|tag| bare.vlan_of(tag)), [None, None, Some(20), None]);
        let native = trunk(&[10], Some(99));
        assert_eq!([None, Some(99), Some(10)].map(|tag| native.vlan_of(tag)), [Some(99), Some(99), Some(10)]);
        let all = Membership::Trunk { vlans: VlanSet::All, native: Some(1) };
        assert_eq!([Some(4094), Some(4095)].map(|tag| all.vlan_of(tag)), [Some(4094), None]);
    }

    #[test]
    fn only_the_native_vlan_has_no_tag_on_a_trunk() {
        let port = trunk(&[10, 99], Some(99));
        assert!(port.carries(10) && port.carries(99) && !port.carries(1));
        assert!(port.tags(10) && !port.tags(99));
        assert!(!Membership::Access(10).tags(10));
    }
}
