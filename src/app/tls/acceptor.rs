//! The server's side: certificates, and who gets which.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, IssueError, Issued, Subject, self_signed};
use super::luck::{Clock, Lucky, Secrets, with_luck};
use super::provider::provider;
use super::session;
use super::settings::{ServerSettings, versions};
use super::wire::{TlsError, TlsFacts, Wire};
use crate::net::{Net, ProgramError, TcpStream};

/// How many sessions a server remembers; the oldest is forgotten first.
const SESSIONS_MAX: usize = 256;

/// Accepts encrypted connections.
#[derive(Clone)]
pub(in crate::app) struct Acceptor {
    net: Net,
    acceptor: TlsAcceptor,
}

impl Acceptor {
    /// A server with one certificate for itself and one for each of its other names.
    ///
    /// # Errors
    ///
    /// When a certificate cannot be made: a name is none.
    pub(in crate::app) fn new(net: &Net, settings: &ServerSettings, hosts: &[String]) -> Result<Self, ProgramError> {
        let fail = |error: &dyn std::fmt::Display| ProgramError::new(error.to_string());
        let resolver = Certificates::new(net, settings, hosts).map_err(|error| fail(&error))?;
        let config = ServerConfig::builder_with_details(Arc::new(provider()), Arc::new(Clock::new(net)))
            .with_protocol_versions(&versions(&settings.versions))
            .map_err(|error| fail(&error))?;
        // Making a configuration draws luck.
        let mut config = with_luck(net, || config.with_no_client_auth().with_cert_resolver(Arc::new(resolver)));
        config.alpn_protocols = settings.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        config.key_log = Arc::new(Secrets::new(net));
        if settings.resumes {
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { net: net.clone(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    ///
    /// What rustls says of it.
    pub(in crate::app) async fn accept(&self, stream: TcpStream) -> Result<(Wire, TlsFacts), TlsError> {
        let stream = Lucky::new(&self.net, self.acceptor.accept(stream)).await;
        let stream = stream.map_err(|error| session::failure(&error))?;
        let state = stream.get_ref().1;
        let facts = session::facts(state, state.server_name());
        Ok((Wire::Tls(Box::new(Lucky::new(&self.net, stream.into()))), facts))
    }
}

/// The certificates of a server, by the name that a client asks for (RFC 6066 §3); the first for who asks for none of them.
#[derive(Debug)]
struct Certificates {
    own: Arc<CertifiedKey>,
    others: Vec<(String, Arc<CertifiedKey>)>,
}

impl Certificates {
    fn new(net: &Net, settings: &ServerSettings, hosts: &[String]) -> Result<Self, IssueError> {
        let names = if settings.names.is_empty() && settings.addresses.is_empty() {
            vec![net.host_name()]
        } else {
            settings.names.clone()
        };
        let addresses =
            if settings.names.is_empty() && settings.addresses.is_empty() { own_addresses(net) } else { Vec::new() };
        let addresses = settings.addresses.iter().copied().chain(addresses).collect();
        let subject = Subject { names, addresses, not_before: settings.not_before, not_after: settings.not_after };
        let own = certified(net, settings, &subject)?;
        let others = hosts.iter().map(|host| {
            let subject = Subject { names: vec![host.clone()], addresses: Vec::new(), ..subject.clone() };
            Ok((host.to_ascii_lowercase(), certified(net, settings, &subject)?))
        });
        Ok(Self { own, others: others.collect::<Result<_, IssueError>>()? })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let other = self.others.iter().find(|(host, _)| *host == asked);
        Some(Arc::clone(other.map_or(&self.own, |(_, certified)| certified)))
    }
}

/// The addresses of a machine's interfaces.
fn own_addresses(net: &Net) -> Vec<IpAddr> {
    let interfaces = net.interfaces().unwrap_or_default();
    interfaces.iter().flat_map(|interface| interface.addresses.iter().map(ipnet::IpNet::addr)).collect()
}

fn certified(net: &Net, settings: &ServerSettings, subject: &Subject) -> Result<Arc<CertifiedKey>, IssueError> {
    let title = subject.names.first().cloned().unwrap_or_default();
    // By what it is for, not by when it is made: a server that is started again has its old key.
    let mut luck = net.common_stream(&format!("tls key {}/{title}", net.host_name()));
    let Issued { certificate, key } = match settings.issuer.as_str() {
        "self" => self_signed(subject, &mut luck)?,
        name => Authority::named(name, |name| net.common_stream(name))?.issue(subject, &mut luck)?,
    };
    let certified = CertifiedKey::from_der(vec![certificate], key, &provider());
    Ok(Arc::new(certified.expect("the certificate was made for this key")))
}
