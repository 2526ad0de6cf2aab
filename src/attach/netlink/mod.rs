//! What the kernel is asked to do with a device: addresses, MTU, routes, up; and what it tells of it.
//!
//! Written here, over rustix's sockets, because it is a page: six requests of `rtnetlink(7)`. The crates that know all of
//! netlink take as long to build as the rest of this program's dependencies together (`ARCHITECTURE.md` has the figures),
//! and the most comfortable of them wants an asynchronous runtime.

mod message;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ipnet::IpNet;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with};

use self::message::{Request, attributes, messages, nested, u16_at, u32_at};

const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

/// A request that is to be acknowledged.
const REQUEST: u16 = 0x1 | 0x4;
/// One that makes something that is not there yet.
const CREATE: u16 = REQUEST | 0x200 | 0x400;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;

const IFF_UP: u32 = 1;
/// RFC 4862's check for duplicates makes no sense with nobody on the link.
const IFA_F_NODAD: u8 = 0x02;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;

/// Multicast groups are bits: changes of links are the first.
const GROUP_LINK: u32 = 1;

/// A datagram of answers is at most a page or so; `NLMSG_GOODSIZE` is 8 KiB.
const ANSWER_BYTES: usize = 32 << 10;

/// How many datagrams are read in search of one answer: the kernel tells nobody else's.
const ANSWERS_MAX: usize = 64;

/// What is known of a link of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mtu: Option<u32>,
    /// Its hardware address, if it has one.
    pub(super) mac: Option<[u8; 6]>,
    pub(super) is_up: bool,
}

/// What has become of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It is like this now.
    Is(Link),
    /// It is gone.
    Gone {
        /// What it was.
        index: u32,
    },
}

/// A conversation with the kernel, in the namespace in which it was begun.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// A route through a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) to: IpNet,
    /// The router on the device's link, if it has a link.
    pub(super) via: Option<IpAddr>,
    /// What the kernel calls itself on that way.
    pub(super) source: Option<IpAddr>,
}

