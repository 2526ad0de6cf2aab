//! A TUN or TAP device: made or opened, configured, and left as it was found.
//!
//! One that is made here goes with its file descriptor, and its addresses and routes with it, however the process ends. One
//! that was there before (`ip tuntap add … user alice`) stays, and gets back what was changed about it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use rustix::io::Errno;
use smoltcp::wire::EthernetAddress;
use tun_tap::{Iface, Mode};

use super::namespace::inside;
use super::netlink::{Change, Link, Monitor, Netlink, Route};
use crate::node::Mac;
use crate::wire::Layer;

/// The name that a device gets of which none is wished: the kernel puts the first free number.
const NAME_PATTERN: &str = "hop%d";

/// Where devices come from.
const CLONE_DEVICE: &str = "/dev/net/tun";

/// How many packets of the kernel may wait for the simulation. What is lost there is lost by no link of the scenario, so
/// the queue is ten times as long as usual; a simulation that is so far behind says so.
const QUEUE_PACKETS: u32 = 5000;

/// What a device is to be like.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// The gateway, for messages.
    pub(super) node: String,
    /// `None`: the first free one of `hop0`, `hop1` ….
    pub(super) name: Option<String>,
    pub(super) layer: Layer,
    pub(super) namespace: Option<PathBuf>,
    pub(super) addresses: Vec<IpNet>,
    pub(super) mtu: usize,
    /// For a device with frames.
    pub(super) mac: [u8; 6],
    pub(super) routes: Vec<Route>,
}

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The kernel has no such devices.
    #[error("there is no {CLONE_DEVICE}, so this kernel makes no TUN or TAP devices (`modprobe tun` may help)")]
    Absent {
        /// What opening it said.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the device {name} is in use by another process")]
    Busy {
        /// The device.
        name: String,
    },
    /// It could not be made the way it is needed.
    #[error("cannot {deed}")]
    Configure {
        /// What was to be done.
        deed: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is a device of that name which is not one of these, or is of the other kind.
    #[error("{name} is not a {wanted} device: it has another mode, or is no device of this sort")]
    OtherKind {
        /// The device.
        name: String,
        /// `tun` or `tap`.
        wanted: &'static str,
    },
    /// The process may not.
    #[error("making the device {name} is not permitted\n{advice}")]
    Permission {
        /// The device.
        name: String,
        /// What to do about it.
        advice: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel has a route there already.
    #[error(
        "the kernel already has a route to {to}, and the simulated network would hide what is there\n\
         run in a network namespace of your own (`unshare --net`, `ip netns exec`), or give the scenario other addresses"
    )]
    RouteTaken {
        /// The destination.
        to: IpNet,
    },
}

/// Why a packet was not written.
#[derive(Debug)]
pub enum Refused {
    /// The kernel had no room for it.
    Busy,
    /// The device is down.
    Down,
    /// The device is no more.
    Gone,
    /// The kernel takes it for no packet.
    Malformed,
    /// Anything else.
    Other(io::Error),
}

/// What is to be undone about a device that stays.
#[derive(Debug)]
enum Undo {
    Address(IpNet),
    Mac([u8; 6]),
    Mtu(u32),
    Route(Route),
    Up,
}

/// An open device.
#[derive(Debug)]
pub struct Device {
    fd: OwnedFd,
    netlink: Netlink,
    monitor: Monitor,
    link: Link,
    layer: Layer,
    undo: Vec<Undo>,
    /// What could not be configured, for want of permission, on a device that was there before.
    left_alone: bool,
    is_gone: bool,
}

impl Device {
    /// Makes or opens a device and configures it.
    pub(super) fn open(wish: &Wish) -> Result<Self, DeviceError> {
        let deed = || {
            format!(
                "enter the network namespace {}",
                wish.namespace.as_deref().unwrap_or_else(|| Path::new("")).display()
            )
        };
        inside(wish.namespace.as_deref(), || Self::open_here(wish))
            .map_err(|source| DeviceError::Configure { deed: deed(), source })?
    }

    fn open_here(wish: &Wish) -> Result<Self, DeviceError> {
        let talk = |source| DeviceError::Configure { deed: "talk to the kernel over netlink".to_owned(), source };
        let (mut netlink, monitor) = (Netlink::open().map_err(talk)?, Monitor::open().map_err(talk)?);
        let before = match &wish.name {
            Some(name) => netlink.link(name).map_err(talk)?,
            None => None,
        };
        let mode = if wish.layer == Layer::Ip { Mode::Tun } else { Mode::Tap };
        let wanted = wish.name.as_deref().unwrap_or(NAME_PATTERN);
        let iface = Iface::without_packet_info(wanted, mode)
            .map_err(|source| refused_to_open(wish, before.is_some(), source))?;
        let name = iface.name().to_owned();
        let fd = own(iface);
        let deed = |what: &str| format!("{what} {name}");
        rustix::io::ioctl_fionbio(&fd, true).map_err(|errno| DeviceError::Configure {
            deed: deed("read without waiting from"),
            source: errno.into(),
        })?;
        let link = netlink.link(&name).map_err(talk)?;
        let link = link.ok_or_else(|| DeviceError::Configure { deed: deed("find"), source: Errno::NODEV.into() })?;
        let mut device =
            Self { fd, netlink, monitor, link, layer: wish.layer, undo: Vec::new(), left_alone: false, is_gone: false };
        match device.configure(wish, before.as_ref()) {
            Ok(()) => {
                // What was just done is no news.
                device.monitor.changes();
                Ok(device)
            }
            // Its owner has made it for us, and has configured it or not.
            Err(DeviceError::Configure { source, .. }) if before.is_some() && is_permission(&source) => {
                device.left_alone = true;
                Ok(device)
            }
            Err(error) => Err(error),
        }
    }

