//! `dns` and `resolver`: where names are asked for.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use bytes::Bytes;
use domain::base::Name;

use super::fields::RESOLVER_FIELDS;
use crate::net::{ResolverSettings, SERVERS_MAX};
use crate::read::{Diagnostic, Located, Table};

/// How many domains a search list may have: `MAXDNSRCH` of old.
const SEARCH_MAX: usize = 6;

/// The most dots that can be asked for, and the most attempts, as on Linux.
const NDOTS_MAX: u8 = 15;
const ATTEMPTS_MAX: u8 = 5;

/// Reads both keys; what is wrong is reported.
pub(super) fn read(table: &Table<'_>) -> ResolverSettings {
    let mut settings = ResolverSettings::default();
    let servers: Vec<Located<IpAddr>> = table.get("dns").unwrap_or_default();
    if servers.len() > SERVERS_MAX {
        table.report("dns", format!("{} name servers", servers.len()), format!("at most {SERVERS_MAX}"));
    }
    settings.servers = servers.into_iter().map(|server| server.value).collect();
    let Some(resolver) = table.get::<Table<'_>>("resolver") else { return settings };
    resolver.check(&[RESOLVER_FIELDS], &[]);
    let search: Vec<Located<String>> = resolver.get("search").unwrap_or_default();
    if search.len() > SEARCH_MAX {
        resolver.report("search", format!("{} domains", search.len()), format!("at most {SEARCH_MAX}"));
    }
    for domain in search {
        match Name::<Bytes>::from_str(&domain.value) {
            Ok(_) => settings.search.push(domain.value),
            Err(_) => {
                let title = format!("`{}` is no domain name", domain.value);
                resolver.reader.report(Diagnostic::new(domain.span, title).label("such as \"home.example\""));
            }
        }
    }
    settings.ndots = number(&resolver, "ndots", 0, NDOTS_MAX).unwrap_or(settings.ndots);
    settings.attempts = number(&resolver, "attempts", 1, ATTEMPTS_MAX).unwrap_or(settings.attempts);
    settings.timeout = resolver.get_or("timeout", settings.timeout);
    if settings.timeout < Duration::from_millis(1) {
        resolver.report("timeout", "no answer comes at once", "at least \"1ms\"");
    }
    settings
}

fn number(table: &Table<'_>, key: &str, min: u8, max: u8) -> Option<u8> {
    let number: Located<i64> = table.get(key)?;
    let fitting = u8::try_from(number.value).ok().filter(|value| (min..=max).contains(value));
    if fitting.is_none() {
        table.report(key, format!("`{key}` is out of range"), format!("from {min} to {max}"));
    }
    fitting
}
