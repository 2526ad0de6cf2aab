//! The promises of the format: whole files are read whole, and no damage goes unnoticed.

use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn header() -> Header {
    Header {
        version: "0.1.0".into(),
        name: "two \"hosts\"".into(),
        seed: u64::MAX,
        scenario: "[nodes]\na = {}\n".into(),
        settings: vec![("links.wan.delay".into(), "5ms".into())],
        hosts: vec!["a".into()],
        gateways: vec![
            Attached { node: "a".into(), device: "hop0".into(), layer: Layer::Ip },
            Attached { node: "b".into(), device: "hop1".into(), layer: Layer::Ethernet },
        ],
        routes: vec!["0.0.0.0/0".into()],
    }
}

fn events() -> Vec<Event> {
    let packets = |at, gateway, packets: &[&[u8]]| Event {
        at: Time::from_nanos(at),
        what: What::Packets { gateway, packets: packets.iter().map(|packet| packet.to_vec()).collect() },
    };
    let act = What::Act("do = \"link-down\"\nlink = \"wän\"".into());
    vec![
        packets(5, 0, &[b"one", b"two!", b""]),
        packets(5, 1, &[b"three"]),
        Event { at: Time::from_nanos(1 << 40), what: act },
        packets((1 << 40) + 1, 0, &[&[7; 1500]]),
    ]
}

fn file() -> Vec<u8> {
    let memory = Memory::default();
    let mut recorder = Recorder::begin(memory.clone(), &header()).unwrap();
    for event in events() {
        match event.what {
            What::Act(text) => recorder.act(event.at, &text).unwrap(),
            What::Packets { gateway, packets } => recorder.packets(event.at, gateway, &packets).unwrap(),
        }
    }
    recorder.end(&ended()).unwrap();
    let bytes = memory.0.lock().unwrap();
    bytes.clone()
}

fn ended() -> Ended {
    let left = |count| Left { count, crc: 77 };
    Ended { at: Time::from_nanos((1 << 40) + 9), left: vec![left(3), left(0)] }
}

#[test]
fn what_was_recorded_is_read_again() {
    let read = Recording::read(&file()).unwrap();
    let recording = Recording { header: header(), events: events(), ended: Some(ended()) };
    assert_eq!(read, Read { recording, damage: None });
}

#[test]
fn a_file_that_breaks_off_anywhere_keeps_what_stands_before() {
    let whole = file();
    let mut last = 0;
    let mut has_header = false;
    for length in 0..whole.len() {
        match Recording::read(&whole[..length]) {
            Err(_) => assert!(!has_header, "{length}: once the header is there, something can be kept"),
            Ok(read) => {
                has_header = true;
                let damage = read.damage.expect("it is not whole");
                assert!(damage.packets >= last && read.recording.ended.is_none(), "{length}");
                last = damage.packets;
                assert!(damage.at <= length);
            }
        }
    }
    assert_eq!(last, 5);
}

#[test]
fn a_bit_that_flips_anywhere_is_found() {
    let whole = file();
    for byte in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        assert!(Recording::read(&bytes).map_or(true, |read| read.damage.is_some()), "byte {byte}");
    }
}

#[test]
fn a_block_that_is_missing_or_doubled_is_found() {
    let whole = file();
    let mut at = 0;
    let mut blocks = Vec::new();
    while at < whole.len() {
        let length = block::u32_at(&whole, at + 4).unwrap() as usize;
        blocks.push(at..at + length);
        at += length;
    }
    for (index, block) in blocks.iter().enumerate().skip(2) {
        let without = [&whole[..block.start], &whole[block.end..]].concat();
        let twice = [&whole[..block.end], &whole[block.start..]].concat();
        for bytes in [without, twice] {
            assert!(Recording::read(&bytes).unwrap().damage.is_some(), "block {index}");
        }
    }
}

#[test]
fn what_is_no_recording_is_told_from_what_is_damaged_or_newer() {
    assert!(matches!(Recording::read(b""), Err(RecordingError::Other(_))));
    assert!(matches!(Recording::read(b"[nodes]\na = {}\nb = {}\n"), Err(RecordingError::Other(_))));
    let mut whole = file();
    let header_at = block::u32_at(&whole, 4).unwrap() as usize;
    whole[header_at + 100] ^= 1;
    assert!(matches!(Recording::read(&whole), Err(RecordingError::Header(_))));
    // A capture that hopwise itself wrote of a run.
    let run = crate::Scenario::from_toml("x", "[nodes]\na = {}\n").unwrap().run().unwrap();
    assert!(Recording::read(&run.pcapng()).is_err());
}

#[test]
fn damage_is_told_with_its_place_and_what_was_saved() {
    let whole = file();
    let read = Recording::read(&whole[..whole.len() - 1]).unwrap();
    let text = read.damage.unwrap().to_string();
    assert!(
        text.contains("the file ends within a block") && text.contains("5 packets (until 1099.511627777 s)"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn whatever_bytes_are_read_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), keep in 0..400_usize) {
        let _ = Recording::read(&bytes);
        let mut spoilt = file();
        spoilt.truncate(keep.max(16));
        spoilt.extend(bytes);
        let _ = Recording::read(&spoilt);
    }
}