    /// `before` is what the device was like, if it was there.
    fn configure(&mut self, wish: &Wish, before: Option<&Link>) -> Result<(), DeviceError> {
        let (index, name, stays) = (self.link.index, self.link.name.clone(), before.is_some());
        let cannot = |deed: String| move |source| DeviceError::Configure { deed, source };
        if wish.layer == Layer::Ip {
            // A kernel without IPv6 refuses, and has nothing to say anyway.
            let _ = self.netlink.make_no_addresses(index);
        } else if self.link.mac != Some(wish.mac) {
            self.netlink.set_mac(index, wish.mac).map_err(cannot(format!("set the hardware address of {name}")))?;
            self.undo.extend(self.link.mac.filter(|_| stays).map(Undo::Mac));
        }
        if !stays {
            self.netlink.set_queue(index, QUEUE_PACKETS).map_err(cannot(format!("set the queue of {name}")))?;
        }
        let mtu = u32::try_from(wish.mtu).unwrap_or(u32::MAX);
        if self.link.mtu != Some(mtu) {
            self.netlink.set_mtu(index, mtu).map_err(cannot(format!("set the MTU of {name} to {mtu}")))?;
            self.undo.extend(self.link.mtu.filter(|_| stays).map(Undo::Mtu));
            self.link.mtu = Some(mtu);
        }
        for address in &wish.addresses {
            let result = self.netlink.add_address(index, *address, wish.layer == Layer::Ethernet);
            match result {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && stays => {}
                result => {
                    result.map_err(cannot(format!("give {name} the address {address}")))?;
                    self.undo.extend(stays.then_some(Undo::Address(*address)));
                }
            }
        }
        self.netlink.set_up(index, true).map_err(cannot(format!("take {name} up")))?;
        self.undo.extend((stays && !self.link.is_up).then_some(Undo::Up));
        self.link.is_up = true;
        for route in &wish.routes {
            match self.netlink.add_route(index, route) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // What the owner of the device has written may well be that very route.
                    if !stays {
                        return Err(DeviceError::RouteTaken { to: route.to });
                    }
                }
                result => {
                    result.map_err(cannot(format!("make a route to {} through {name}", route.to)))?;
                    self.undo.extend(stays.then_some(Undo::Route(*route)));
                }
            }
        }
        Ok(())
    }

    /// What the kernel calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.link.name
    }

    /// Whether it has packets or frames.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// Whether its owner had made it and the process may not configure it.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        self.left_alone
    }

    /// The next packet or frame from the kernel; `None` if there is none now.
    ///
    /// # Errors
    ///
    /// When the device is gone, or cannot be read.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, Refused> {
        loop {
            match rustix::io::read(&self.fd, &mut *buffer) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(refusal(errno)),
            }
        }
    }

    /// Hands the kernel a packet or frame.
    ///
    /// # Errors
    ///
    /// When it does not take it.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Refused> {
        loop {
            match rustix::io::write(&self.fd, bytes) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(refusal(errno)),
            }
        }
    }

    /// What listens for changes that somebody else makes.
    pub(super) fn monitor(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }

    /// What has changed about the device since the last call, in words; nothing if nothing has.
    pub(super) fn changes(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for change in self.monitor.changes() {
            match change {
                Change::Gone { index } if index == self.link.index => self.is_gone = true,
                Change::Is(link) if link.index == self.link.index => {
                    if let (Some(before), Some(mtu)) = (self.link.mtu, link.mtu)
                        && before != mtu
                    {
                        told.push(format!("the MTU of {} is now {mtu}; it was {before}", link.name));
                    }
                    if self.link.is_up != link.is_up {
                        told.push(format!("{} is {}", link.name, if link.is_up { "up again" } else { "down" }));
                    }
                    if self.link.name != link.name {
                        told.push(format!("{} is called {} now", self.link.name, link.name));
                    }
                    self.link = link;
                }
                Change::Gone { .. } | Change::Is(_) => {}
            }
        }
        told
    }

    /// Whether somebody has deleted it.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Follows a change of what the simulated link carries; whether that could be done.
    pub(super) fn follow_mtu(&mut self, mtu: usize) -> bool {
        let mtu = u32::try_from(mtu).unwrap_or(u32::MAX);
        let is_done = !self.left_alone && self.netlink.set_mtu(self.link.index, mtu).is_ok();
        if is_done {
            self.link.mtu = Some(mtu);
        }
        is_done
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let index = self.link.index;
        for undo in self.undo.drain(..).rev() {
            // What somebody else has undone already is as it should be.
            let _ = match undo {
                Undo::Address(address) => self.netlink.remove_address(index, address),
                Undo::Mac(mac) => self.netlink.set_mac(index, mac),
                Undo::Mtu(mtu) => self.netlink.set_mtu(index, mtu),
                Undo::Route(route) => self.netlink.remove_route(index, &route),
                Undo::Up => self.netlink.set_up(index, false),
            };
        }
    }
}

