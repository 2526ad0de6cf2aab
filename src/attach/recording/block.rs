//! The blocks of a recording as bytes, and their chain of checksums.
//!
//! ```text
//! | type 4 | length 4 | body … | length 4 |
//! ```

/// draft-ietf-opsawg-pcapng §4.1: Section Header Block.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
/// §4.2: Interface Description Block.
pub(super) const INTERFACE: u32 = 1;
/// §4.3: Enhanced Packet Block.
pub(super) const PACKET: u32 = 6;
/// "0x80000000-0xFFFFFFFF: Standardized block type codes reserved for local use": the lower bytes read "Hop".
pub(super) const SESSION: u32 = 0x8048_6f70;

/// §4.1: "Byte-Order Magic".
pub(super) const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// §3.5: "Code [...] local use: 32768..65535".
const OPTION_CRC: u16 = 0x8001;
const OPTION_CRC_BYTES: usize = 8;
const OPTION_END_BYTES: usize = 4;

/// Type and first length.
const HEAD_BYTES: usize = 8;
/// The second length.
const TAIL_BYTES: usize = 4;

/// How long a block may be: a scenario of the largest size and what stands beside it.
const BLOCK_BYTES_MAX: usize = 32 << 20;

/// A chain of checksums, each beginning with the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chain(u32);

impl Chain {
    fn link(&mut self, bytes: &[&[u8]]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        bytes.iter().for_each(|bytes| hasher.update(bytes));
        self.0 = hasher.finalize();
        self.0
    }

    /// A whole block with its checksum.
    pub(super) fn block(&mut self, kind: u32, body: &[u8]) -> Vec<u8> {
        debug_assert!(body.len().is_multiple_of(4), "a body is padded");
        let tail = if kind == SESSION { 4 } else { OPTION_CRC_BYTES + OPTION_END_BYTES };
        let length = u32::try_from(HEAD_BYTES + body.len() + tail + TAIL_BYTES).unwrap_or(u32::MAX);
        let head = [kind.to_le_bytes(), length.to_le_bytes()].concat();
        let crc = self.link(&[&head, body]);
        [&head, body, &tail_of(kind, crc), &length.to_le_bytes()].concat()
    }

    /// The block at the beginning of `bytes`: its type, its body without the checksum, and what is behind it.
    pub(super) fn split<'b>(&mut self, bytes: &'b [u8]) -> Result<(u32, &'b [u8], &'b [u8]), String> {
        let cut = || format!("the file ends within a block ({} bytes are there)", bytes.len());
        let (kind, length) = (u32_at(bytes, 0).ok_or_else(cut)?, u32_at(bytes, 4).ok_or_else(cut)?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let tail = if kind == SESSION { 4 } else { OPTION_CRC_BYTES + OPTION_END_BYTES };
        if length > BLOCK_BYTES_MAX || !length.is_multiple_of(4) || length < HEAD_BYTES + tail + TAIL_BYTES {
            return Err(format!("no block has {length} bytes"));
        }
        let (block, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
        if u32_at(block, length - TAIL_BYTES) != u32::try_from(length).ok() {
            return Err("the two lengths of a block differ".to_owned());
        }
        let (covered, tail) = block[..length - TAIL_BYTES].split_at(length - TAIL_BYTES - tail);
        if *tail != tail_of(kind, self.link(&[covered])) {
            return Err("the checksum is wrong: a block was changed, or one before it is missing".to_owned());
        }
        Ok((kind, &covered[HEAD_BYTES..], rest))
    }
}

/// What stands between a block's body and its second length: the checksum, in pcapng's own blocks as an option.
fn tail_of(kind: u32, crc: u32) -> Vec<u8> {
    if kind == SESSION {
        return crc.to_le_bytes().to_vec();
    }
    [&OPTION_CRC.to_le_bytes()[..], &4_u16.to_le_bytes(), &crc.to_le_bytes(), &[0; OPTION_END_BYTES]].concat()
}

/// Adds bytes, padded.
pub(super) fn put_padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Adds an option of a pcapng block.
pub(super) fn put_option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    put_padded(body, value);
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
