//! A machine's sockets and neighbors as `ss`, `netstat` and `arp` print them, column by column.
//!
//! The same that the views `sockets` and `neigh` tell, in the words of the tools: `ss` abbreviates a state that `netstat`
//! spells with an underscore, and both call "any address" something else.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::net::SocketRow;

/// `ss -tuna`: datagrams first, then connections; columns as wide as what is in them.
pub(super) fn ss(rows: &[SocketRow]) -> String {
    let state = |row: &SocketRow| match row.state {
        "ESTABLISHED" => "ESTAB",
        "SYN-RECEIVED" => "SYN-RECV",
        other => other,
    };
    let mut rows: Vec<&SocketRow> = rows.iter().collect();
    rows.sort_by_key(|row| match row.protocol {
        "icmp" | "raw" => 0,
        "udp" => 1,
        _ => 2,
    });
    let end = |end: Option<SocketAddr>| match end {
        None => ("*".to_owned(), "*".to_owned()),
        // A socket for both families.
        Some(SocketAddr::V6(both)) if both.ip().is_unspecified() => ("*".to_owned(), both.port().to_string()),
        Some(SocketAddr::V6(v6)) => (format!("[{}]", v6.ip()), v6.port().to_string()),
        Some(SocketAddr::V4(v4)) => (v4.ip().to_string(), v4.port().to_string()),
    };
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let peer = match (row.peer, row.local) {
                (None, Some(SocketAddr::V4(_))) => ("0.0.0.0".to_owned(), "*".to_owned()),
                (peer, _) => end(peer),
            };
            (row, state(row), end(row.local), peer)
        })
        .collect();
    let most = |title: usize, width: &dyn Fn(usize) -> usize| (0..cells.len()).map(width).max().unwrap_or(0).max(title);
    let states = most(5, &|row| cells[row].1.len());
    // Addresses end at their colon, ports begin there; the titles stand likewise.
    let locals = most("Local Address".len(), &|row| cells[row].2.0.len());
    let local_ports = most("Port".len(), &|row| cells[row].2.1.len());
    let peers = most("Peer Address".len(), &|row| cells[row].3.0.len());
    let mut text = format!(
        "{:<5} {:<states$} {:<6} {:<6} {:>locals$}:{:<local_ports$} {:>peers$}:Port\n",
        "Netid", "State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address",
    );
    for (row, state, local, peer) in &cells {
        let line = format!(
            "{:<5} {state:<states$} {:<6} {:<6} {:>locals$}:{:<local_ports$} {:>peers$}:{}",
            row.protocol, row.receive_queue, row.send_queue, local.0, local.1, peer.0, peer.1
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `netstat -tuna`.
pub(super) fn netstat(rows: &[SocketRow]) -> String {
    let mut text = "Active Internet connections (servers and established)\n".to_owned();
    text.push_str("Proto Recv-Q Send-Q Local Address           Foreign Address         State\n");
    let mut rows: Vec<&SocketRow> = rows.iter().collect();
    rows.sort_by_key(|row| match row.protocol {
        "tcp" => 0,
        "udp" => 1,
        _ => 2,
    });
    for row in rows {
        let is_v6 = matches!(row.local.or(row.peer), Some(SocketAddr::V6(_)));
        let protocol =
            format!("{}{}", if row.protocol == "icmp" { "raw" } else { row.protocol }, if is_v6 { "6" } else { "" });
        let end = |end: Option<SocketAddr>| match end {
            None if is_v6 => ":::*".to_owned(),
            None => "0.0.0.0:*".to_owned(),
            Some(SocketAddr::V6(v6)) => format!("{}:{}", v6.ip(), v6.port()),
            Some(SocketAddr::V4(v4)) => v4.to_string(),
        };
        let state = match row.state {
            "UNCONN" => String::new(),
            "SYN-RECEIVED" => "SYN_RECV".to_owned(),
            "FIN-WAIT-1" => "FIN_WAIT1".to_owned(),
            "FIN-WAIT-2" => "FIN_WAIT2".to_owned(),
            other => other.replace('-', "_"),
        };
        let (unread, unsent) = if row.state == "LISTEN" { (0, 0) } else { (row.receive_queue, row.send_queue) };
        let line =
            format!("{protocol:<5} {unread:>6} {unsent:>6} {:<23} {:<23} {state}", end(row.local), end(row.peer));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `arp -n`, of what `ip neigh` tells; IPv4 alone, as ARP is.
pub(super) fn arp(neighbors: &str) -> String {
    let mut text = format!("{:<24} {:<7} {:<19} {:<21} Iface\n", "Address", "HWtype", "HWaddress", "Flags Mask");
    for line in neighbors.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, "dev", device, ..] = words[..] else { continue };
        if address.contains(':') {
            continue;
        }
        let mac = words.iter().position(|word| *word == "lladdr").and_then(|at| words.get(at + 1));
        let flags = if words.last() == Some(&"PERMANENT") { "CM" } else { "C" };
        let _ = match mac {
            Some(mac) => writeln!(text, "{address:<24} {:<7} {mac:<19} {flags:<21} {device}", "ether"),
            None => writeln!(text, "{address:<24} {:<7} {:<19} {:<21} {device}", "", "(incomplete)", ""),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(protocol: &'static str, state: &'static str, local: &str, peer: Option<&str>) -> SocketRow {
        SocketRow {
            protocol,
            state,
            receive_queue: 0,
            send_queue: if state == "LISTEN" { 128 } else { 0 },
            local: Some(local.parse().unwrap()),
            peer: peer.map(|peer| peer.parse().unwrap()),
        }
    }

    fn rows() -> Vec<SocketRow> {
        vec![
            row("tcp", "LISTEN", "[::]:7", None),
            row("tcp", "LISTEN", "127.0.0.1:5432", None),
            row("tcp", "ESTABLISHED", "10.0.0.4:7", Some("10.0.0.1:49784")),
            row("tcp", "FIN-WAIT-2", "[2001:db8::1]:50000", Some("[2001:db8::2]:80")),
            row("udp", "UNCONN", "0.0.0.0:123", None),
        ]
    }

    #[test]
    fn ss_aligns_ends_at_their_colons() {
        assert_eq!(
            ss(&rows()),
            "Netid State      Recv-Q Send-Q Local Address:Port   Peer Address:Port\n\
             udp   UNCONN     0      0            0.0.0.0:123         0.0.0.0:*\n\
             tcp   LISTEN     0      128                *:7                 *:*\n\
             tcp   LISTEN     0      128        127.0.0.1:5432        0.0.0.0:*\n\
             tcp   ESTAB      0      0           10.0.0.4:7          10.0.0.1:49784\n\
             tcp   FIN-WAIT-2 0      0      [2001:db8::1]:50000 [2001:db8::2]:80\n"
        );
    }

    #[test]
    fn netstat_has_its_own_words() {
        assert_eq!(
            netstat(&rows()),
            "Active Internet connections (servers and established)\n\
             Proto Recv-Q Send-Q Local Address           Foreign Address         State\n\
             tcp6       0      0 :::7                    :::*                    LISTEN\n\
             tcp        0      0 127.0.0.1:5432          0.0.0.0:*               LISTEN\n\
             tcp        0      0 10.0.0.4:7              10.0.0.1:49784          ESTABLISHED\n\
             tcp6       0      0 2001:db8::1:50000       2001:db8::2:80          FIN_WAIT2\n\
             udp        0      0 0.0.0.0:123             0.0.0.0:*\n"
        );
    }

    #[test]
    fn arp_tells_of_ipv4_neighbors() {
        let neighbors = "10.0.0.1 dev eth0 lladdr 02:00:0a:00:00:01 REACHABLE\n10.0.0.9 dev eth0 INCOMPLETE\n\
                         10.0.0.2 dev eth0 lladdr 02:00:0a:00:00:02 PERMANENT\nfe80::1 dev eth0 FAILED\nnonsense\n";
        assert_eq!(
            arp(neighbors),
            "Address                  HWtype  HWaddress           Flags Mask            Iface\n\
             10.0.0.1                 ether   02:00:0a:00:00:01   C                     eth0\n\
             10.0.0.9                         (incomplete)                              eth0\n\
             10.0.0.2                 ether   02:00:0a:00:00:02   CM                    eth0\n"
        );
    }

    #[test]
    fn a_machine_without_sockets_has_titles_only() {
        assert_eq!((ss(&[]).lines().count(), netstat(&[]).lines().count(), arp("").lines().count()), (1, 2, 1));
    }
}
