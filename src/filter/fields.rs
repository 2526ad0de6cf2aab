//! The table of all fields, in alphabetical order.
//!
//! Names are Wireshark's wherever Wireshark has the field, so that an expression can be tried in either place. Two
//! deliberate differences: a bare flag means that it is *set* (in Wireshark: that it is there), and there are the short
//! names `tcp.syn`, `tcp.ack`, … for the flags, so that the number in an acknowledgment is `tcp.ack_raw` only. Fields
//! show the frame's own headers, never those quoted inside an ICMP error.
//!
//! A field that the frame's bytes do not reach to is absent.

use std::net::{Ipv4Addr, Ipv6Addr};

use smoltcp::wire::TcpOption;

use super::field::{FieldRow, FieldType, Value, Values};
use crate::wire::Checksum;
use crate::wire::dhcp::{Glimpse, code};
use crate::wire::dns;
use crate::wire::http::{HttpGlimpse, What};
use crate::wire::ospf::{self, OSPF_PROTOCOL};
use crate::wire::tls::TlsRecords;
use crate::wire::verify::{header_checksum, transport_checksum};
use crate::wire::view::{Ip, View, array, be16, be32, be128, byte, tcp_header_bytes, udp_payload};

const BIT: FieldType = FieldType::Boolean;
const BYTES: FieldType = FieldType::Bytes;
const IPV4: FieldType = FieldType::Ipv4;
const IPV6: FieldType = FieldType::Ipv6;
const MAC: FieldType = FieldType::Mac;
const NAME: FieldType = FieldType::Name;
const PROTOCOL: FieldType = FieldType::Protocol;
const U2: FieldType = FieldType::Integer { max: 3 };
const U3: FieldType = FieldType::Integer { max: 7 };
const U4: FieldType = FieldType::Integer { max: 15 };
const U6: FieldType = FieldType::Integer { max: 63 };
const U8: FieldType = FieldType::Integer { max: 255 };
const U12: FieldType = FieldType::Integer { max: 4095 };
const U16: FieldType = FieldType::Integer { max: 65_535 };
const U20: FieldType = FieldType::Integer { max: 0xf_ffff };
const U32: FieldType = FieldType::Integer { max: 0xffff_ffff };

