//! A connection, encrypted or not: what HTTP is spoken over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::TcpStream;

#[cfg(feature = "tls")]
type Encrypted = super::Lucky<tokio_rustls::TlsStream<TcpStream>>;

/// A connection, encrypted or not.
#[derive(Debug)]
pub(in crate::app) enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<Encrypted>),
}

/// What was agreed upon in a handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::app) struct TlsFacts {
    /// `TLSv1.3`.
    pub(in crate::app) version: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub(in crate::app) cipher: String,
    /// `http/1.1`, if both named it.
    pub(in crate::app) alpn: Option<String>,
    /// Whether an earlier session went on, without certificates.
    pub(in crate::app) is_resumed: bool,
    /// Whom the client asked for.
    pub(in crate::app) server_name: Option<String>,
    /// What the server's certificate says, line by line, as curl prints it.
    pub(in crate::app) certificate: Vec<String>,
}

/// Why there is no encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nothing fails that is not there"))]
pub(in crate::app) enum TlsError {
    /// The certificate is not good.
    #[error("{0}")]
    Certificate(String),
    /// The connection failed below TLS.
    #[error("{0}")]
    Connection(String),
    /// Anything else in the handshake.
    #[error("{0}")]
    Handshake(String),
}

impl Wire {
    /// The connection below.
    pub(in crate::app) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.inner().get_ref().0,
        }
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! on_either {
    ($self:ident, $method:ident, $($argument:expr),*) => {
        match &mut *$self {
            Self::Plain(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(&mut **stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_either!(self, poll_read, context, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_either!(self, poll_write, context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self, poll_write_vectored, context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, poll_flush, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, poll_shutdown, context)
    }
}
