//! The file of a session: everything that a run needs to happen again, bytes for bytes.
//!
//! It is a pcapng file (draft-ietf-opsawg-pcapng), so that Wireshark opens it and shows what the kernel sent. What pcapng does
//! not know stands in blocks of a type for local use, [`BLOCK_SESSION`](block::SESSION).
//!
//! ```text
//! section header
//! session block, part 1: the header      format version; JSON: scenario, changes, seed, gateways
//! interface description                  one for each gateway, in the order of the header
//! enhanced packet, session block 2 …     what came in, and what a person did, in the order of time
//! session block, part 3: the end         when it ended, and what left each gateway
//! ```
//!
//! All numbers are little-endian; times are virtual nanoseconds since the run began. Each block ends with a CRC-32 of its
//! bytes that begins with the CRC of the block before it: a block that was changed, lost or moved breaks the chain there.
//! In pcapng's own blocks it is an option for local use, 0x8001; in ours the last four bytes of the body.
//!
//! `docs/attach.md` says the same for people who want to read such files with other tools.

mod block;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use write::Recorder;

use crate::time::Time;
use crate::wire::Layer;

/// The version of the format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// What a session is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which hopwise wrote it.
    pub version: String,
    /// What messages call the scenario.
    pub name: String,
    /// The seed of all luck.
    pub seed: u64,
    /// The scenario as TOML.
    pub scenario: String,
    /// Values that were changed: path and value.
    pub settings: Vec<(String, String)>,
    /// Hosts that became gateways.
    pub hosts: Vec<String>,
    /// The gateways that had a device.
    pub gateways: Vec<Attached>,
    /// Further networks that were routed into the simulation.
    pub routes: Vec<String>,
}

/// A gateway that had a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The gateway.
    pub node: String,
    /// What the device was called.
    pub device: String,
    /// Whether it had packets or frames.
    pub layer: Layer,
}

/// Something that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, later than all events before it but for packets of other gateways.
    pub at: Time,
    /// What.
    pub what: What,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// What a person had happen: an `[[at]]` entry without its time.
    Act(String),
    /// What the kernel behind a gateway sent, in order.
    Packets {
        /// Which of the header's gateways.
        gateway: usize,
        /// Packets or frames.
        packets: Vec<Vec<u8>>,
    },
}

/// What left a gateway in all, to compare a replay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    /// How many packets or frames.
    pub count: u64,
    /// A CRC-32 of their bytes one after the other.
    pub crc: u32,
}

impl Left {
    /// Counts one more.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(bytes);
        *self = Self { count: self.count + 1, crc: hasher.finalize() };
    }
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Time,
    /// What left each gateway, in the order of the header.
    pub left: Vec<Left>,
}

/// A session that was read from its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// What it was made from.
    pub header: Header,
    /// What came in, in the order of time.
    pub events: Vec<Event>,
    /// How it ended; `None` if the file breaks off before.
    pub ended: Option<Ended>,
}

/// What could be read of a file, and what is wrong with the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Everything up to the damage.
    pub recording: Recording,
    /// The first thing that is wrong; `None` if all is well.
    pub damage: Option<Damage>,
}

/// Where a file is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {what}; {} could be read before it", self.before())]
pub struct Damage {
    /// Where the block begins that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub what: String,
    /// How many packets stand before it.
    pub packets: usize,
    /// Until when.
    pub until: Time,
}

impl Damage {
    fn before(&self) -> String {
        match self.packets {
            0 => "no packet".to_owned(),
            1 => format!("one packet (at {} s)", self.until),
            packets => format!("{packets} packets (until {} s)", self.until),
        }
    }
}

/// Why a file is no recording at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// Its beginning is damaged, so that nothing can be made of the rest.
    #[error("the header of the recording is damaged: {0}")]
    Header(String),
    /// It is something else.
    #[error("this is not a recording of hopwise: {0}")]
    Other(&'static str),
    /// It is of another format.
    #[error("this hopwise reads recordings of format {FORMAT}; this one has format {0}")]
    Version(u32),
}