pub(super) static FIELDS: &[FieldRow] = &[
    row("arp", PROTOCOL, "An ARP message.", |v| bytes(v.arp)),
    row("arp.dst.hw_mac", MAC, "The Ethernet address asked about.", |v| one(v.arp.and_then(|b| mac(b, 18)))),
    row("arp.dst.proto_ipv4", IPV4, "The IPv4 address asked about.", |v| one(v.arp.and_then(|b| ipv4_at(b, 24)))),
    row("arp.opcode", U16, "1 for a request, 2 for a reply.", |v| number16(v.arp, 6)),
    row("arp.src.hw_mac", MAC, "The Ethernet address of who speaks.", |v| one(v.arp.and_then(|b| mac(b, 8)))),
    row("arp.src.proto_ipv4", IPV4, "The IPv4 address of who speaks.", |v| one(v.arp.and_then(|b| ipv4_at(b, 14)))),
    row("dhcp", PROTOCOL, "A DHCP message.", |v| bytes(dhcp(v).map(Glimpse::bytes))),
    row("dhcp.flags.bc", BIT, "The client wants the answer by broadcast.", |v| {
        flag(dhcp(v).map(Glimpse::bytes), 10, 0x80)
    }),
    row("dhcp.hops", U8, "How many relays it has passed.", |v| number8(dhcp(v).map(Glimpse::bytes), 3)),
    row("dhcp.hw.mac_addr", MAC, "The client's Ethernet address.", |v| one(dhcp(v).map(|m| Value::Mac(m.chaddr())))),
    row("dhcp.id", U32, "The transaction.", |v| integer(dhcp(v).map(Glimpse::xid))),
    row("dhcp.ip.client", IPV4, "The address that the client has.", |v| dhcp_address(v, 12)),
    row("dhcp.ip.relay", IPV4, "The relay that the client's message came through.", |v| dhcp_address(v, 24)),
    row("dhcp.ip.server", IPV4, "Where the client would boot from.", |v| dhcp_address(v, 20)),
    row("dhcp.ip.your", IPV4, "The address that the client gets.", |v| dhcp_address(v, 16)),
    row("dhcp.option.dhcp", U8, "1 discover, 2 offer, 3 request, 4 decline, 5 ack, 6 nak, 7 release, 8 inform.", |v| {
        integer(dhcp_option(v, code::MESSAGE_TYPE).and_then(|value| value.first().copied()))
    }),
    row("dhcp.option.dhcp_server_id", IPV4, "The server that it is from or for.", |v| {
        one(dhcp(v).and_then(|m| m.address_option(code::SERVER_IDENTIFIER)).map(Value::Ipv4))
    }),
    row("dhcp.option.hostname", BYTES, "What the client calls itself.", |v| bytes(dhcp_option(v, code::HOST_NAME))),
    row("dhcp.option.ip_address_lease_time", U32, "For how many seconds the address is the client's.", |v| {
        number32(dhcp_option(v, code::LEASE_TIME), 0)
    }),
    row("dhcp.option.requested_ip_address", IPV4, "The address that the client wants.", |v| {
        one(dhcp(v).and_then(|m| m.address_option(code::REQUESTED_ADDRESS)).map(Value::Ipv4))
    }),
    row("dhcp.type", U8, "1 from a client, 2 from a server.", |v| number8(dhcp(v).map(Glimpse::bytes), 0)),
    row("dns", PROTOCOL, "A DNS message, in a datagram or at the beginning of a segment.", |v| {
        bytes(dns(v).map(dns::Glimpse::bytes))
    }),
    row("dns.a", IPV4, "The first two IPv4 addresses of the answer.", |v| {
        two(dns(v).map(|m| m.ipv4_answers().map(|a| a.map(Value::Ipv4)).into()))
    }),
    row("dns.aaaa", IPV6, "The first two IPv6 addresses of the answer.", |v| {
        two(dns(v).map(|m| m.ipv6_answers().map(|a| a.map(Value::Ipv6)).into()))
    }),
    row("dns.count.add_rr", U16, "How many additional records, EDNS's included.", |v| dns_number(v, 10)),
    row("dns.count.answers", U16, "How many records the answer has.", |v| dns_number(v, 6)),
    row("dns.count.auth_rr", U16, "How many records speak of authorities.", |v| dns_number(v, 8)),
    row("dns.count.queries", U16, "How many questions.", |v| dns_number(v, 4)),
    row("dns.flags.authoritative", BIT, "An authority speaks.", |v| dns_flag(v, 2, 0x04)),
    row("dns.flags.opcode", U4, "0 a question, 4 a notification, 5 an update.", |v| {
        integer(dns(v).and_then(|m| byte(m.bytes(), 2)).map(|b| (b >> 3) & 0x0f))
    }),
    row("dns.flags.rcode", U4, "0 no error, 2 server failure, 3 no such name, 5 refused.", |v| {
        integer(dns(v).and_then(|m| byte(m.bytes(), 3)).map(|b| b & 0x0f))
    }),
    row("dns.flags.recavail", BIT, "The server would find it out.", |v| dns_flag(v, 3, 0x80)),
    row("dns.flags.recdesired", BIT, "The server is to find it out.", |v| dns_flag(v, 2, 0x01)),
    row("dns.flags.response", BIT, "An answer, not a question.", |v| dns_flag(v, 2, 0x80)),
    row("dns.flags.truncated", BIT, "There would be more.", |v| dns_flag(v, 2, 0x02)),
    row("dns.id", U16, "What an answer shares with its question.", |v| dns_number(v, 0)),
    row("dns.qry.name", NAME, "The name that is asked for: `\"www.example.com\"`.", |v| {
        one(dns(v).and_then(dns::Glimpse::query_name).map(Value::Name))
    }),
    row("dns.qry.type", U16, "The type that is asked for: 1 A, 2 NS, 5 CNAME, 12 PTR, 15 MX, 16 TXT, 28 AAAA.", |v| {
        integer(dns(v).and_then(dns::Glimpse::query_type))
    }),
    row("eth", PROTOCOL, "An Ethernet frame.", |v| bytes(v.ethernet)),
    row("eth.addr", MAC, "Either Ethernet address.", |v| two(v.ethernet.map(|b| (mac(b, 6), mac(b, 0))))),
    row("eth.dst", MAC, "For which station the frame is.", |v| one(v.ethernet.and_then(|b| mac(b, 0)))),
    row("eth.src", MAC, "Which station sent the frame.", |v| one(v.ethernet.and_then(|b| mac(b, 6)))),
    row("eth.type", U16, "What the frame carries: 0x0800 is IPv4.", |v| number16(v.ethernet, 12)),
    row("frame", PROTOCOL, "Every frame.", |v| bytes(Some(v.bytes))),
    row("frame.len", U32, "How many bytes the frame has.", |v| integer(u32::try_from(v.bytes.len()).ok())),
    row("http", PROTOCOL, "An HTTP/1 message, in the segment that it begins with.", |v| {
        bytes(http(v).map(|message| message.bytes()))
    }),
    row("http.authorization", BYTES, "What the client proves who it is with.", |v| http_header(v, "authorization")),
    row("http.cache_control", BYTES, "What caches may do.", |v| http_header(v, "cache-control")),
    row("http.connection", BYTES, "Whether the connection is kept.", |v| http_header(v, "connection")),
    row("http.content_length_header", BYTES, "How long the body is, as it is written.", |v| {
        http_header(v, "content-length")
    }),
    row("http.content_type", BYTES, "The media type of the body.", |v| http_header(v, "content-type")),
    row("http.cookie", BYTES, "What the client was told to remember.", |v| http_header(v, "cookie")),
    row("http.date", BYTES, "When the server says that it answered.", |v| http_header(v, "date")),
    row("http.host", BYTES, "Which of the server's names is asked.", |v| http_header(v, "host")),
    row("http.location", BYTES, "Where the client is sent.", |v| http_header(v, "location")),
    row("http.range", BYTES, "Which part of a page is asked for.", |v| http_header(v, "range")),
    row("http.referer", BYTES, "Where the client comes from.", |v| http_header(v, "referer")),
    row("http.request", BIT, "A request.", |v| http_is(v, |what| matches!(what, What::Request { .. }))),
    row("http.request.method", BYTES, "The method: `GET`, `POST` and others.", |v| {
        bytes(http_request(v).map(|(method, _)| method.as_bytes()))
    }),
    row("http.request.uri", BYTES, "What is asked for: path and query.", |v| {
        bytes(http_request(v).map(|(_, target)| target.as_bytes()))
    }),
    row("http.response", BIT, "A response.", |v| http_is(v, |what| matches!(what, What::Response { .. }))),
    row("http.response.code", U16, "The status code: 200, 404 and others.", |v| {
        integer(http_response(v).map(|(status, _)| status))
    }),
    row("http.response.phrase", BYTES, "The words behind the status code: `OK`, `Not Found`.", |v| {
        bytes(http_response(v).map(|(_, reason)| reason.as_bytes()))
    }),
    row("http.server", BYTES, "What the server calls itself.", |v| http_header(v, "server")),
    row("http.set_cookie", BYTES, "What the client is to remember; the first of several.", |v| {
        http_header(v, "set-cookie")
    }),
    row("http.transfer_encoding", BYTES, "`chunked`, if the length is not known beforehand.", |v| {
        http_header(v, "transfer-encoding")
    }),
    row("http.user_agent", BYTES, "What the client calls itself.", |v| http_header(v, "user-agent")),
    row("icmp", PROTOCOL, "An ICMP message over IPv4.", |v| bytes(v.icmp())),
    row("icmp.checksum.status", U2, "1 if the checksum is right, 0 if not.", |v| transport_status(v, v.icmp())),
    row("icmp.code", U8, "What kind of its type.", |v| number8(v.icmp(), 1)),
    row("icmp.ident", U16, "Which program's echo.", |v| number16(icmp_echo(v), 4)),
    row("icmp.mtu", U16, "What would fit, in a 'fragmentation needed'.", |v| number16(icmp_too_big(v), 6)),
    row(
        "icmp.redir_gw",
        IPV4,
        "Whom to send to, in a redirect.",
        |v| one(icmp_redirect(v).and_then(|b| ipv4_at(b, 4))),
    ),
    row("icmp.seq", U16, "Which echo of its program.", |v| number16(icmp_echo(v), 6)),
    row("icmp.type", U8, "8 echo request, 0 reply, 3 unreachable, 11 time exceeded.", |v| number8(v.icmp(), 0)),
    row("icmpv6", PROTOCOL, "An ICMP message over IPv6.", |v| bytes(v.icmpv6())),
    row("icmpv6.checksum.status", U2, "1 if the checksum is right, 0 if not.", |v| transport_status(v, v.icmpv6())),
    row("icmpv6.code", U8, "What kind of its type.", |v| number8(v.icmpv6(), 1)),
    row("icmpv6.echo.identifier", U16, "Which program's echo.", |v| number16(icmpv6_of(v, &[128, 129]), 4)),
    row("icmpv6.echo.sequence_number", U16, "Which echo.", |v| number16(icmpv6_of(v, &[128, 129]), 6)),
    row("icmpv6.mtu", U32, "What would fit, in a 'packet too big'.", |v| number32(icmpv6_of(v, &[2]), 4)),
    row("icmpv6.nd.na.target_address", IPV6, "Whose neighbor advertisement.", |v| target(icmpv6_of(v, &[136]))),
    row("icmpv6.nd.ns.target_address", IPV6, "Who is solicited.", |v| target(icmpv6_of(v, &[135]))),
    row("icmpv6.type", U8, "1 unreachable, 3 time exceeded, 128 echo request.", |v| number8(v.icmpv6(), 0)),
    row("ip", PROTOCOL, "An IPv4 packet.", |v| bytes(ipv4(v).map(|ip| ip.bytes))),
    row("ip.addr", IPV4, "Either IPv4 address.", |v| two(header4(v).map(|b| (ipv4_at(b, 12), ipv4_at(b, 16))))),
    row("ip.checksum.status", U2, "1 if the header's checksum is right, 0 if not.", |v| {
        integer(ipv4(v).and_then(|ip| header_checksum(&ip)).map(u8::from))
    }),
    row("ip.dsfield", U8, "The byte once called type of service.", |v| number8(header4(v), 1)),
    row("ip.dsfield.dscp", U6, "How the packet is to be treated.", |v| integer(header_byte(v, 1).map(|b| b >> 2))),
    row("ip.dsfield.ecn", U2, "Congestion notification: 3 is 'experienced'.", |v| {
        integer(header_byte(v, 1).map(|b| b & 3))
    }),
    row("ip.dst", IPV4, "For whom the packet is.", |v| one(header4(v).and_then(|b| ipv4_at(b, 16)))),
    row("ip.flags.df", BIT, "Routers must not fragment it.", |v| flag(header4(v), 6, 0x40)),
    row("ip.flags.mf", BIT, "More fragments follow.", |v| flag(header4(v), 6, 0x20)),
    row("ip.frag_offset", U16, "Where a fragment begins, in bytes.", |v| {
        integer(header4(v).and_then(|b| be16(b, 6)).map(|word| (word & 0x1fff) * 8))
    }),
    row("ip.hdr_len", U8, "The header's length in bytes.", |v| integer(header_byte(v, 0).map(|b| (b & 0x0f) * 4))),
    row("ip.id", U16, "Shared by the fragments of one packet.", |v| number16(header4(v), 4)),
    row("ip.len", U16, "The packet's length, header included.", |v| number16(header4(v), 2)),
    row("ip.opt.ptr", U8, "Where the next entry of a record of routes or times goes: 4 or 5 at first.", |v| {
        integer(ip_record(v).and_then(|option| byte(option, 2)))
    }),
    row(
        "ip.opt.type",
        U8,
        "The first IP option but for padding: 7 record route, 68 timestamp, 131 source route.",
        |v| integer(ip_option(v).and_then(|option| byte(option, 0))),
    ),
    row("ip.proto", U8, "1 ICMP, 6 TCP, 17 UDP.", |v| number8(header4(v), 9)),
    row("ip.src", IPV4, "Who sent the packet.", |v| one(header4(v).and_then(|b| ipv4_at(b, 12)))),
    row("ip.ttl", U8, "How many more routers may forward it.", |v| number8(header4(v), 8)),
    row("ip.version", U4, "4.", |v| integer(header_byte(v, 0).map(|b| b >> 4))),
    row("ipv6", PROTOCOL, "An IPv6 packet.", |v| bytes(ipv6(v).map(|ip| ip.bytes))),
    row("ipv6.addr", IPV6, "Either IPv6 address.", |v| two(header6(v).map(|b| (ipv6_at(b, 8), ipv6_at(b, 24))))),
    row("ipv6.dst", IPV6, "For whom the packet is.", |v| one(header6(v).and_then(|b| ipv6_at(b, 24)))),
    row("ipv6.flow", U20, "The flow label.", |v| integer(header6(v).and_then(|b| be32(b, 0)).map(|w| w & 0xf_ffff))),
    row("ipv6.fraghdr.ident", U32, "Shared by the fragments of one packet.", |v| {
        integer(ipv6(v).and_then(|ip| ip.fragment).map(|fragment| fragment.id))
    }),
    row("ipv6.fraghdr.more", BIT, "More fragments follow.", |v| {
        one(ipv6(v).and_then(|ip| ip.fragment).map(|fragment| Value::Boolean(fragment.more)))
    }),
    row("ipv6.fraghdr.offset", U16, "Where a fragment begins, in units of 8 bytes.", |v| {
        integer(ipv6(v).and_then(|ip| ip.fragment).and_then(|fragment| u16::try_from(fragment.offset / 8).ok()))
    }),
    row("ipv6.hlim", U8, "How many more routers may forward it.", |v| number8(header6(v), 7)),
    row("ipv6.nxt", U8, "What follows the header, extension headers included.", |v| number8(header6(v), 6)),
    row("ipv6.plen", U16, "The length of what follows the header.", |v| number16(header6(v), 4)),
    row("ipv6.src", IPV6, "Who sent the packet.", |v| one(header6(v).and_then(|b| ipv6_at(b, 8)))),
    row("ipv6.tclass", U8, "The traffic class.", |v| {
        integer(header6(v).and_then(|b| be16(b, 0)).map(|word| (word >> 4) & 0xff))
    }),
    row("ospf", PROTOCOL, "An OSPF packet.", |v| bytes(ospf(v))),
    row("ospf.area_id", IPV4, "Which area.", |v| one(ospf(v).and_then(|b| ipv4_at(b, 8)))),
    row("ospf.hello.backup_designated_router", IPV4, "The backup, by its address; 0.0.0.0: none.", |v| {
        one(ospf_of(v, 1).and_then(|b| ipv4_at(b, 40)))
    }),
    row("ospf.hello.designated_router", IPV4, "The designated router, by its address; 0.0.0.0: none.", |v| {
        one(ospf_of(v, 1).and_then(|b| ipv4_at(b, 36)))
    }),
    row("ospf.hello.router_priority", U8, "Who becomes designated router; 0 never does.", |v| {
        number8(ospf_of(v, 1), 31)
    }),
    row("ospf.msg", U8, "1 hello, 2 description, 3 request, 4 update, 5 acknowledgment.", |v| number8(ospf(v), 1)),
    row("ospf.srcrouter", IPV4, "Who speaks, by its router ID.", |v| one(ospf(v).and_then(|b| ipv4_at(b, 4)))),
    row("rip", PROTOCOL, "A message of RIP version 2.", |v| bytes(rip(v, 520))),
    row("rip.command", U8, "1 a request, 2 a response.", |v| number8(rip(v, 520), 0)),
    row("rip.metric", U32, "The least and the greatest metric of its routes: 16 is not reachable.", |v| {
        extremes(rip(v, 520), |entry| be32(entry, 16))
    }),
    row("rip.version", U8, "2.", |v| number8(rip(v, 520), 1)),
    row("ripng", PROTOCOL, "A message of RIPng.", |v| bytes(rip(v, 521))),
    row("ripng.cmd", U8, "1 a request, 2 a response.", |v| number8(rip(v, 521), 0)),
    row("ripng.rte.metric", U8, "The least and the greatest metric of its routes: 16 is not reachable.", |v| {
        extremes(rip(v, 521), |entry| byte(entry, 19).map(u32::from))
    }),
    row("ripng.version", U8, "1.", |v| number8(rip(v, 521), 1)),
    row("stp", PROTOCOL, "A spanning tree's message (BPDU).", |v| bytes(v.stp)),
    row("stp.bridge.hw", MAC, "The switch that speaks: its address.", |v| one(stp_tree(v).and_then(|b| mac(b, 19)))),
    row("stp.bridge.prio", U16, "The switch that speaks: its priority.", |v| {
        integer(stp_tree(v).and_then(|b| be16(b, 17)).map(|word| word & 0xf000))
    }),
    row("stp.flags", U8, "All flags as a number.", |v| number8(stp_tree(v), 4)),
    row("stp.flags.agreement", BIT, "The port's link may be used at once.", |v| flag(stp_tree(v), 4, 0x40)),
    row("stp.flags.forwarding", BIT, "The port forwards.", |v| flag(stp_tree(v), 4, 0x20)),
    row("stp.flags.learning", BIT, "The port learns.", |v| flag(stp_tree(v), 4, 0x10)),
    row("stp.flags.port_role", U2, "1 alternate or backup, 2 root, 3 designated.", |v| {
        integer(stp_tree(v).and_then(|b| byte(b, 4)).map(|flags| (flags >> 2) & 3))
    }),
    row("stp.flags.proposal", BIT, "The port asks to forward at once.", |v| flag(stp_tree(v), 4, 0x02)),
    row("stp.flags.tc", BIT, "The topology has changed.", |v| flag(stp_tree(v), 4, 0x01)),
    row("stp.flags.tcack", BIT, "A notification has been heard.", |v| flag(stp_tree(v), 4, 0x80)),
    row("stp.port", U16, "The port that speaks: priority and number.", |v| number16(stp_tree(v), 25)),
    row("stp.root.cost", U32, "What the way to the root costs.", |v| number32(stp_tree(v), 13)),
    row("stp.root.hw", MAC, "The root of the tree: its address.", |v| one(stp_tree(v).and_then(|b| mac(b, 7)))),
    row("stp.root.prio", U16, "The root of the tree: its priority.", |v| {
        integer(stp_tree(v).and_then(|b| be16(b, 5)).map(|word| word & 0xf000))
    }),
    row("stp.type", U8, "0 configuration, 2 rapid, 128 topology change notification.", |v| number8(v.stp, 3)),
    row("stp.version", U8, "0 STP, 2 RSTP, 3 MSTP.", |v| number8(v.stp, 2)),
    row("tcp", PROTOCOL, "A TCP segment.", |v| bytes(v.tcp())),
    row("tcp.ack", BIT, "Short for `tcp.flags.ack`.", |v| flag(v.tcp(), 13, 0x10)),
    row("tcp.ack_raw", U32, "The next sequence number expected, as it stands.", |v| number32(v.tcp(), 8)),
    row("tcp.checksum.status", U2, "1 if the checksum is right, 0 if not.", |v| transport_status(v, v.tcp())),
    row("tcp.dstport", U16, "The receiver's port.", |v| number16(v.tcp(), 2)),
    row("tcp.fin", BIT, "Short for `tcp.flags.fin`.", |v| flag(v.tcp(), 13, 0x01)),
    row("tcp.flags", U12, "All flags as a number; SYN is 2, SYN and ACK are 18.", |v| {
        integer(v.tcp().and_then(|b| be16(b, 12)).map(|word| word & 0x0fff))
    }),
    row("tcp.flags.ack", BIT, "The acknowledgment number counts.", |v| flag(v.tcp(), 13, 0x10)),
    row("tcp.flags.cwr", BIT, "The sender has slowed down.", |v| flag(v.tcp(), 13, 0x80)),
    row("tcp.flags.ece", BIT, "Congestion was experienced.", |v| flag(v.tcp(), 13, 0x40)),
    row("tcp.flags.fin", BIT, "The sender has no more to send.", |v| flag(v.tcp(), 13, 0x01)),
    row("tcp.flags.push", BIT, "The data is wanted at once.", |v| flag(v.tcp(), 13, 0x08)),
    row("tcp.flags.reset", BIT, "The connection is over.", |v| flag(v.tcp(), 13, 0x04)),
    row("tcp.flags.syn", BIT, "The sequence number is the first.", |v| flag(v.tcp(), 13, 0x02)),
    row("tcp.flags.urg", BIT, "The urgent pointer counts.", |v| flag(v.tcp(), 13, 0x20)),
    row("tcp.hdr_len", U8, "The header's length in bytes.", |v| {
        integer(v.tcp().and_then(tcp_header_bytes).and_then(|length| u8::try_from(length).ok()))
    }),
    row("tcp.len", U16, "How many bytes of data it carries.", |v| integer(tcp_length(v))),
    row("tcp.options.mss_val", U16, "The largest segment that the sender will take.", |v| {
        integer(tcp_option(v, |option| match option {
            TcpOption::MaxSegmentSize(size) => Some(size),
            _ => None,
        }))
    }),
    row("tcp.options.sack_perm", BIT, "The sender understands selective acknowledgments.", |v| {
        one(tcp_option(v, |option| (option == TcpOption::SackPermitted).then_some(Value::Boolean(true))))
    }),
    row("tcp.options.timestamp.tsval", U32, "The sender's clock.", |v| {
        integer(tcp_option(v, |option| match option {
            TcpOption::TimeStamp { tsval, .. } => Some(tsval),
            _ => None,
        }))
    }),
    row("tcp.options.wscale.shift", U8, "By how many bits the sender's windows are scaled.", |v| {
        integer(tcp_option(v, |option| match option {
            TcpOption::WindowScale(shift) => Some(shift),
            _ => None,
        }))
    }),
    row("tcp.payload", BYTES, "The data of a segment that carries some.", |v| bytes(tcp_payload(v))),
    row("tcp.port", U16, "Either port.", |v| {
        two(v.tcp().map(|b| (integer_value(be16(b, 0)), integer_value(be16(b, 2)))))
    }),
    row("tcp.psh", BIT, "Short for `tcp.flags.push`.", |v| flag(v.tcp(), 13, 0x08)),
    row("tcp.rst", BIT, "Short for `tcp.flags.reset`.", |v| flag(v.tcp(), 13, 0x04)),
    row("tcp.seq_raw", U32, "The sequence number as it stands.", |v| number32(v.tcp(), 4)),
    row("tcp.srcport", U16, "The sender's port.", |v| number16(v.tcp(), 0)),
    row("tcp.syn", BIT, "Short for `tcp.flags.syn`.", |v| flag(v.tcp(), 13, 0x02)),
    row("tcp.urg", BIT, "Short for `tcp.flags.urg`.", |v| flag(v.tcp(), 13, 0x20)),
    row("tcp.urgent_pointer", U16, "Where urgent data ends.", |v| number16(v.tcp(), 18)),
    row("tcp.window_size_value", U16, "The window as it stands, not scaled.", |v| number16(v.tcp(), 14)),
    row("tls", PROTOCOL, "TLS records, in a segment that begins with one.", |v| {
        bytes(tls(v).and_then(|_| tcp_payload(v)))
    }),
    row(
        "tls.alert_message.desc",
        U8,
        "What an alert is about: 0 the end, 42 a bad certificate, 45 expired, 48 an unknown CA.",
        |v| integer(tls(v).and_then(TlsRecords::alert).map(|(_, description)| description)),
    ),
    row("tls.alert_message.level", U8, "1 a warning, 2 fatal.", |v| {
        integer(tls(v).and_then(TlsRecords::alert).map(|(level, _)| level))
    }),
    row("tls.handshake", BIT, "Handshake messages that are not encrypted.", |v| {
        one(tls(v).filter(|records| records.handshakes().next().is_some()).map(|_| Value::Boolean(true)))
    }),
    row("tls.handshake.ciphersuite", U16, "The cipher suite that the server has chosen.", |v| {
        integer(tls(v).and_then(TlsRecords::server_hello).and_then(|hello| hello.cipher_suite()))
    }),
    row(
        "tls.handshake.extensions.supported_version",
        U16,
        "The version that the server has chosen: 0x0304 is 1.3.",
        |v| integer(tls(v).and_then(TlsRecords::server_hello).map(|hello| hello.chosen_version())),
    ),
    row("tls.handshake.extensions_server_name", BYTES, "Whom the client asks for.", |v| {
        bytes(tls(v).and_then(TlsRecords::client_hello).and_then(|hello| hello.server_name()))
    }),
    row(
        "tls.handshake.type",
        U8,
        "1 Client Hello, 2 Server Hello, 11 Certificate; of the first four that are not encrypted.",
        |v| {
            let mut kinds = tls(v).into_iter().flat_map(TlsRecords::handshakes).map(|message| message.kind);
            Values(std::array::from_fn(|_| integer_value(kinds.next())))
        },
    ),
    row(
        "tls.record.content_type",
        U8,
        "20 change of cipher, 21 alert, 22 handshake, 23 data; of the first four.",
        |v| {
            let mut records = tls(v).into_iter().flatten();
            Values(std::array::from_fn(|_| integer_value(records.next().map(|record| record.kind))))
        },
    ),
    row("tls.record.length", U16, "How long the first four records are.", |v| {
        let mut records = tls(v).into_iter().flatten();
        Values(std::array::from_fn(|_| integer_value(records.next().map(|record| record.length))))
    }),
    row("tls.record.version", U16, "The version that the first record names: 0x0303 is 1.2, and 1.3 too.", |v| {
        integer(tls(v).and_then(|mut records| records.next()).map(|record| record.version))
    }),
    row("udp", PROTOCOL, "A UDP datagram.", |v| bytes(v.udp())),
    row("udp.checksum.status", U2, "1 if the checksum is right, 0 if not.", |v| transport_status(v, v.udp())),
    row("udp.dstport", U16, "The receiver's port.", |v| number16(v.udp(), 2)),
    row("udp.length", U16, "The datagram's length, header included.", |v| number16(v.udp(), 4)),
    row("udp.payload", BYTES, "The data of a datagram that carries some.", |v| {
        bytes(v.udp().and_then(udp_payload).filter(|data| !data.is_empty()))
    }),
    row("udp.port", U16, "Either port.", |v| {
        two(v.udp().map(|b| (integer_value(be16(b, 0)), integer_value(be16(b, 2)))))
    }),
    row("udp.srcport", U16, "The sender's port.", |v| number16(v.udp(), 0)),
    row("vlan", PROTOCOL, "A frame with a VLAN tag.", |v| bytes(v.vlan)),
    row("vlan.etype", U16, "What stands behind the tag.", |v| number16(v.vlan, 2)),
    row("vlan.id", U12, "Which VLAN.", |v| integer(v.vlan.and_then(|b| be16(b, 0)).map(|word| word & 0x0fff))),
    row("vlan.priority", U3, "The priority of the frame, 0 to 7.", |v| {
        integer(v.vlan.and_then(|b| byte(b, 0)).map(|b| b >> 5))
    }),
];