/// The device's file descriptor as something that closes itself and can be polled.
fn own(iface: Iface) -> OwnedFd {
    #[expect(unsafe_code, reason = "tun-tap hands its file descriptor out as a bare number")]
    // SAFETY: `from_raw_fd` asks for a descriptor that is open and that nobody else will close. `Iface` owns the `File` that
    // it opened, and `into_raw_fd` takes it out of the `Iface`, which is consumed, without closing it: the number is open,
    // and from here on `OwnedFd` is its only owner.
    unsafe {
        OwnedFd::from_raw_fd(iface.into_raw_fd())
    }
}

fn refusal(errno: Errno) -> Refused {
    match errno {
        Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => Refused::Busy,
        Errno::BADFD | Errno::NODEV => Refused::Gone,
        Errno::INVAL => Refused::Malformed,
        Errno::IO => Refused::Down,
        errno => Refused::Other(errno.into()),
    }
}

fn is_permission(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn refused_to_open(wish: &Wish, is_there: bool, source: io::Error) -> DeviceError {
    let name = wish.name.clone().unwrap_or_else(|| NAME_PATTERN.replace("%d", "0"));
    let wanted = if wish.layer == Layer::Ip { "tun" } else { "tap" };
    match source.kind() {
        io::ErrorKind::NotFound => DeviceError::Absent { source },
        io::ErrorKind::PermissionDenied => {
            let advice = advice(wish, &name, wanted, is_there);
            DeviceError::Permission { name, advice, source }
        }
        io::ErrorKind::ResourceBusy => DeviceError::Busy { name },
        io::ErrorKind::InvalidInput => DeviceError::OtherKind { name, wanted },
        _ => DeviceError::Configure { deed: format!("open {name} as a {wanted} device"), source },
    }
}

/// What exactly to type.
fn advice(wish: &Wish, name: &str, mode: &str, is_there: bool) -> String {
    let program = std::env::current_exe().map_or_else(|_| "hopwise".to_owned(), |path| path.display().to_string());
    let remove =
        if is_there { format!("    sudo ip link del {name}     # it is somebody else's now\n") } else { String::new() };
    let mut lines = format!(
        "  give the program the capability, once:\n    sudo setcap cap_net_admin+ep {program}\n  \
         or make the device yourself, once, and attach to it by name (`--at {}={name}`):\n{remove}    \
         sudo ip tuntap add dev {name} mode {mode} user $USER\n",
        wish.node
    );
    for address in &wish.addresses {
        lines.push_str(&format!("    sudo ip addr add {address} dev {name}\n"));
    }
    let card = match wish.layer {
        Layer::Ethernet => format!(" address {}", Mac(EthernetAddress(wish.mac))),
        Layer::Ip => String::new(),
    };
    lines.push_str(&format!("    sudo ip link set {name}{card} mtu {} up\n", wish.mtu));
    for route in &wish.routes {
        let via = route.via.map_or_else(String::new, |via| format!(" via {via}"));
        lines.push_str(&format!("    sudo ip route add {}{via} dev {name}\n", route.to));
    }
    lines.push_str("  or try it where you are root already: unshare --user --map-root-user --net");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            node: "access".into(),
            name: Some("hop7".into()),
            layer: Layer::Ip,
            namespace: None,
            addresses: vec!["10.0.0.2/24".parse().unwrap()],
            mtu: 1400,
            mac: [2, 0, 0, 0, 0, 1],
            routes: vec![Route { to: "10.0.1.0/24".parse().unwrap(), via: None, source: None }],
        }
    }

    #[test]
    fn who_may_not_make_a_device_is_told_what_to_type() {
        let error = refused_to_open(&wish(), false, Errno::PERM.into());
        let text = error.to_string();
        for line in [
            "setcap cap_net_admin+ep",
            "sudo ip tuntap add dev hop7 mode tun user $USER\n",
            "sudo ip addr add 10.0.0.2/24 dev hop7\n",
            "sudo ip link set hop7 mtu 1400 up\n",
            "sudo ip route add 10.0.1.0/24 dev hop7\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("ip link del"));
        assert!(refused_to_open(&wish(), true, Errno::PERM.into()).to_string().contains("ip link del hop7"));
    }

    #[test]
    fn each_refusal_of_the_kernel_has_its_own_words() {
        let text = |errno: Errno| refused_to_open(&wish(), true, errno.into()).to_string();
        assert!(text(Errno::NOENT).contains("/dev/net/tun"));
        assert!(text(Errno::BUSY).contains("in use by another process"));
        assert!(text(Errno::INVAL).contains("not a tun device"));
        assert!(text(Errno::NFILE).contains("open hop7"));
    }
}
