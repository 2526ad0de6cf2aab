//! What a scenario says of TLS.

use std::net::IpAddr;

use super::IS_HERE;
use crate::app::calendar::Moment;
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read as _, Table};

/// The versions that can be spoken.
const VERSIONS: &[&str] = &["1.2", "1.3"];

/// How many names a certificate may have, protocols may be offered, authorities may be trusted.
const LIST_MAX: usize = 100;

const VERSIONS_FIELD: Field = Field {
    name: "versions",
    form: Form::List(&Form::OneOf(VERSIONS)),
    need: Need::Default("[\"1.2\", \"1.3\"]"),
    doc: "Which versions of TLS are spoken; the highest that both sides know is taken.",
};
const ALPN: Field = Field {
    name: "alpn",
    form: Form::List(&Form::Text),
    need: Need::Default("\"http/1.1\""),
    doc: "Which protocols are offered inside (ALPN); `[]`: none is named.",
};
const RESUMPTION: Field = Field {
    name: "resumption",
    form: Form::Boolean,
    need: Need::Default("true"),
    doc: "Whether sessions are remembered, so that a later handshake is shorter.",
};

static SERVER_FIELDS: &[Field] = &[
    Field {
        name: "names",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "Whom the certificate is for: names and addresses; the machine's own name and addresses if left out.",
    },
    Field {
        name: "issuer",
        form: Form::Text,
        need: Need::Default("scenario"),
        doc: "Who has signed it: `scenario`, whom clients trust; `self`, nobody else; or an authority by any other name.",
    },
    Field {
        name: "not_before",
        form: Form::Text,
        need: Need::Default("2020-01-01"),
        doc: "From when on it is valid: a date, or `2026-01-01 00:00:10`. Every run begins at midnight of 2026-01-01.",
    },
    Field {
        name: "not_after",
        form: Form::Text,
        need: Need::Default("2049-12-31 23:59:59"),
        doc: "Until when it is valid.",
    },
    VERSIONS_FIELD,
    ALPN,
    RESUMPTION,
];

static CLIENT_FIELDS: &[Field] = &[
    Field {
        name: "ca",
        form: Form::List(&Form::Text),
        need: Need::Default("scenario"),
        doc: "Which authorities are trusted, by the names that servers have as `issuer`; `none`: nobody.",
    },
    Field {
        name: "insecure",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether every certificate is believed, as with `curl --insecure`.",
    },
    Field {
        name: "sni",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether the server's name is said in the first message, where everybody can read it.",
    },
    VERSIONS_FIELD,
    ALPN,
    RESUMPTION,
];

/// The key `tls` of a server.
pub(in crate::app) const SERVER_FIELD: Field = Field {
    name: "tls",
    form: Form::Either(&[Form::Boolean, Form::Table(SERVER_FIELDS)]),
    need: Need::Default("false"),
    doc: "Whether connections are encrypted, or how. Each of `hosts` has a certificate of its own.",
};

/// The key `tls` of a client.
pub(in crate::app) const CLIENT_FIELD: Field =
    Field { name: "tls", form: Form::Table(CLIENT_FIELDS), need: Need::Optional, doc: "How `https` is spoken." };

/// How a server speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) struct ServerSettings {
    pub(super) names: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) issuer: String,
    pub(super) not_before: Option<Moment>,
    pub(super) not_after: Option<Moment>,
    pub(super) versions: Vec<&'static str>,
    pub(super) alpn: Vec<String>,
    pub(super) resumes: bool,
}

/// How a client speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) struct ClientSettings {
    pub(super) trusts: Vec<String>,
    pub(super) is_insecure: bool,
    pub(super) says_name: bool,
    pub(super) versions: Vec<&'static str>,
    pub(super) alpn: Vec<String>,
    pub(super) resumes: bool,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            addresses: Vec::new(),
            issuer: "scenario".to_owned(),
            not_before: None,
            not_after: None,
            versions: VERSIONS.to_vec(),
            alpn: vec!["http/1.1".to_owned()],
            resumes: true,
        }
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            trusts: vec!["scenario".to_owned()],
            is_insecure: false,
            says_name: true,
            versions: VERSIONS.to_vec(),
            alpn: vec!["http/1.1".to_owned()],
            resumes: true,
        }
    }
}