/// Finds a field's values.
type Find = for<'a> fn(&View<'a>) -> Values<'a>;

const fn row(name: &'static str, field_type: FieldType, doc: &'static str, values: Find) -> FieldRow {
    FieldRow { name, field_type, doc, values }
}

// How values are made.

fn one(value: Option<Value<'_>>) -> Values<'_> {
    Values([value, None, None, None])
}

fn two<'a>(values: Option<(Option<Value<'a>>, Option<Value<'a>>)>) -> Values<'a> {
    values.map_or_else(Values::default, |(first, second)| Values([first, second, None, None]))
}

fn bytes(bytes: Option<&[u8]>) -> Values<'_> {
    one(bytes.map(Value::Bytes))
}

fn integer_value<'a>(number: Option<impl Into<u64>>) -> Option<Value<'a>> {
    number.map(|number| Value::Integer(number.into()))
}

fn integer<'a>(number: Option<impl Into<u64>>) -> Values<'a> {
    one(integer_value(number))
}

fn number8<'a>(bytes: Option<&'a [u8]>, at: usize) -> Values<'a> {
    integer(bytes.and_then(|bytes| byte(bytes, at)))
}

fn number16<'a>(bytes: Option<&'a [u8]>, at: usize) -> Values<'a> {
    integer(bytes.and_then(|bytes| be16(bytes, at)))
}

