//! Keys that several programs share, and how they are read.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::net::{Net, ProgramError};
use crate::read::{Diagnostic, Endpoint, Field, Form, Item, Located, Need, Table};

pub(super) const PORT: Field = Field {
    name: "port",
    form: Form::Integer { min: 1, max: 65_535 },
    need: Need::Required,
    doc: "The port that it serves, at all addresses of its machine.",
};
pub(super) const BACKLOG: Field = Field {
    name: "backlog",
    form: Form::Integer { min: 1, max: BACKLOG_MAX },
    need: Need::Default("128"),
    doc: "How many connections may be half open or wait to be accepted; further SYNs are dropped.",
};
pub(super) const TIMEOUT: Field = Field {
    name: "timeout",
    form: Form::Duration,
    need: Need::Optional,
    doc: "How long the whole may take, connecting included, before it is given up; TCP's own patience where absent.",
};
pub(super) const LOCAL_PORT: Field = Field {
    name: "local_port",
    form: Form::Integer { min: 1, max: 65_535 },
    need: Need::Optional,
    doc: "The port that it sends from; the machine picks one where this is absent.",
};
pub(super) const DONT_FRAGMENT: Field = Field {
    name: "dont_fragment",
    form: Form::Boolean,
    need: Need::Default("false"),
    doc: "Whether routers must refuse what is too large for the next link, rather than fragment it.",
};
pub(super) const TO: Field =
    Field { name: "to", form: Form::Endpoint, need: Need::Required, doc: "Whom to send to, with the port." };
pub(super) const FAMILY: Field = Field {
    name: "family",
    form: Form::Integer { min: 4, max: 6 },
    need: Need::Optional,
    doc: "The IP version to use, 4 or 6, where a host has addresses of both; IPv6 first, if a route leads there, where this is absent.",
};
pub(super) const TO_HOST: Field =
    Field { name: "to", form: Form::Endpoint, need: Need::Required, doc: "Whom to probe, without a port." };

/// What Linux allows by default, `net.core.somaxconn`, and more than any lesson needs.
const BACKLOG_MAX: i64 = 4096;

/// Somebody with a port, found when the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) family: Family,
}

/// Which IP version is wanted; `None`: either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family(Option<u64>);

impl Family {
    #[cfg(test)]
    pub(super) const ANY: Self = Self(None);

    /// Reads `family`.
    pub(super) fn read(table: &Table<'_>) -> Self {
        let family = integer(table, "family", 4, 6);
        if family == Some(5) {
            table.report("family", "there is no such IP version", "4 or 6");
        }
        Self(family)
    }

    /// The addresses of a host in this version, best first; at least one.
    pub(super) async fn lookup_all(self, net: &Net, host: &str) -> Result<Vec<IpAddr>, ProgramError> {
        let mut addresses = net.lookup_all(host).await.map_err(|error| lookup_failure(host, &error))?;
        addresses.retain(|address| self.0.is_none_or(|family| (family == 4) == address.is_ipv4()));
        if addresses.is_empty() {
            return Err(ProgramError::new(format!("{host}: address family for hostname not supported")));
        }
        Ok(addresses)
    }

    /// The best address of a host in this version.
    pub(super) async fn lookup(self, net: &Net, host: &str) -> Result<IpAddr, ProgramError> {
        Ok(self.lookup_all(net, host).await?[0])
    }
}

impl Target {
    /// Reads `to`, which needs a port.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        Self::read_at(table, "to")
    }

    /// Reads an endpoint, which needs a port, from another key.
    pub(super) fn read_at(table: &Table<'_>, key: &str) -> Option<Self> {
        let endpoint: Located<Endpoint> = table.need(key)?;
        match endpoint.value.port {
            Some(0) => table.report(key, "port 0 is nobody's", "a port from 1 to 65535"),
            Some(port) => return Some(Self { host: endpoint.value.host, port, family: Family::read(table) }),
            None => {
                let example = with_port(&endpoint.value.host);
                table.report(key, format!("`{key}` needs a port"), format!("such as \"{example}\""));
            }
        }
        None
    }

    /// Looks the host up.
    pub(super) async fn resolve(&self, net: &Net) -> Result<SocketAddr, ProgramError> {
        Ok(SocketAddr::new(self.family.lookup(net, &self.host).await?, self.port))
    }

    /// Looks the host up: the best address of each IP version, best first.
    pub(super) async fn resolve_both(&self, net: &Net) -> Result<Vec<SocketAddr>, ProgramError> {
        let mut addresses = self.family.lookup_all(net, &self.host).await?;
        let (best, is_ipv4) = (addresses[0], addresses[0].is_ipv4());
        let second = addresses.drain(..).find(|address| address.is_ipv4() != is_ipv4);
        let both = std::iter::once(best).chain(second);
        Ok(both.map(|address| SocketAddr::new(address, self.port)).collect())
    }
}

/// Reads `to` for a program that probes hosts, not ports.
pub(super) fn host(table: &Table<'_>) -> Option<String> {
    let endpoint: Located<Endpoint> = table.need("to")?;
    if let Some(port) = endpoint.value.port {
        table.report("to", format!("`to` has a port, {port}"), "a host alone belongs here");
        return None;
    }
    Some(endpoint.value.host)
}

/// What a program says of a name that nobody has.
pub(super) fn unknown_host(host: &str) -> ProgramError {
    ProgramError::new(format!("{host}: name or service not known"))
}

/// What a program says when a name could not be looked up.
pub(super) fn lookup_failure(host: &str, error: &io::Error) -> ProgramError {
    match error.kind() {
        io::ErrorKind::NotFound => unknown_host(host),
        _ => ProgramError::new(format!("{host}: temporary failure in name resolution")),
    }
}

/// Reads a port other than 0.
pub(super) fn port(table: &Table<'_>, key: &str) -> Option<u16> {
    let port = integer(table, key, 1, 65_535)?;
    u16::try_from(port).ok()
}

/// Reads `port`.
pub(super) fn port_needed(table: &Table<'_>) -> Option<u16> {
    let _: Option<Item<'_>> = table.need("port");
    port(table, "port")
}

/// Reads `backlog`.
pub(super) fn backlog(table: &Table<'_>) -> usize {
    let backlog = integer(table, "backlog", 1, BACKLOG_MAX.unsigned_abs()).unwrap_or(128);
    usize::try_from(backlog).expect("at most 4096")
}

/// Waits for `work`, but fails when `limit` has passed.
pub(super) async fn within(
    net: &Net,
    limit: Option<Duration>,
    work: impl Future<Output = Result<(), ProgramError>>,
) -> Result<(), ProgramError> {
    match limit {
        Some(limit) => net.timeout(limit, work).await.unwrap_or_else(|error| Err(error.into())),
        None => work.await,
    }
}

/// Reads a whole number in a range, both ends included; `None` if it is absent or wrong.
pub(super) fn integer(table: &Table<'_>, key: &str, min: u64, max: u64) -> Option<u64> {
    let number: Located<i64> = table.get(key)?;
    let fitting = u64::try_from(number.value).ok().filter(|value| (min..=max).contains(value));
    if fitting.is_none() {
        table.reader.report(
            Diagnostic::new(number.span, format!("`{}.{key}` is out of range", table.path))
                .label(format!("from {min} to {max}")),
        );
    }
    fitting
}

fn with_port(host: &str) -> String {
    if host.contains(':') { format!("[{host}]:7") } else { format!("{host}:7") }
}
