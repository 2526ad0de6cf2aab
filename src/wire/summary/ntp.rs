//! NTP messages in the words of tcpdump, and a kiss-o'-death by its code.

use crate::wire::ntp::{NtpMessage, NtpMode, of_datagram};

/// `NTPv4, Client, length 48`, if a UDP datagram is a message of NTP.
pub(super) fn line(udp: &[u8]) -> Option<String> {
    let message = of_datagram(udp)?;
    let kiss = message.kiss().map(|code| format!(", kiss {code}")).unwrap_or_default();
    Some(format!("NTPv{}, {}, length {}{kiss}", message.version, mode(&message), udp.len().saturating_sub(8)))
}

/// `NTP client`, `NTP kiss RATE`.
pub(super) fn short(udp: &[u8]) -> Option<String> {
    let message = of_datagram(udp)?;
    Some(match message.kiss() {
        Some(code) => format!("NTP kiss {code}"),
        None => format!("NTP {}", mode(&message).to_lowercase()),
    })
}

fn mode(message: &NtpMessage) -> &'static str {
    match message.mode {
        NtpMode::Symmetric => "Symmetric",
        NtpMode::Client => "Client",
        NtpMode::Server => "Server",
        NtpMode::Broadcast => "Broadcast",
        NtpMode::Other(_) => "Reserved",
    }
}