fn number32<'a>(bytes: Option<&'a [u8]>, at: usize) -> Values<'a> {
    integer(bytes.and_then(|bytes| be32(bytes, at)))
}

fn flag<'a>(bytes: Option<&'a [u8]>, at: usize, mask: u8) -> Values<'a> {
    one(bytes.and_then(|bytes| byte(bytes, at)).map(|byte| Value::Boolean(byte & mask != 0)))
}

fn mac<'a>(bytes: &[u8], at: usize) -> Option<Value<'a>> {
    array(bytes, at).map(Value::Mac)
}

fn ipv4_at<'a>(bytes: &[u8], at: usize) -> Option<Value<'a>> {
    be32(bytes, at).map(|address| Value::Ipv4(Ipv4Addr::from(address)))
}

fn ipv6_at<'a>(bytes: &[u8], at: usize) -> Option<Value<'a>> {
    be128(bytes, at).map(|address| Value::Ipv6(Ipv6Addr::from(address)))
}

/// The least and the greatest number in entries of 20 bytes behind a header of four, as RIP has them.
fn extremes<'a>(message: Option<&'a [u8]>, number: impl Fn(&[u8]) -> Option<u32>) -> Values<'a> {
    let entries = message.and_then(|message| message.get(4..)).unwrap_or_default().chunks_exact(20);
    let numbers = || entries.clone().filter_map(&number);
    Values([integer_value(numbers().min()), integer_value(numbers().max()), None, None])
}

