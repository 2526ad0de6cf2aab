//! What a handshake has agreed upon, as tools print it, and how its failures are told apart.

use std::io;

use rustls::{CommonState, Error, HandshakeKind, ProtocolVersion};

use super::wire::{TlsError, TlsFacts};
use super::x509;

/// What both sides know of a finished handshake.
pub(super) fn facts(state: &CommonState, server_name: Option<&str>) -> TlsFacts {
    let version = match state.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
    // rustls says `TLS13_AES_…` where the standard says `TLS_AES_…`.
    let cipher = suite.and_then(|suite| suite.as_str()).unwrap_or("unknown").replacen("TLS13_", "TLS_", 1);
    TlsFacts {
        version,
        cipher,
        alpn: state.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        is_resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        server_name: server_name.map(str::to_owned),
        certificate: state
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map_or_else(Vec::new, |certificate| x509::describe(certificate)),
    }
}

/// Why a handshake failed.
pub(super) fn failure(error: &io::Error) -> TlsError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error @ Error::InvalidCertificate(_)) => TlsError::Certificate(error.to_string()),
        Some(error) => TlsError::Handshake(error.to_string()),
        None => TlsError::Connection(error.to_string()),
    }
}
