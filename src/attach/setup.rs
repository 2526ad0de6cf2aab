//! From "at that node" to an open device whose other end is a gateway.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;

use super::device::{Device, DeviceError, Wish};
use super::namespace::path_of;
use super::netlink::Route;
use crate::id::NodeId;
use crate::network::Network;
use crate::wire::Layer;

/// Linux's limit, without the zero at the end.
const DEVICE_NAME_BYTES_MAX: usize = 15;

/// Where a kernel is attached, and by what: `access`, `access=hop0`, `access=tap:hop0@blue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A node or a link of the scenario.
    pub at: String,
    /// Packets or frames; as the scenario says if left out.
    pub layer: Option<Layer>,
    /// The device's name; the first free one of `hop0`, `hop1` … if left out.
    pub device: Option<String>,
    /// The network namespace for the device: a file.
    pub namespace: Option<PathBuf>,
}

/// Why a place could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` does not say where: {why}; such as `access`, `access=hop0` or `access=tap:hop0@blue`")]
pub struct PlaceSyntaxError {
    text: String,
    why: &'static str,
}

impl FromStr for Place {
    type Err = PlaceSyntaxError;

    fn from_str(text: &str) -> Result<Self, PlaceSyntaxError> {
        let wrong = |why| PlaceSyntaxError { text: text.to_owned(), why };
        let (at, device) = text.split_once('=').map_or((text, None), |(at, device)| (at, Some(device)));
        if at.is_empty() {
            return Err(wrong("a node is missing"));
        }
        let Some(device) = device else {
            return Ok(Self { at: at.into(), layer: None, device: None, namespace: None });
        };
        let (device, namespace) =
            device.split_once('@').map_or((device, None), |(device, there)| (device, Some(there)));
        if namespace == Some("") {
            return Err(wrong("the namespace behind `@` is missing"));
        }
        let (layer, device) = match device.split_once(':') {
            Some(("tun", device)) => (Some(Layer::Ip), device),
            Some(("tap", device)) => (Some(Layer::Ethernet), device),
            Some(_) => return Err(wrong("what stands before `:` is `tun` or `tap`")),
            None => (None, device),
        };
        let is_odd = |c: char| c == '/' || c == '%' || c.is_whitespace() || c.is_control();
        if device.len() > DEVICE_NAME_BYTES_MAX || device.contains(is_odd) || device == "." || device == ".." {
            return Err(wrong("no device can have that name"));
        }
        let device = (!device.is_empty()).then(|| device.to_owned());
        Ok(Self { at: at.into(), layer, device, namespace: namespace.map(path_of) })
    }
}

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is no device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Nobody knows what the kernel is to be called.
    #[error("`{0}` has no address before the session begins: write one (`--set nodes.{0}.addr=10.0.0.2/24`)")]
    NoAddress(String),
    /// That node is none.
    #[error("`{0}` is not a gateway")]
    NotAGateway(String),
    /// Two devices at one gateway.
    #[error("`{0}` has a device already: each gateway has one")]
    Twice(String),
    /// The process cannot hear of Ctrl-C.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

/// A gateway and its device.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) device: Device,
    /// What the gateway's link carries, as far as the device knows.
    pub(super) mtu: usize,
}