impl Netlink {
    /// Begins one.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { socket: open(0)?, sequence: 0 })
    }

    /// The link of this name; `None` if there is none.
    pub(super) fn link(&mut self, name: &str) -> io::Result<Option<Link>> {
        let request = self.request(RTM_GETLINK, 0x1, &link_fields(0, 0, 0)).attribute(IFLA_IFNAME, &c_text(name));
        match self.ask(request) {
            Ok(Answer::Link(link)) => Ok(Some(link)),
            Ok(Answer::Done) => Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets a link's MTU.
    pub(super) fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        let request = self.request(RTM_NEWLINK, REQUEST, &link_fields(index, 0, 0));
        self.ask(request.attribute(IFLA_MTU, &mtu.to_ne_bytes())).map(drop)
    }

    /// Sets how many packets of the kernel may wait at a link.
    pub(super) fn set_queue(&mut self, index: u32, packets: u32) -> io::Result<()> {
        let request = self.request(RTM_NEWLINK, REQUEST, &link_fields(index, 0, 0));
        self.ask(request.attribute(IFLA_TXQLEN, &packets.to_ne_bytes())).map(drop)
    }

    /// Sets a link's hardware address.
    pub(super) fn set_mac(&mut self, index: u32, mac: [u8; 6]) -> io::Result<()> {
        let request = self.request(RTM_NEWLINK, REQUEST, &link_fields(index, 0, 0));
        self.ask(request.attribute(IFLA_ADDRESS, &mac)).map(drop)
    }

    /// Keeps the kernel from making a link-local address for a link, and from all that it would say in its name.
    pub(super) fn make_no_addresses(&mut self, index: u32) -> io::Result<()> {
        let mode = nested(&[(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])]);
        let families = nested(&[(u16::from(AF_INET6), &mode)]);
        let request = self.request(RTM_NEWLINK, REQUEST, &link_fields(index, 0, 0));
        self.ask(request.attribute(IFLA_AF_SPEC, &families)).map(drop)
    }

    /// Takes a link up or down.
    pub(super) fn set_up(&mut self, index: u32, is_up: bool) -> io::Result<()> {
        let flags = if is_up { IFF_UP } else { 0 };
        let request = self.request(RTM_NEWLINK, REQUEST, &link_fields(index, flags, IFF_UP));
        self.ask(request).map(drop)
    }

    /// Gives a link an address.
    pub(super) fn add_address(&mut self, index: u32, address: IpNet, checks_duplicates: bool) -> io::Result<()> {
        self.address(RTM_NEWADDR, CREATE, index, address, if checks_duplicates { 0 } else { IFA_F_NODAD })
    }

    /// Takes an address away.
    pub(super) fn remove_address(&mut self, index: u32, address: IpNet) -> io::Result<()> {
        self.address(RTM_DELADDR, REQUEST, index, address, 0)
    }

    fn address(&mut self, kind: u16, flags: u16, index: u32, address: IpNet, own_flags: u8) -> io::Result<()> {
        let [a, b, c, d] = index.to_ne_bytes();
        let fields = [family(address.addr()), address.prefix_len(), own_flags, RT_SCOPE_UNIVERSE, a, b, c, d];
        let bytes = octets(address.addr());
        let request = self.request(kind, flags, &fields).attribute(IFA_LOCAL, &bytes);
        self.ask(request.attribute(IFA_ADDRESS, &bytes)).map(drop)
    }

    /// Makes a route.
    pub(super) fn add_route(&mut self, index: u32, route: &Route) -> io::Result<()> {
        self.route(RTM_NEWROUTE, CREATE, index, route)
    }

    /// Takes a route away.
    pub(super) fn remove_route(&mut self, index: u32, route: &Route) -> io::Result<()> {
        self.route(RTM_DELROUTE, REQUEST, index, route)
    }

    fn route(&mut self, kind: u16, flags: u16, index: u32, route: &Route) -> io::Result<()> {
        let scope = if route.via.is_some() || route.to.addr().is_ipv6() { RT_SCOPE_UNIVERSE } else { RT_SCOPE_LINK };
        let fields = [
            family(route.to.addr()),
            route.to.prefix_len(),
            0,
            0,
            RT_TABLE_MAIN,
            RTPROT_STATIC,
            scope,
            RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        let mut request = self.request(kind, flags, &fields).attribute(RTA_DST, &octets(route.to.network()));
        if let Some(via) = route.via {
            request = request.attribute(RTA_GATEWAY, &octets(via));
        }
        if let Some(source) = route.source {
            request = request.attribute(RTA_PREFSRC, &octets(source));
        }
        self.ask(request.attribute(RTA_OIF, &index.to_ne_bytes())).map(drop)
    }

    fn request(&mut self, kind: u16, flags: u16, fields: &[u8]) -> Request {
        self.sequence = self.sequence.wrapping_add(1);
        Request::new(kind, flags, self.sequence, fields)
    }

    /// Sends a request and waits for its answer.
    fn ask(&mut self, request: Request) -> io::Result<Answer> {
        sendto(&self.socket, &request.finish(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut buffer = vec![0_u8; ANSWER_BYTES];
        for _ in 0..ANSWERS_MAX {
            let (length, _) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            for message in messages(&buffer[..length]).filter(|message| message.sequence == self.sequence) {
                match message.kind {
                    NLMSG_ERROR => return acknowledged(message.body),
                    RTM_NEWLINK => return link_of(message.body).map(Answer::Link).ok_or_else(nonsense),
                    _ => {}
                }
            }
        }
        Err(nonsense())
    }
}

/// What came of a request.
enum Answer {
    Done,
    Link(Link),
}

/// Hears of changes of links, without any privilege.
#[derive(Debug)]
pub(super) struct Monitor {
    socket: OwnedFd,
}

impl Monitor {
    /// Begins to listen.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { socket: open(GROUP_LINK)? })
    }

    /// What has changed since the last call.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut buffer = vec![0_u8; ANSWER_BYTES];
        // A full queue (ENOBUFS) has lost changes; the next ones are heard again.
        while let Ok((length, _)) = recv(&self.socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
            changes.extend(messages(&buffer[..length]).filter_map(|message| {
                let link = link_of(message.body)?;
                match message.kind {
                    // A bridge tells of its ports in the family of bridges.
                    RTM_NEWLINK if message.body.first() == Some(&0) => Some(Change::Is(link)),
                    RTM_DELLINK if message.body.first() == Some(&0) => Some(Change::Gone { index: link.index }),
                    _ => None,
                }
            }));
        }
        changes
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(groups: u32) -> io::Result<OwnedFd> {
    // Protocol 0 of this family is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// `struct ifinfomsg`.
fn link_fields(index: u32, flags: u32, changed: u32) -> Vec<u8> {
    [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), changed.to_ne_bytes()].concat()
}

fn link_of(body: &[u8]) -> Option<Link> {
    let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
    let (mut name, mut mtu, mut mac) = (String::new(), None, None);
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => name = String::from_utf8_lossy(value.split(|byte| *byte == 0).next()?).into_owned(),
            IFLA_ADDRESS => mac = value.try_into().ok(),
            IFLA_MTU => mtu = u32_at(value, 0),
            _ => {}
        }
    }
    Some(Link { index, name, mtu, mac, is_up: flags & IFF_UP != 0 })
}

/// `struct nlmsgerr`: zero, or a negative error number.
fn acknowledged(body: &[u8]) -> io::Result<Answer> {
    let code = u32_at(body, 0).ok_or_else(nonsense)?.cast_signed();
    debug_assert!(u16_at(body, 0).is_some(), "four bytes have two");
    if code == 0 { Ok(Answer::Done) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) }
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer over netlink makes no sense")
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn c_text(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_of_any_namespace_is_found_by_its_name_and_others_are_not() {
        // Asking needs no privilege, and changes nothing.
        let mut netlink = Netlink::open().unwrap();
        let link = netlink.link("lo").unwrap().expect("every namespace has one");
        assert_eq!((link.name.as_str(), link.index), ("lo", 1));
        assert_eq!(netlink.link("no-such-link").unwrap(), None);
    }

    #[test]
    fn an_acknowledgment_is_zero_or_an_error_number() {
        assert!(acknowledged(&0_i32.to_ne_bytes()).is_ok());
        let error = acknowledged(&(-17_i32).to_ne_bytes()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(acknowledged(&[]).is_err());
    }
}