impl ServerSettings {
    /// Reads `tls`: `None` if there is none, or something is wrong with it, which has then been reported.
    pub(in crate::app) fn read(table: &Table<'_>) -> Option<Self> {
        let item = table.item("tls")?;
        if item.value.as_bool() == Some(false) {
            return None;
        }
        if !is_here(&item) {
            return None;
        }
        if item.value.as_bool() == Some(true) {
            return Some(Self::default());
        }
        let tls = Table::read(&item)?;
        tls.check(&[SERVER_FIELDS], &[]);
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        for name in texts(&tls, "names") {
            match name.value.parse::<IpAddr>() {
                Ok(address) => addresses.push(address),
                Err(_) if is_name(&name.value) => names.push(name.value),
                Err(_) => {
                    let title = format!("`{}` is no name that a certificate can hold", name.value);
                    let label = "such as \"www.example.com\", \"*.example.com\" or an address";
                    tls.reader.report(Diagnostic::new(name.span, title).label(label));
                }
            }
        }
        let (not_before, not_after) = (Moment::read(&tls, "not_before"), Moment::read(&tls, "not_after"));
        if let (Some(from), Some(until)) = (not_before, not_after)
            && from > until
        {
            tls.report("not_after", "the certificate would end before it begins", "later than `not_before`");
        }
        let issuer: Located<String> =
            tls.get("issuer").unwrap_or_else(|| Located { value: "scenario".to_owned(), span: tls.span.clone() });
        if !is_plain(&issuer.value) || issuer.value == "none" {
            tls.report(
                "issuer",
                format!("`{}` is no name of an authority", issuer.value),
                "letters, digits, `-` and spaces",
            );
        }
        Some(Self {
            names,
            addresses,
            issuer: issuer.value,
            not_before,
            not_after,
            versions: read_versions(&tls),
            alpn: read_alpn(&tls),
            resumes: tls.get_or("resumption", true),
        })
    }
}

impl ClientSettings {
    /// Reads `tls`, if it is there.
    pub(in crate::app) fn read(table: &Table<'_>) -> Self {
        let Some(item) = table.item("tls").filter(is_here) else { return Self::default() };
        let Some(tls) = Table::read(&item) else { return Self::default() };
        tls.check(&[CLIENT_FIELDS], &[]);
        let mut trusts = Vec::new();
        for name in texts(&tls, "ca") {
            if is_plain(&name.value) && name.value != "self" {
                trusts.push(name.value);
            } else {
                let title = format!("`{}` is no name of an authority", name.value);
                tls.reader.report(Diagnostic::new(name.span, title).label("letters, digits, `-` and spaces"));
            }
        }
        if !tls.has("ca") {
            trusts = Self::default().trusts;
        }
        Self {
            trusts,
            is_insecure: tls.get_or("insecure", false),
            says_name: tls.get_or("sni", true),
            versions: read_versions(&tls),
            alpn: read_alpn(&tls),
            resumes: tls.get_or("resumption", true),
        }
    }
}

/// Whether this build can do what is asked for; if not, that is reported where it was asked for.
fn is_here(item: &Item<'_>) -> bool {
    if !IS_HERE {
        item.reader.report(
            Diagnostic::new(item.span.clone(), "this build of hopwise speaks no TLS")
                .label("it was made without the feature `tls`")
                .note("cargo install --path . has it by default"),
        );
    }
    IS_HERE
}

fn texts(table: &Table<'_>, key: &str) -> Vec<Located<String>> {
    let texts: Vec<Located<String>> = table.get(key).unwrap_or_default();
    if texts.len() > LIST_MAX {
        table.report(key, format!("`{key}` has {} entries", texts.len()), format!("at most {LIST_MAX}"));
        return Vec::new();
    }
    texts
}

fn read_versions(table: &Table<'_>) -> Vec<&'static str> {
    if !table.has("versions") {
        return VERSIONS.to_vec();
    }
    let mut known = Vec::new();
    for version in texts(table, "versions") {
        match VERSIONS.iter().find(|known| **known == version.value) {
            Some(version) => known.push(*version),
            None => {
                let title = format!("there is no TLS {}", version.value);
                let diagnostic =
                    Diagnostic::new(version.span, title).not_among(&version.value, VERSIONS.iter().copied());
                table.reader.report(diagnostic);
            }
        }
    }
    if known.is_empty() {
        table.report("versions", "no version is left to speak", "\"1.2\", \"1.3\" or both");
        return VERSIONS.to_vec();
    }
    known
}

fn read_alpn(table: &Table<'_>) -> Vec<String> {
    if !table.has("alpn") {
        return vec!["http/1.1".to_owned()];
    }
    let names = texts(table, "alpn").into_iter();
    names
        .filter_map(|name| {
            // RFC 7301 §3.1: "Empty strings MUST NOT be included and byte strings MUST NOT be truncated", with a length of 8 bits.
            let is_right = (1..=255).contains(&name.value.len());
            if !is_right {
                let title = "a protocol's name has 1 to 255 bytes";
                table.reader.report(Diagnostic::new(name.span.clone(), title).label("such as \"http/1.1\""));
            }
            is_right.then_some(name.value)
        })
        .collect()
}

/// Whether a certificate can be for it: a domain name whose first label may be `*`.
fn is_name(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let rest = if labels.len() > 1 && labels[0] == "*" { &labels[1..] } else { &labels[..] };
    name.len() <= 253 && rest.iter().all(|label| is_label(label))
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' ');
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

/// These versions as rustls has them.
#[cfg(feature = "tls")]
pub(super) fn versions(wanted: &[&str]) -> Vec<&'static rustls::SupportedProtocolVersion> {
    let all = [("1.3", &rustls::version::TLS13), ("1.2", &rustls::version::TLS12)];
    all.into_iter().filter(|(name, _)| wanted.contains(name)).map(|(_, version)| version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hosts_and_one_star_in_front() {
        for name in ["server", "www.example.com", "*.example.com", "a_b", "x1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "*", "a..b", "-a", "a-", "www.*.com", "a b", "é", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
