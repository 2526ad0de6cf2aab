//! DHCP (RFC 2131) and its options (RFC 2132).

use super::cutter::Cutter;
use super::words::text_of;
use crate::wire::dhcp::code;

const COOKIE: u32 = 0x6382_5363;

/// A message.
pub(super) fn message(cut: &mut Cutter<'_>) {
    cut.header("DHCP", "RFC 2131 §2");
    // A message that breaks off leaves its rest to the datagram around it.
    let _ = header(cut);
}

fn header(cut: &mut Cutter<'_>) -> Option<()> {
    let operation = cut.byte("op")?;
    cut.means(match operation {
        1 => "from a client",
        2 => "from a server",
        _ => "not known here",
    });
    let hardware = cut.byte("htype")?;
    cut.means(if hardware == 1 { "Ethernet" } else { "" });
    let length = cut.byte("hlen")?;
    cut.means("bytes of a hardware address");
    cut.byte("hops")?;
    cut.means("relays that it has passed");
    let transaction = cut.long("xid")?;
    cut.shows(format!("{transaction:#010x}"));
    cut.means("which conversation: answers carry the same");
    let seconds = cut.word("secs")?;
    cut.means(format!("the client began {seconds} s ago"));
    cut.flag("broadcast", "answer to everybody: I cannot hear my own address yet", "answer to me alone")?;
    cut.reserved(15)?;
    let addresses = [
        ("ciaddr", "the address that the client has"),
        ("yiaddr", "the address that the client gets"),
        ("siaddr", "where it would boot from"),
        ("giaddr", "the relay that it came through"),
    ];
    for (name, what) in addresses {
        let address = cut.ipv4(name)?;
        match address.is_unspecified() {
            true => cut.means(format!("{what}: none")),
            false => cut.means(what),
        }
    }
    match length {
        6 => {
            cut.station("chaddr")?;
            cut.slice("chaddr padding", 10)?;
        }
        _ => drop(cut.slice("chaddr", 16)?),
    }
    for (name, bytes) in [("sname", 64), ("file", 128)] {
        let field = cut.slice(name, bytes)?;
        if field.iter().all(|byte| *byte == 0) {
            cut.shows("all zero");
        }
        cut.means("of no use here");
    }
    let cookie = cut.long("magic cookie")?;
    cut.shows(format!("{cookie:#010x}"));
    cut.means(if cookie == COOKIE { "options follow" } else { "not the one of DHCP" });
    if cookie == COOKIE {
        options(cut)?;
    }
    Some(())
}

fn options(cut: &mut Cutter<'_>) -> Option<()> {
    cut.header("DHCP options", "RFC 2132");
    while let Some(kind) = cut.left().first().copied() {
        if kind == 255 {
            cut.byte("end")?;
            let is_empty = cut.left().iter().all(|byte| *byte == 0);
            cut.rest("padding", if is_empty { "up to the 300 bytes that old relays insist on" } else { "" });
            return Some(());
        }
        if kind == 0 {
            cut.byte("pad")?;
            continue;
        }
        let name = name_of(kind);
        cut.byte("option")?;
        cut.means(name);
        let length = usize::from(cut.byte("length")?);
        if cut.left().len() < length {
            cut.slice(name, length)?;
        }
        cut.within(length, "value", |cut| value(cut, kind, name, length));
    }
    Some(())
}

fn name_of(kind: u8) -> &'static str {
    match kind {
        code::SUBNET_MASK => "subnet mask",
        code::ROUTER => "router",
        code::DOMAIN_NAME_SERVER => "name server",
        code::HOST_NAME => "host name",
        code::DOMAIN_NAME => "domain name",
        code::BROADCAST_ADDRESS => "broadcast address",
        code::REQUESTED_ADDRESS => "requested address",
        code::LEASE_TIME => "lease time",
        code::OVERLOAD => "overload",
        code::MESSAGE_TYPE => "message type",
        code::SERVER_IDENTIFIER => "server",
        code::PARAMETER_REQUEST_LIST => "wanted options",
        code::MESSAGE => "message",
        code::MAXIMUM_MESSAGE_SIZE => "greatest message",
        code::RENEWAL_TIME => "renewal time",
        code::REBINDING_TIME => "rebinding time",
        code::CLIENT_IDENTIFIER => "client identifier",
        code::RELAY_AGENT_INFORMATION => "relay agent information",
        _ => "value",
    }
}

fn value(cut: &mut Cutter<'_>, kind: u8, name: &str, length: usize) -> Option<()> {
    match (kind, length) {
        (code::MESSAGE_TYPE, 1) => {
            let kind = cut.byte(name)?;
            cut.means(match kind {
                1 => "DISCOVER: is there a server?",
                2 => "OFFER: you may have this address",
                3 => "REQUEST: I take it",
                4 => "DECLINE: somebody else has it",
                5 => "ACK: it is yours",
                6 => "NAK: no",
                7 => "RELEASE: I am done with it",
                8 => "INFORM: tell me the rest",
                _ => "not known here",
            });
        }
        (code::LEASE_TIME | code::RENEWAL_TIME | code::REBINDING_TIME, 4) => {
            let seconds = cut.long(name)?;
            cut.shows(format!("{seconds} s"));
            cut.means(match (kind, seconds) {
                (_, u32::MAX) => "for ever".to_owned(),
                (code::LEASE_TIME, _) => "for so long the address is the client's".to_owned(),
                (code::RENEWAL_TIME, _) => "after this, ask the server for more".to_owned(),
                _ => "after this, ask any server for more".to_owned(),
            });
        }
        (code::MAXIMUM_MESSAGE_SIZE, 2) => {
            cut.word(name)?;
            cut.means("bytes that the client can receive");
        }
        (code::PARAMETER_REQUEST_LIST, _) => {
            let wanted: Vec<String> = cut.left().iter().map(u8::to_string).collect();
            cut.slice(name, length)?;
            cut.shows(wanted.join(", "));
            cut.means("what the client would like to be told");
        }
        (
            code::SUBNET_MASK
            | code::ROUTER
            | code::DOMAIN_NAME_SERVER
            | code::BROADCAST_ADDRESS
            | code::REQUESTED_ADDRESS
            | code::SERVER_IDENTIFIER,
            _,
        ) if length > 0 && length.is_multiple_of(4) => {
            for _ in 0..length / 4 {
                let address = cut.ipv4(name)?;
                if kind == code::SUBNET_MASK {
                    let ones = u32::from(address).leading_ones();
                    cut.means(format!("/{ones}"));
                }
            }
        }
        (code::CLIENT_IDENTIFIER, 7) if cut.left().first() == Some(&1) => {
            cut.byte("identifier type")?;
            cut.means("a hardware address");
            cut.station(name)?;
        }
        _ => {
            let value = cut.slice(name, length)?;
            if let Some(text) = text_of(value) {
                cut.shows(text);
            }
        }
    }
    Some(())
}