// Where they stand.

/// An OSPF packet whose header is all there.
fn ospf<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let ip = ipv4(view).filter(|ip| u8::from(ip.protocol) == OSPF_PROTOCOL && ip.fragment.is_none())?;
    Some(ip.payload).filter(|packet| packet.len() >= ospf::HEADER_BYTES)
}

fn ospf_of<'a>(view: &View<'a>, kind: u8) -> Option<&'a [u8]> {
    ospf(view).filter(|packet| packet[1] == kind)
}

/// The payload of a datagram from or to a port.
fn rip<'a>(view: &View<'a>, port: u16) -> Option<&'a [u8]> {
    let udp = view.udp()?;
    let is_there = [0, 2].into_iter().any(|at| be16(udp, at) == Some(port));
    udp_payload(udp).filter(|payload| is_there && !payload.is_empty())
}

fn ipv4<'a>(view: &View<'a>) -> Option<Ip<'a>> {
    view.ip.filter(|ip| ip.source.is_ipv4())
}

fn ipv6<'a>(view: &View<'a>) -> Option<Ip<'a>> {
    view.ip.filter(|ip| ip.source.is_ipv6())
}

fn header4<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    ipv4(view).map(|ip| ip.header)
}

fn header6<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    ipv6(view).map(|ip| ip.header)
}

