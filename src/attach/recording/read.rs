//! Reading a recording: all of it, or up to where it is damaged.

use serde_json::Value;

use super::block::{self, Chain, u32_at, u64_at};
use super::{Attached, Damage, Ended, Event, FORMAT, Header, Left, Read, Recording, RecordingError, What};
use crate::time::Time;
use crate::wire::Layer;

impl Recording {
    /// Reads a recording from the bytes of its file.
    ///
    /// # Errors
    ///
    /// When even its header cannot be read; damage behind it is told beside what could be read.
    pub fn read(bytes: &[u8]) -> Result<Read, RecordingError> {
        if bytes.len() < 12 || u32_at(bytes, 0) != Some(block::SECTION) || u32_at(bytes, 8) != Some(block::BYTE_ORDER) {
            return Err(RecordingError::Other("it does not begin as a pcapng file does"));
        }
        let mut chain = Chain::default();
        let is_ours = bytes.windows(8).take(4096).any(|window| window == b"hopwise ");
        let (_, _, rest) = chain.split(bytes).map_err(|what| match is_ours {
            true => RecordingError::Header(what),
            false => RecordingError::Other("it is somebody else's capture"),
        })?;
        let (kind, body, rest) = chain.split(rest).map_err(RecordingError::Header)?;
        if kind != block::SESSION || u32_at(body, 0) != Some(1) {
            return Err(RecordingError::Other("the block that says what the session is made from is missing"));
        }
        match u32_at(body, 4) {
            Some(FORMAT) => {}
            version => return Err(RecordingError::Version(version.unwrap_or(0))),
        }
        let header = header(body).ok_or_else(|| RecordingError::Header("a part of it is missing".to_owned()))?;
        let recording = Self { header, events: Vec::new(), ended: None };
        Ok(Walk { chain, file: bytes, rest, recording, packets: 0, interfaces: 0 }.finish())
    }
}

/// The blocks behind the header, one after the other.
struct Walk<'b> {
    chain: Chain,
    file: &'b [u8],
    rest: &'b [u8],
    recording: Recording,
    packets: usize,
    interfaces: usize,
}

