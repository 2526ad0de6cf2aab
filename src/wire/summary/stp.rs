//! Spanning tree messages, spelled as tcpdump does; what stands on its second line with `-v` follows on the first.

use std::fmt;

use crate::wire::bpdu::{BPDU_AGREEMENT, BPDU_FLAGS, BPDU_PROPOSAL, BPDU_TOPOLOGY_CHANGE, Bpdu, BpduKind};

/// `STP 802.1w, Rapid STP, Flags [Proposal], bridge-id 8000.….8001, root-id 8000.…, root-pathcost 0, port-role …`
pub(super) fn write_bpdu(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let Some(bpdu) = Bpdu::parse(bytes) else { return write!(f, "STP, unknown or truncated, length {}", bytes.len()) };
    match bpdu.kind {
        BpduKind::Configuration => f.write_str("STP 802.1d, Config")?,
        BpduKind::Notification => return f.write_str("STP 802.1d, Topology Change"),
        BpduKind::Rapid => f.write_str("STP 802.1w, Rapid STP")?,
    }
    let Bpdu { flags, bridge, port, root, cost, role, .. } = bpdu;
    write!(f, ", Flags [{}], bridge-id {bridge}.{port:04x}, root-id {root}, root-pathcost {cost}", Flags(flags))?;
    if bpdu.kind == BpduKind::Rapid {
        write!(f, ", port-role {}", role.name())?;
    }
    write!(f, ", length {}", bytes.len())
}

/// `RSTP Designated proposal cost 0`; whether the port learns and forwards is left out.
pub(super) fn write_short(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let Some(bpdu) = Bpdu::parse(bytes) else { return f.write_str("STP, unknown or truncated") };
    match bpdu.kind {
        BpduKind::Configuration => f.write_str("STP Config")?,
        BpduKind::Notification => return f.write_str("STP Topology Change"),
        BpduKind::Rapid => write!(f, "RSTP {}", bpdu.role.name())?,
    }
    let words = [(BPDU_PROPOSAL, "proposal"), (BPDU_AGREEMENT, "agreement"), (BPDU_TOPOLOGY_CHANGE, "change")];
    for (_, word) in words.iter().filter(|(bit, _)| bpdu.flags & bit != 0) {
        write!(f, " {word}")?;
    }
    write!(f, " cost {}", bpdu.cost)
}

/// `Learn, Forward`; `none`.
struct Flags(u8);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in BPDU_FLAGS.iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
        f.write_str(if separator.is_empty() { "none" } else { "" })
    }
}
