//! Programs, UDP and raw sockets over the lab's wire.

mod datagrams;
mod groups;
mod misbehavior;
mod programs;
mod waiting;
mod web;

use super::{Net, RawSocket, Stack, TcpListener, TcpStream, UdpSocket};

#[test]
fn handles_may_be_shared_and_stacks_moved() {
    fn is_shareable<T: Send + Sync>() {}
    fn is_movable<T: Send>() {}
    is_shareable::<Net>();
    is_shareable::<RawSocket>();
    is_shareable::<TcpListener>();
    is_shareable::<TcpStream>();
    is_shareable::<UdpSocket>();
    is_movable::<Stack>();
}
