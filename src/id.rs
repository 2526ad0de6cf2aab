//! Small numbers that name the things of one network.
//!
//! An id is an index into the network that made it and means nothing elsewhere. People never see ids: every output
//! resolves them through [`Names`](crate::record::Names).

use std::fmt;

/// A node: an index in the order in which the nodes were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A place on a node where one link is plugged in: an index local to the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);

/// A link: an index in the order in which the links were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// Whatever drops, delays or changes frames under a name of its own: an impairment of a link or a fault rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// A program on a machine: an index in the order in which the network's programs were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub u32);

/// One of the two ways across a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the link's first end to its second (`ab` in a scenario).
    AToB,
    /// From the link's second end to its first (`ba` in a scenario).
    BToA,
}

impl Direction {
    /// Both directions, first end first.
    pub const BOTH: [Self; 2] = [Self::AToB, Self::BToA];

    /// The other way.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::AToB => Self::BToA,
            Self::BToA => Self::AToB,
        }
    }
}

/// One direction of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeId(pub u32);

impl PipeId {
    /// The pipe that carries `link` in `direction`.
    #[must_use]
    pub fn new(link: LinkId, direction: Direction) -> Self {
        Self(link.0 * 2 + u32::from(direction == Direction::BToA))
    }

    /// The link that this pipe is one half of.
    #[must_use]
    pub fn link(self) -> LinkId {
        LinkId(self.0 / 2)
    }

    /// Which half of the link this is.
    #[must_use]
    pub fn direction(self) -> Direction {
        if self.0.is_multiple_of(2) { Direction::AToB } else { Direction::BToA }
    }
}

/// A frame: the node where it came into being and that node's own count.
///
/// Never a global count, so that the ids do not depend on what other nodes do at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId {
    /// Where the frame was made. Copies that a link makes carry [`FrameId::LINK_BIT`] and the pipe's number.
    pub origin: u32,
    /// The how-manieth of that origin, from 0.
    pub count: u32,
}

impl FrameId {
    /// Set in `origin` when a pipe made the frame (a duplicate) rather than a node.
    pub const LINK_BIT: u32 = 1 << 31;
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, origin) =
            if self.origin & Self::LINK_BIT == 0 { ('n', self.origin) } else { ('p', self.origin & !Self::LINK_BIT) };
        write!(f, "{kind}{origin}.{}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_knows_its_link_and_direction() {
        for direction in Direction::BOTH {
            let pipe = PipeId::new(LinkId(7), direction);
            assert_eq!((pipe.link(), pipe.direction()), (LinkId(7), direction));
        }
    }
}
