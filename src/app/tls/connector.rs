//! The client's side: whom it trusts.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::authority::Authority;
use super::luck::{Clock, Lucky, Secrets, with_luck};
use super::provider::provider;
use super::session;
use super::settings::{ClientSettings, versions};
use super::wire::{TlsError, TlsFacts, Wire};
use crate::net::{Net, ProgramError, TcpStream};

/// How many servers' sessions a client remembers.
const SESSIONS_MAX: usize = 256;

/// Opens encrypted connections; remembers sessions, to resume them.
#[derive(Clone)]
pub(in crate::app) struct Connector {
    net: Net,
    connector: TlsConnector,
}

impl Connector {
    /// A client that trusts whom its settings name.
    ///
    /// # Errors
    ///
    /// When an authority has a name that no certificate can hold.
    pub(in crate::app) fn new(net: &Net, settings: &ClientSettings) -> Result<Self, ProgramError> {
        let fail = |error: &dyn std::fmt::Display| ProgramError::new(error.to_string());
        let config = ClientConfig::builder_with_details(Arc::new(provider()), Arc::new(Clock::new(net)))
            .with_protocol_versions(&versions(&settings.versions))
            .map_err(|error| fail(&error))?;
        let mut roots = RootCertStore::empty();
        for name in settings.trusts.iter().filter(|name| *name != "none") {
            let authority = Authority::named(name, |name| net.common_stream(name)).map_err(|error| fail(&error))?;
            roots.add(authority.certificate()).map_err(|error| fail(&error))?;
        }
        let mut config = with_luck(net, || {
            if settings.is_insecure {
                let algorithms = provider().signature_verification_algorithms;
                let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(algorithms)));
                config.with_no_client_auth()
            } else {
                config.with_root_certificates(roots).with_no_client_auth()
            }
        });
        config.alpn_protocols = settings.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        config.key_log = Arc::new(Secrets::new(net));
        config.enable_sni = settings.says_name;
        config.resumption =
            if settings.resumes { Resumption::in_memory_sessions(SESSIONS_MAX) } else { Resumption::disabled() };
        Ok(Self { net: net.clone(), connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Shakes hands with a server that should be `host`, a name or an address.
    ///
    /// # Errors
    ///
    /// What rustls says of it.
    pub(in crate::app) async fn connect(&self, host: &str, stream: TcpStream) -> Result<(Wire, TlsFacts), TlsError> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| TlsError::Handshake(format!("`{host}` is no name of a server")))?;
        // Making a connection draws luck, and so does its first poll.
        let connecting = with_luck(&self.net, || self.connector.connect(name, stream));
        let stream = Lucky::new(&self.net, connecting).await.map_err(|error| session::failure(&error))?;
        let facts = session::facts(stream.get_ref().1, Some(host));
        Ok((Wire::Tls(Box::new(Lucky::new(&self.net, stream.into()))), facts))
    }
}

/// Believes every certificate, as `curl --insecure` does. That the server has its key is still checked.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
