//! Writing a recording while the session goes on.

use std::io::{self, BufWriter, Write};

use serde_json::json;

use super::block::{self, Chain, put_option, put_padded};
use super::{Attached, Ended, FORMAT, Header};
use crate::time::Time;
use crate::wire::Layer;

/// A recording that is being written.
pub struct Recorder {
    writer: BufWriter<Box<dyn Write + Send>>,
    chain: Chain,
}

impl Recorder {
    /// Begins a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn begin(writer: impl Write + Send + 'static, header: &Header) -> io::Result<Self> {
        let mut recorder = Self { writer: BufWriter::new(Box::new(writer)), chain: Chain::default() };
        recorder.section(header)?;
        recorder.header(header)?;
        header.gateways.iter().try_for_each(|gateway| recorder.interface(gateway))?;
        recorder.flush()?;
        Ok(recorder)
    }

    fn section(&mut self, header: &Header) -> io::Result<()> {
        let mut body = block::BYTE_ORDER.to_le_bytes().to_vec();
        // Version 1.0, length not specified.
        body.extend([1, 0, 0, 0]);
        body.extend(u64::MAX.to_le_bytes());
        put_option(&mut body, 3, b"virtual time, from zero");
        put_option(&mut body, 4, format!("hopwise {}", header.version).as_bytes());
        self.put(block::SECTION, &body)
    }

    fn header(&mut self, header: &Header) -> io::Result<()> {
        let gateways = header
            .gateways
            .iter()
            .map(|gateway| json!({ "node": gateway.node, "device": gateway.device, "kind": kind_of(gateway.layer) }));
        let json = json!({
            "hopwise": header.version,
            "name": header.name,
            // As text: a JSON number has 53 bits with many readers.
            "seed": header.seed.to_string(),
            "settings": header.settings,
            "hosts": header.hosts,
            "gateways": gateways.collect::<Vec<_>>(),
            "routes": header.routes,
            "scenario": header.scenario,
        });
        let json = json.to_string();
        let mut body = [1_u32, FORMAT, u32::try_from(json.len()).unwrap_or(u32::MAX)].map(u32::to_le_bytes).concat();
        put_padded(&mut body, json.as_bytes());
        self.put(block::SESSION, &body)
    }

    fn interface(&mut self, gateway: &Attached) -> io::Result<()> {
        // LINKTYPE_RAW, LINKTYPE_ETHERNET; never cut short.
        let linktype: u16 = if gateway.layer == Layer::Ip { 101 } else { 1 };
        let mut body = [linktype.to_le_bytes(), [0; 2], [0; 2], [0; 2]].concat();
        put_option(&mut body, 2, gateway.device.as_bytes());
        put_option(&mut body, 3, gateway.node.as_bytes());
        // if_tsresol: nanoseconds.
        put_option(&mut body, 9, &[9]);
        self.put(block::INTERFACE, &body)
    }

    /// What the kernel behind a gateway has sent.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn packets(&mut self, at: Time, gateway: usize, packets: &[Vec<u8>]) -> io::Result<()> {
        let nanoseconds = at.as_nanos();
        for packet in packets {
            let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
            let gateway = u32::try_from(gateway).unwrap_or(u32::MAX);
            let fields = [gateway, (nanoseconds >> 32) as u32, nanoseconds as u32, length, length];
            let mut body = fields.map(u32::to_le_bytes).concat();
            put_padded(&mut body, packet);
            // epb_flags: outbound, as the kernel sees it.
            put_option(&mut body, 2, &2_u32.to_le_bytes());
            self.put(block::PACKET, &body)?;
        }
        Ok(())
    }

    /// What a person has had happen.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn act(&mut self, at: Time, entry: &str) -> io::Result<()> {
        let mut body = 2_u32.to_le_bytes().to_vec();
        body.extend(at.as_nanos().to_le_bytes());
        body.extend(u32::try_from(entry.len()).unwrap_or(u32::MAX).to_le_bytes());
        put_padded(&mut body, entry.as_bytes());
        self.put(block::SESSION, &body)
    }

    /// The session is over.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn end(mut self, ended: &Ended) -> io::Result<()> {
        let mut body = 3_u32.to_le_bytes().to_vec();
        body.extend(ended.at.as_nanos().to_le_bytes());
        for left in &ended.left {
            body.extend(left.count.to_le_bytes());
            body.extend(left.crc.to_le_bytes());
        }
        self.put(block::SESSION, &body)?;
        self.flush()
    }

    /// Passes on what is buffered.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn put(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        self.writer.write_all(&self.chain.block(kind, body))
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// How the header spells what a device has.
pub(super) fn kind_of(layer: Layer) -> &'static str {
    match layer {
        Layer::Ethernet => "tap",
        Layer::Ip => "tun",
    }
}