fn header_byte(view: &View<'_>, at: usize) -> Option<u8> {
    byte(header4(view)?, at)
}

/// The options of an IPv4 header from the first on that is not padding.
fn ip_option<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let options = header4(view)?.get(20..)?;
    let first = options.iter().position(|kind| *kind != 1)?;
    options.get(first..).filter(|option| option[0] != 0)
}

fn ip_record<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    ip_option(view).filter(|option| matches!(option[0], 7 | 68))
}

fn dhcp<'a>(view: &View<'a>) -> Option<Glimpse<'a>> {
    Glimpse::of_datagram(view.udp()?)
}

fn dhcp_option<'a>(view: &View<'a>, code: u8) -> Option<&'a [u8]> {
    dhcp(view)?.option(code)
}

fn dhcp_address<'a>(view: &View<'a>, at: usize) -> Values<'a> {
    one(dhcp(view).map(|message| Value::Ipv4(message.address(at))))
}

fn dns<'a>(view: &View<'a>) -> Option<dns::Glimpse<'a>> {
    dns::Glimpse::of_packet(&view.ip?)
}

fn dns_number<'a>(view: &View<'a>, at: usize) -> Values<'a> {
    number16(dns(view).map(dns::Glimpse::bytes), at)
}

fn dns_flag<'a>(view: &View<'a>, at: usize, mask: u8) -> Values<'a> {
    flag(dns(view).map(dns::Glimpse::bytes), at, mask)
}

