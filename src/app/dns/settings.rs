//! What a scenario says of name servers.

use std::str::FromStr;

use bytes::Bytes;
use domain::base::Name as DomainName;
use domain::base::iana::{OptRcode, Rtype};

use super::authority::Zones;
use super::zone::Zone;
use crate::app::fields;
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Table};
use crate::wire::dns::{self, Malformed, Message, Name, Question};

/// How many zones a server may have.
const ZONES_MAX: usize = 10_000;

pub(super) const PORT: Field = Field {
    name: "port",
    form: Form::Integer { min: 1, max: 65_535 },
    need: Need::Default("53"),
    doc: "The port that it serves.",
};
pub(super) const ZONES: Field = Field {
    name: "zones",
    form: Form::Any,
    need: Need::Optional,
    doc: "A table from zones to their records, as a master file has them (RFC 1035 §5): `{ \"example.com\" = '''www A 10.0.0.80''' }`. A zone without a SOA record is given one.",
};
pub(super) const ZONE_FILES: Field = Field {
    name: "zone_files",
    form: Form::Any,
    need: Need::Optional,
    doc: "A table from zones to master files, by their paths from the scenario's folder: `{ \"example.com\" = \"example.com.zone\" }`.",
};
pub(super) const ZONE_TEXTS: Field = Field {
    name: "zone_texts",
    form: Form::Any,
    need: Need::Optional,
    doc: "What stands in the `zone_files`: put there by who has read them, so that a recording has all that it needs.",
};

/// Reads `port`.
pub(super) fn port(table: &Table<'_>) -> u16 {
    fields::port(table, "port").unwrap_or(dns::PORT)
}

/// Reads the zones; `None`: a mistake has been reported.
pub(super) fn zones(table: &Table<'_>) -> Option<Zones> {
    let mut zones = Some(Zones::default());
    for key in ["zones", "zone_texts"] {
        let Some(item) = table.item(key) else { continue };
        let texts: Table<'_> = table.get(key)?;
        if texts.entries().is_empty() {
            table.report(key, "no zone is named", "such as { \"example.com\" = \"www A 10.0.0.80\" }");
            return None;
        }
        if texts.entries().len() > ZONES_MAX {
            table.report(key, format!("{} zones", texts.entries().len()), format!("at most {ZONES_MAX}"));
            return None;
        }
        for (name, text) in texts.entries() {
            match read_zone(&name, &text) {
                Some(zone)
                    if zones.as_ref().is_some_and(|zones| zones.0.iter().any(|other| other.apex == zone.apex)) =>
                {
                    report(&item, name, "this zone is said twice", "once is enough");
                    zones = None;
                }
                Some(zone) => zones.iter_mut().for_each(|zones| zones.0.push(zone.clone())),
                None => zones = None,
            }
        }
    }
    if let Some(files) = table.get::<Table<'_>>("zone_files") {
        if files.entries().is_empty() {
            table.report("zone_files", "no file is named", "such as { \"example.com\" = \"example.com.zone\" }");
        }
        let texts: Option<Table<'_>> = table.get("zone_texts");
        for (name, _) in files.entries() {
            if !texts.as_ref().is_some_and(|texts| texts.has(name.value)) {
                let title = format!("the file of `{}` has not been read", name.value);
                report(&files.item(name.value)?, name, &title, "a scenario that is no file has no files beside it");
                zones = None;
            }
        }
    }
    zones
}

fn read_zone(name: &Located<&str>, text: &Item<'_>) -> Option<Zone> {
    let Some(apex) = read_name(name.value) else {
        report(text, name.clone(), &format!("`{}` is no domain name", name.value), "such as \"example.com\"");
        return None;
    };
    let master = text.text("the zone's records in quotes")?;
    match Zone::read(apex, master) {
        Ok(zone) => Some(zone),
        Err(what) => {
            let title = format!("the zone `{}` cannot be read: {what}", name.value);
            let diagnostic =
                Diagnostic::new(text.span.clone(), title).label("a master file (RFC 1035 §5) belongs here");
            text.reader.report(diagnostic);
            None
        }
    }
}

fn report(item: &Item<'_>, at: Located<&str>, title: &str, label: &str) {
    item.reader.report(Diagnostic::new(at.span, title).label(label));
}

/// A domain name, with or without its last dot.
pub(super) fn read_name(text: &str) -> Option<Name> {
    DomainName::<Bytes>::from_str(text).ok()
}

/// A type by its name, in whatever case, or as `TYPE65280`.
pub(super) fn read_type(text: &str) -> Option<Rtype> {
    Rtype::from_str(&text.to_uppercase()).ok().filter(|rtype| *rtype != Rtype::OPT)
}

/// The answer to what is no message, if it has a header at least.
pub(super) fn format_error(malformed: Malformed) -> Option<Vec<u8>> {
    let Malformed::Rest { id, is_response: false, opcode, wants_recursion } = malformed else { return None };
    let nothing = Question::new(DomainName::root_bytes(), Rtype::A);
    let mut reply = Message::query(id, nothing, wants_recursion, None);
    reply.questions.clear();
    (reply.opcode, reply.is_response, reply.rcode) = (opcode, true, OptRcode::FORMERR);
    Some(reply.write(dns::UDP_BYTES))
}
