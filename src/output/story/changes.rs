//! What two frames differ in, field by field.

use std::collections::BTreeMap;

use super::Sighting;
use crate::wire::anatomy::{Anatomy, Field, Header};

/// One difference between a frame and the one that it carries on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where: `IPv4 time to live`.
    pub what: String,
    /// What stood there before; empty if nothing did.
    pub before: String,
    /// What stands there now; empty if nothing does.
    pub after: String,
    /// Why, in few words; empty where it speaks for itself.
    pub why: &'static str,
}

/// What `after` has that `before` had not, in the order of the headers.
pub(super) fn changes(before: (&Sighting, &Anatomy), after: (&Sighting, &Anatomy)) -> Vec<Change> {
    let (old, new) = (numbered(before.1), numbered(after.1));
    let mut changes = Vec::new();
    for (key, header) in &old {
        if !new.iter().any(|(other, _)| other == key) {
            changes.push(Change {
                what: title(header),
                before: bytes_of(header),
                after: String::new(),
                why: header_word(header, false),
            });
        }
    }
    for (key, header) in &new {
        let Some((_, other)) = old.iter().find(|(other, _)| other == key) else {
            changes.push(Change {
                what: title(header),
                before: String::new(),
                after: bytes_of(header),
                why: header_word(header, true),
            });
            continue;
        };
        compare(other, &before.0.bytes, header, &after.0.bytes, &mut changes);
    }
    changes
}

/// Headers by name, depth, and how many of that name stand before.
fn numbered(anatomy: &Anatomy) -> Vec<((&'static str, u8, usize), &Header)> {
    let mut counts: BTreeMap<(&str, u8), usize> = BTreeMap::new();
    let number = |header: &Header| {
        let count = counts.entry((header.name, header.depth)).or_default();
        *count += 1;
        (header.name, header.depth, *count)
    };
    let keys: Vec<_> = anatomy.headers.iter().map(number).collect();
    keys.into_iter().zip(&anatomy.headers).collect()
}

fn compare(old: &Header, old_bytes: &[u8], new: &Header, new_bytes: &[u8], changes: &mut Vec<Change>) {
    let fields = |header: &'_ Header| -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let number = |field: &Field| {
            let count = counts.entry(field.name.clone()).or_default();
            *count += 1;
            (field.name.clone(), *count)
        };
        header.fields.iter().map(number).collect()
    };
    let (old_keys, new_keys) = (fields(old), fields(new));
    let change = |name: &str, before: String, after: String| Change {
        what: format!("{} {name}", title(new)),
        before,
        after,
        why: why(new.name, name),
    };
    for (key, field) in old_keys.iter().zip(&old.fields) {
        if !new_keys.contains(key) {
            changes.push(change(&field.name, field.value.clone(), String::new()));
        }
    }
    for (key, field) in new_keys.iter().zip(&new.fields) {
        let Some(other) = old_keys.iter().position(|other| other == key).map(|index| &old.fields[index]) else {
            changes.push(change(&field.name, String::new(), field.value.clone()));
            continue;
        };
        let is_same = match (field.is_of_bytes(), other.is_of_bytes()) {
            (true, true) => old_bytes.get(other.bytes()) == new_bytes.get(field.bytes()),
            _ => other.value == field.value,
        };
        if is_same {
            continue;
        }
        // Of long data only the beginning is spelled, which may be the same.
        let (before, after) = match other.value == field.value {
            true => (length_of(other), length_of(field)),
            false => (other.value.clone(), field.value.clone()),
        };
        changes.push(change(&field.name, before, after));
    }
}

fn title(header: &Header) -> String {
    match header.depth {
        0 => header.name.to_owned(),
        _ => format!("quoted {}", header.name),
    }
}

fn bytes_of(header: &Header) -> String {
    let count = header.bytes().len();
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

fn length_of(field: &Field) -> String {
    format!("{} bytes", field.bytes().len())
}

fn header_word(header: &Header, is_new: bool) -> &'static str {
    match (header.name, is_new) {
        ("VLAN tag", true) => "put on: the next link carries several VLANs",
        ("VLAN tag", false) => "taken off: the next link carries one VLAN",
        ("Padding", true) => "a short packet fills the least frame",
        (_, true) => "added",
        (_, false) => "removed",
    }
}

fn why(header: &str, field: &str) -> &'static str {
    match (header, field) {
        ("Ethernet", "source" | "destination") => "hardware addresses are those of the next link",
        ("IPv4", "time to live") | ("IPv6", "hop limit") => "each router takes one",
        ("IPv4", "header checksum") => "follows from what changed in the header",
        ("TCP" | "UDP", "checksum") => "covers the addresses too",
        ("IPv4" | "IPv6", "source" | "destination") => "translated",
        ("TCP" | "UDP", "source port" | "destination port") => "translated",
        ("IPv4", "identification") => "whoever translates numbers packets of its own",
        ("IPv4", "total length" | "fragment offset" | "more fragments") => "cut into pieces",
        ("TCP options", "size") => "clamped to what the path can carry",
        ("IPv4 options", _) => "a router writes into it",
        _ => "",
    }
}