fn icmp_echo<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    view.icmp().filter(|icmp| matches!(icmp.first(), Some(0 | 8)))
}

/// A BPDU that tells of a tree: a notification ends behind its type.
fn stp_tree<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    view.stp.filter(|stp| byte(stp, 3) != Some(0x80))
}

/// RFC 1191 §4: type 3, code 4 carries the next hop's MTU in what RFC 792 left unused.
fn icmp_too_big<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    view.icmp().filter(|icmp| icmp.starts_with(&[3, 4]))
}

fn icmp_redirect<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    view.icmp().filter(|icmp| icmp.first() == Some(&5))
}

fn icmpv6_of<'a>(view: &View<'a>, types: &[u8]) -> Option<&'a [u8]> {
    view.icmpv6().filter(|icmp| icmp.first().is_some_and(|found| types.contains(found)))
}

fn target(icmp: Option<&[u8]>) -> Values<'_> {
    one(icmp.and_then(|icmp| ipv6_at(icmp, 8)))
}

/// The length of the data by what the headers say, whether or not all of it is there.
fn tcp_length(view: &View<'_>) -> Option<u16> {
    let length = view.ip?.payload_claimed.checked_sub(tcp_header_bytes(view.tcp()?)?)?;
    u16::try_from(length).ok()
}

