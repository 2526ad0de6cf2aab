//! UDP (RFC 768), and what TCP and UDP carry: known by their ports, or by how they begin.

use super::cutter::Cutter;
use super::ip::Sum;
use super::words::{self, text_of};
use super::{dhcp, dns, http, rip, tls};

const DNS_PORT: u16 = 53;
const RIP_PORT: u16 = 520;
const RIPNG_PORT: u16 = 521;
/// Multicast DNS (RFC 6762).
const MDNS_PORT: u16 = 5353;

/// A UDP datagram.
pub(super) fn datagram(cut: &mut Cutter<'_>, sum: Sum) {
    cut.header("UDP", "RFC 768");
    // A header that breaks off leaves its rest to the packet around it.
    let _ = header(cut, sum);
}

fn header(cut: &mut Cutter<'_>, sum: Sum) -> Option<()> {
    let source = cut.word("source port")?;
    cut.means(words::port(source));
    let destination = cut.word("destination port")?;
    cut.means(words::port(destination));
    let length = usize::from(cut.word("length")?);
    cut.means(match length.checked_sub(8) {
        Some(data) => format!("header and {} of data", words::bytes(data)),
        None => "less than its own header".to_owned(),
    });
    let checksum = cut.word("checksum")?;
    cut.shows(format!("{checksum:#06x}"));
    cut.means(if checksum == 0 { "none was computed".to_owned() } else { sum.meaning() });
    cut.within(length.saturating_sub(8), "data", |cut| {
        let is = |port: u16| source == port || destination == port;
        let is_dhcp = |port: u16| matches!(port, 67 | 68);
        if cut.left().is_empty() {
        } else if is_dhcp(source) && is_dhcp(destination) {
            dhcp::message(cut);
        } else if is(DNS_PORT) || is(MDNS_PORT) {
            dns::message(cut);
        } else if is(RIP_PORT) || is(RIPNG_PORT) {
            rip::message(cut, is(RIPNG_PORT));
        } else {
            data(cut, "Data");
        }
        Some(())
    });
    Some(())
}

/// What a TCP segment carries.
pub(super) fn stream(cut: &mut Cutter<'_>, source: u16, destination: u16) {
    let bytes = cut.left();
    if bytes.is_empty() {
        return;
    }
    if source == DNS_PORT || destination == DNS_PORT {
        dns::over_tcp(cut);
    } else if tls::is_record(bytes) {
        tls::records(cut);
    } else if http::is_message(bytes) {
        http::message(cut);
    } else {
        data(cut, "Data");
    }
}

/// Bytes that only a program understands: text, or not.
pub(super) fn data(cut: &mut Cutter<'_>, name: &'static str) {
    let bytes = cut.left();
    if bytes.is_empty() {
        return;
    }
    cut.header(name, "");
    let kind = if text_of(bytes).is_some() { "text" } else { "bytes" };
    cut.rest(kind, &words::bytes(bytes.len()));
}
