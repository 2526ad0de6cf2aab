//! What the nodes promise together: stories on small networks, told by [`lab`].

mod lab;

mod arp;
mod broadcast;
mod conflict;
mod deliver;
mod dhcp;
mod ecmp;
mod firewall;
mod forward;
mod fragments;
mod hostile;
mod icmp;
mod ipv6;
mod local;
mod mss;
mod nat;
mod options;
mod path_mtu;
mod port;
mod programs;
mod quick;
mod redirect;
mod requirements;
mod routing;
mod spanning_tree;
mod switch;
mod vlan;