impl Walk<'_> {
    fn finish(mut self) -> Read {
        let damage = loop {
            let at = self.file.len() - self.rest.len();
            if self.recording.ended.is_some() {
                let has_more = !self.rest.is_empty();
                break has_more.then(|| self.damage(at, "something stands behind the end of the session".to_owned()));
            }
            if self.rest.is_empty() {
                break Some(self.damage(at, "the file breaks off before the end of the session".to_owned()));
            }
            let (kind, body, rest) = match self.chain.split(self.rest) {
                Ok(block) => block,
                Err(what) => break Some(self.damage(at, what)),
            };
            self.rest = rest;
            if let Err(what) = self.take(kind, body) {
                break Some(self.damage(at, what.to_owned()));
            }
        };
        Read { recording: self.recording, damage }
    }

    fn damage(&self, at: usize, what: String) -> Damage {
        let until = self.recording.events.last().map_or(Time::ZERO, |event| event.at);
        Damage { at, what, packets: self.packets, until }
    }

    fn take(&mut self, kind: u32, body: &[u8]) -> Result<(), &'static str> {
        match (kind, u32_at(body, 0)) {
            (block::PACKET, _) => self.packet(body),
            (block::INTERFACE, _) => {
                self.interfaces += 1;
                Ok(())
            }
            (block::SESSION, Some(2)) => self.act(body),
            (block::SESSION, Some(3)) => self.end(body),
            (block::SESSION, _) => Err("this part of a session is not known"),
            (block::SECTION, _) => Err("a second section begins"),
            // Somebody's tool may have added a block that pcapng knows; but then its checksum would be wrong.
            _ => Err("this block is not known"),
        }
    }

    fn packet(&mut self, body: &[u8]) -> Result<(), &'static str> {
        const SHORT: &str = "a packet's block is too short";
        let gateway = usize::try_from(u32_at(body, 0).ok_or(SHORT)?).unwrap_or(usize::MAX);
        if gateway >= self.recording.header.gateways.len() || gateway >= self.interfaces {
            return Err("a packet came in at a gateway that the header does not know");
        }
        let (high, low) = (u32_at(body, 4).ok_or(SHORT)?, u32_at(body, 8).ok_or(SHORT)?);
        let at = Time::from_nanos(u64::from(high) << 32 | u64::from(low));
        let length = usize::try_from(u32_at(body, 12).ok_or(SHORT)?).unwrap_or(usize::MAX);
        let bytes = body.get(20..).and_then(|rest| rest.get(..length)).ok_or(SHORT)?.to_vec();
        if let Some(Event { at: last, what: What::Packets { gateway: other, packets } }) =
            self.recording.events.last_mut()
            && (*last, *other) == (at, gateway)
        {
            packets.push(bytes);
        } else {
            self.add(at, What::Packets { gateway, packets: vec![bytes] })?;
        }
        self.packets += 1;
        Ok(())
    }

    fn act(&mut self, body: &[u8]) -> Result<(), &'static str> {
        const SHORT: &str = "a command's block is too short";
        let at = Time::from_nanos(u64_at(body, 4).ok_or(SHORT)?);
        let length = usize::try_from(u32_at(body, 12).ok_or(SHORT)?).unwrap_or(usize::MAX);
        let text = body.get(16..).and_then(|rest| rest.get(..length)).ok_or(SHORT)?;
        let text = std::str::from_utf8(text).map_err(|_| "a command is not text")?;
        self.add(at, What::Act(text.to_owned()))
    }

    fn add(&mut self, at: Time, what: What) -> Result<(), &'static str> {
        if self.recording.events.last().is_some_and(|last| at < last.at) {
            return Err("time goes backwards");
        }
        self.recording.events.push(Event { at, what });
        Ok(())
    }

    fn end(&mut self, body: &[u8]) -> Result<(), &'static str> {
        const SHORT: &str = "the block of the end is too short";
        let at = Time::from_nanos(u64_at(body, 4).ok_or(SHORT)?);
        let left = (0..self.recording.header.gateways.len()).map(|gateway| {
            let place = 12 + gateway * 12;
            Some(Left { count: u64_at(body, place)?, crc: u32_at(body, place + 8)? })
        });
        let left = left.collect::<Option<Vec<Left>>>().ok_or(SHORT)?;
        if self.recording.events.last().is_some_and(|last| at < last.at) {
            return Err("the session ends before its last event");
        }
        self.recording.ended = Some(Ended { at, left });
        Ok(())
    }
}

fn header(body: &[u8]) -> Option<Header> {
    let length = usize::try_from(u32_at(body, 8)?).ok()?;
    let json: Value = serde_json::from_slice(body.get(12..)?.get(..length)?).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |key: &str| json.get(key)?.as_array().cloned();
    let pair = |value: &Value| Some((text(value.get(0)?)?, text(value.get(1)?)?));
    let gateway = |value: &Value| {
        let layer = match value.get("kind")?.as_str()? {
            "tun" => Layer::Ip,
            "tap" => Layer::Ethernet,
            _ => return None,
        };
        Some(Attached { node: text(value.get("node")?)?, device: text(value.get("device")?)?, layer })
    };
    Some(Header {
        version: text(json.get("hopwise")?)?,
        name: text(json.get("name")?)?,
        seed: json.get("seed")?.as_str()?.parse().ok()?,
        scenario: text(json.get("scenario")?)?,
        settings: list("settings")?.iter().map(pair).collect::<Option<_>>()?,
        hosts: list("hosts")?.iter().map(text).collect::<Option<_>>()?,
        gateways: list("gateways")?.iter().map(gateway).collect::<Option<_>>()?,
        routes: list("routes")?.iter().map(text).collect::<Option<_>>()?,
    })
}