/// What the kernels behind some gateways should be like.
pub(super) fn wishes(
    network: &mut Network,
    places: &[Place],
    routes: &[IpNet],
) -> Result<Vec<(NodeId, Wish)>, SetupError> {
    let mut wishes: Vec<(NodeId, Wish)> = Vec::new();
    for place in places {
        let node = network.find_node(&place.at).ok_or_else(|| SetupError::NotAGateway(place.at.clone()))?;
        if wishes.iter().any(|(other, _)| *other == node) {
            return Err(SetupError::Twice(place.at.clone()));
        }
        let wish = wish_for(network, node, place, routes)?;
        wishes.push((node, wish));
    }
    // One kernel with several devices: a subnet is reached through the device that is on it, or else through the first.
    for index in 0..wishes.len() {
        let (earlier, rest) = wishes.split_at_mut(index);
        let Some(((_, wish), later)) = rest.split_first_mut() else { break };
        let others = || earlier.iter().chain(later.iter()).map(|(_, other)| other);
        let same_kernel = |other: &&Wish| other.namespace == wish.namespace;
        let on_another: Vec<IpNet> =
            others().filter(same_kernel).flat_map(|other| &other.addresses).map(IpNet::trunc).collect();
        let routed: Vec<IpNet> = earlier
            .iter()
            .map(|(_, other)| other)
            .filter(same_kernel)
            .flat_map(|other| &other.routes)
            .map(|route| route.to)
            .collect();
        wish.routes.retain(|route| !on_another.contains(&route.to) && !routed.contains(&route.to));
    }
    Ok(wishes)
}

/// What the kernel behind a gateway should be like.
fn wish_for(network: &mut Network, node: NodeId, place: &Place, routes: &[IpNet]) -> Result<Wish, SetupError> {
    let name = network.names().node(node).to_owned();
    let machine = network.machine(node).filter(|machine| machine.gateway().is_some());
    let machine = machine.ok_or_else(|| SetupError::NotAGateway(name.clone()))?;
    let mtu = machine.mtu();
    let interface = machine.spec().interfaces.first().cloned();
    let interface = interface.ok_or_else(|| SetupError::NotAGateway(name.clone()))?;
    if interface.addresses.is_empty() {
        return Err(SetupError::NoAddress(name));
    }
    let routers: Vec<IpAddr> = machine.spec().routes.iter().filter_map(|route| route.via).collect();
    let gateway = machine.gateway_mut().expect("it was asked for above");
    if let Some(layer) = place.layer {
        gateway.set_layer(layer);
    }
    routes.iter().for_each(|route| gateway.add_reach(*route));
    let layer = gateway.spec().layer;
    let has_family = |is_v4: bool| interface.addresses.iter().find(|own| own.addr().is_ipv4() == is_v4);
    let beyond = gateway.spec().reach.iter().filter(|to| interface.addresses.iter().all(|own| own.trunc() != **to));
    let routes = beyond.filter_map(|to| {
        let source = has_family(to.addr().is_ipv4())?.addr();
        let router = routers.iter().find(|router| router.is_ipv4() == to.addr().is_ipv4()).copied();
        // Packets need no neighbor; frames do.
        let via = router.filter(|_| layer == Layer::Ethernet);
        // An address that is being checked for duplicates is no source yet.
        let source = Some(source).filter(|source| source.is_ipv4() || layer == Layer::Ip);
        Some(Route { to: *to, via, source })
    });
    Ok(Wish {
        node: name,
        name: place.device.clone(),
        layer,
        namespace: place.namespace.clone(),
        mtu,
        mac: interface.mac.0,
        routes: routes.collect(),
        addresses: interface.addresses.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_node_and_perhaps_a_device_its_kind_and_its_namespace() {
        let read = |text: &str| {
            let place: Place = text.parse().unwrap();
            (place.at, place.layer, place.device, place.namespace.map(|path| path.display().to_string()))
        };
        assert_eq!(read("access"), ("access".into(), None, None, None));
        assert_eq!(read("access=hop0"), ("access".into(), None, Some("hop0".into()), None));
        assert_eq!(read("a=tap:"), ("a".into(), Some(Layer::Ethernet), None, None));
        let blue = Some("/run/netns/blue".to_owned());
        assert_eq!(read("a=tun:t1@blue"), ("a".into(), Some(Layer::Ip), Some("t1".into()), blue));
        assert_eq!(read("a=@/proc/7/ns/net").3, Some("/proc/7/ns/net".into()));
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "a node is missing"),
            ("=hop0", "a node is missing"),
            ("a=hop0@", "the namespace"),
            ("a=veth:x", "`tun` or `tap`"),
            ("a=sixteen-letters!", "no device"),
            ("a=x/y", "no device"),
            ("a=hop%d", "no device"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
