//! TLS for programs: rustls as it is published, in virtual time and with the run's luck.
//!
//! ```text
//!   program ── Wire ── Lucky<tokio_rustls stream> ── TcpStream
//!                        │ while it is polled, the program's own stream of luck is the thread's
//!   provider ── random bytes, X25519 keys ── that stream          (never the machine's)
//!   Clock ── what the calendar shows ── virtual time
//!   Secrets ── key log ── Net::reveal ── `-o keylog`, and inside every capture
//!   Authority ── Ed25519 keys ── named streams of the run's seed; certificates by rcgen
//! ```
//!
//! So the same seed gives the same handshake to the byte, and another seed another one. What would bring other luck in is
//! left out: keys other than Ed25519 (whose signatures draw nothing), key exchanges other than X25519, and the ticket
//! machinery of the crypto library (sessions are kept by the server, and resumed by their numbers).
//!
//! A program of one's own uses the same pieces: [`provider`], [`Clock`], [`Secrets`], [`Authority`] and [`Lucky`].
//!
//! Without the cargo feature `tls` only the reading of settings is here, and says so to whoever asks for TLS.

#[cfg(feature = "tls")]
mod acceptor;
#[cfg(feature = "tls")]
mod authority;
#[cfg(feature = "tls")]
mod connector;
#[cfg(feature = "tls")]
mod luck;
#[cfg(feature = "tls")]
mod provider;
#[cfg(feature = "tls")]
mod session;
mod settings;
mod wire;
#[cfg(feature = "tls")]
mod x509;

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(not(feature = "tls"))]
pub(super) use absent::{Acceptor, Connector};

#[cfg(feature = "tls")]
pub(super) use acceptor::Acceptor;
#[cfg(feature = "tls")]
pub use authority::{Authority, IssueError};
#[cfg(feature = "tls")]
pub(super) use connector::Connector;
#[cfg(feature = "tls")]
pub use luck::{Clock, Lucky, Secrets};
#[cfg(feature = "tls")]
pub use provider::provider;
pub(super) use settings::{CLIENT_FIELD, ClientSettings, SERVER_FIELD, ServerSettings};
pub(super) use wire::{TlsError, TlsFacts, Wire};

/// Whether this build can speak TLS.
pub const IS_HERE: bool = cfg!(feature = "tls");