fn tcp_payload<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let tcp = view.tcp()?;
    tcp.get(tcp_header_bytes(tcp)?..).filter(|data| !data.is_empty())
}

fn http<'a>(view: &View<'a>) -> Option<HttpGlimpse<'a>> {
    HttpGlimpse::of_payload(tcp_payload(view)?)
}

fn http_header<'a>(view: &View<'a>, name: &str) -> Values<'a> {
    bytes(http(view).and_then(|message| message.header(name)))
}

fn http_request<'a>(view: &View<'a>) -> Option<(&'a str, &'a str)> {
    match http(view)?.what() {
        What::Request { method, target } => Some((method, target)),
        What::Response { .. } => None,
    }
}

fn http_response<'a>(view: &View<'a>) -> Option<(u16, &'a str)> {
    match http(view)?.what() {
        What::Request { .. } => None,
        What::Response { status, reason } => Some((status, reason)),
    }
}

fn http_is<'a>(view: &View<'a>, is_it: impl Fn(What<'_>) -> bool) -> Values<'a> {
    one(http(view).filter(|message| is_it(message.what())).map(|_| Value::Boolean(true)))
}

fn tls<'a>(view: &View<'a>) -> Option<TlsRecords<'a>> {
    TlsRecords::of_payload(tcp_payload(view)?)
}

fn tcp_option<T>(view: &View<'_>, pick: impl Fn(TcpOption<'_>) -> Option<T>) -> Option<T> {
    let tcp = view.tcp()?;
    let mut options = tcp.get(20..tcp_header_bytes(tcp)?)?;
    while let Ok((rest, option)) = TcpOption::parse(options) {
        if let Some(value) = pick(option) {
            return Some(value);
        }
        if option == TcpOption::EndOfList {
            return None;
        }
        options = rest;
    }
    None
}

/// Wireshark's numbers: 0 is bad, 1 is good; where it cannot be told, the field is absent.
fn transport_status<'a>(view: &View<'a>, transport: Option<&'a [u8]>) -> Values<'a> {
    let right = || match view.checksum {
        // Whoever looks at the bytes will find it right.
        Checksum::Pending => Some(true),
        Checksum::Complete => transport_checksum(&view.ip?),
    };
    integer(transport.and_then(|_| right()).map(u8::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_without_a_name_twice() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn every_field_is_documented_and_belongs_to_a_protocol_of_the_table() {
        for field in FIELDS {
            assert!(field.doc.ends_with('.') && !field.doc.starts_with(' '), "{field:?}");
            let protocol = FieldRow::find(field.protocol()).unwrap();
            assert_eq!(protocol.field_type, PROTOCOL, "{field:?}");
        }
    }
}
