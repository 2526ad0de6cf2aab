//! What stands in for TLS in a build without it: nothing can be made of it, and settings that would need it are refused when
//! they are read.

use super::settings::{ClientSettings, ServerSettings};
use super::wire::{TlsError, TlsFacts, Wire};
use crate::net::{Net, ProgramError, TcpStream};

/// Never there.
#[derive(Debug, Clone)]
pub(in crate::app) enum Acceptor {}

/// Never there.
#[derive(Debug, Clone)]
pub(in crate::app) enum Connector {}

const WHY: &str = "this build speaks no TLS: it was made without the feature `tls`";

impl Acceptor {
    pub(in crate::app) fn new(_: &Net, _: &ServerSettings, _: &[String]) -> Result<Self, ProgramError> {
        Err(ProgramError::new(WHY))
    }

    #[expect(clippy::unused_async, reason = "as where TLS is")]
    pub(in crate::app) async fn accept(&self, _: TcpStream) -> Result<(Wire, TlsFacts), TlsError> {
        match *self {}
    }
}

impl Connector {
    pub(in crate::app) fn new(_: &Net, _: &ClientSettings) -> Result<Self, ProgramError> {
        Err(ProgramError::new(WHY))
    }

    #[expect(clippy::unused_async, reason = "as where TLS is")]
    pub(in crate::app) async fn connect(&self, _: &str, _: TcpStream) -> Result<(Wire, TlsFacts), TlsError> {
        match *self {}
    }
}
