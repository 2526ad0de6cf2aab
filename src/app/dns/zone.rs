//! A zone: what one authority knows, as a master file (RFC 1035 §5) says it.
//!
//! Names are kept in canonical order (RFC 4034 §6.1), in which everything below a name follows it: so a name that has no
//! records but something below it, which exists all the same, is found without being stored.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::name::{FlattenInto, Label, ToName};
use domain::base::{Name as DomainName, RecordData as _, Serial, Ttl};
use domain::rdata::{Cname, Mx, Ns, Ptr, Soa, Srv};
use domain::zonefile::inplace::{Entry, Zonefile};

use crate::wire::dns::{Data, Name, Record, name_text, type_word};

/// How many records a zone may have.
const RECORDS_MAX: usize = 100_000;

/// What is said of the zone itself if its text has no SOA record: refresh, retry, expire, and how long negative answers
/// are kept.
const SOA_TIMES: [u32; 4] = [3600, 600, 86_400, 300];

/// All records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) rtype: Rtype,
    pub(super) ttl: Ttl,
    pub(super) data: Vec<Data>,
}

impl Set {
    /// Its records, as those of `owner`.
    pub(super) fn records(&self, owner: &Name) -> impl Iterator<Item = Record> {
        self.data.iter().map(move |data| Record::new(owner.clone(), Class::IN, self.ttl, data.clone()))
    }
}

/// A zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    pub(super) apex: Name,
    /// Names as they were first written.
    names: BTreeMap<Name, Vec<Set>>,
}

/// Where a name is in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'z> {
    /// It has these sets, perhaps none; the name is the one that the zone has, which may be a wildcard.
    Here(&'z [Set]),
    /// It is, or is below, a name that was given away.
    Delegated { cut: &'z Name, servers: &'z Set },
    /// There is no such name.
    Nowhere,
}

impl Zone {
    /// Reads a master file. Relative names are those of the zone.
    ///
    /// # Errors
    ///
    /// What is wrong, with the line of the text.
    pub(super) fn read(apex: Name, text: &str) -> Result<Self, String> {
        let mut file = Zonefile::with_capacity(text.len() + 1);
        file.extend_from_slice(text.as_bytes());
        // The last line need not end.
        file.extend_from_slice(b"\n");
        file.set_origin(apex.clone());
        file.set_default_class(Class::IN);
        let mut zone = Self { apex, names: BTreeMap::new() };
        for count in 0.. {
            match file.next_entry().map_err(|error| format!("line {error}"))? {
                None => break,
                Some(Entry::Include { path, .. }) => return Err(format!("`$INCLUDE {path}`: include nothing here")),
                Some(Entry::Record(_)) if count == RECORDS_MAX => {
                    return Err(format!("more than {RECORDS_MAX} records"));
                }
                Some(Entry::Record(record)) => {
                    if record.class() != Class::IN {
                        return Err(format!("{} is of class {}: only IN is served", record.owner(), record.class()));
                    }
                    let (ttl, owner) = (record.ttl(), flat(record.owner()));
                    zone.add(owner, ttl, with_origins(record.into_data().flatten_into()))?;
                }
            }
        }
        zone.complete()
    }

    fn add(&mut self, owner: Name, ttl: Ttl, data: Data) -> Result<(), String> {
        if !owner.ends_with(&self.apex) {
            return Err(format!("{} is not in {}", name_text(&owner), name_text(&self.apex)));
        }
        let rtype = data.rtype();
        let sets = match self.names.entry(owner) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) => place.insert(Vec::new()),
        };
        match sets.iter_mut().find(|set| set.rtype == rtype) {
            // RFC 2181 §5.2: "the TTLs of all RRs in an RRSet must be the same": the least of them holds for all.
            Some(set) => {
                set.ttl = set.ttl.min(ttl);
                if !set.data.contains(&data) {
                    set.data.push(data);
                }
            }
            None => sets.push(Set { rtype, ttl, data: vec![data] }),
        }
        Ok(())
    }

    /// Checks what only the whole shows, and adds a SOA record if there is none.
    fn complete(mut self) -> Result<Self, String> {
        for (name, sets) in &self.names {
            // RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be present".
            if let Some(alias) = sets.iter().find(|set| set.rtype == Rtype::CNAME)
                && (sets.len() > 1 || alias.data.len() > 1)
            {
                let other = sets.iter().find(|set| set.rtype != Rtype::CNAME);
                let other = other.map_or_else(|| "another CNAME".to_owned(), |set| type_word(set.rtype));
                return Err(format!("{} has a CNAME, and beside it {other}", name_text(name)));
            }
            if let Some(set) = sets.iter().find(|set| set.rtype == Rtype::SOA)
                && (*name != self.apex || set.data.len() > 1)
            {
                return Err(format!("{} has a SOA record too many", name_text(name)));
            }
        }
        if self.set(&self.apex, Rtype::SOA).is_none() {
            let server = self.set(&self.apex, Rtype::NS).and_then(|set| match set.data.first() {
                Some(Data::Ns(server)) => Some(server.nsdname().clone()),
                _ => None,
            });
            let [refresh, retry, expire, minimum] = SOA_TIMES.map(Ttl::from_secs);
            let server = server.unwrap_or_else(|| self.apex.clone());
            let mailbox = child(&self.apex, b"hostmaster").unwrap_or_else(|| self.apex.clone());
            let soa = Soa::new(server, mailbox, Serial::from(1), refresh, retry, expire, minimum);
            self.add(self.apex.clone(), minimum, soa.into())?;
        }
        Ok(self)
    }

    /// The set of a name and type, as it is stored.
    pub(super) fn set(&self, name: &Name, rtype: Rtype) -> Option<&Set> {
        self.names.get(name)?.iter().find(|set| set.rtype == rtype)
    }

    /// The SOA record, as it stands in negative answers.
    pub(super) fn soa(&self) -> Option<Record> {
        let set = self.set(&self.apex, Rtype::SOA)?;
        let Some(Data::Soa(soa)) = set.data.first() else { return None };
        // RFC 2308 §3: "The TTL of this record is set from the minimum of the MINIMUM field of the SOA record and the TTL
        // of the SOA itself".
        let ttl = set.ttl.min(soa.minimum());
        Some(Record::new(self.apex.clone(), Class::IN, ttl, Data::Soa(soa.clone())))
    }

    /// Finds a name: RFC 1034 §4.3.2, step 3.
    pub(super) fn find(&self, name: &Name) -> Found<'_> {
        if let Some(delegated) = self.cut(name) {
            return delegated;
        }
        if let Some(sets) = self.names.get(name) {
            return Found::Here(sets);
        }
        if self.has_below(name) {
            return Found::Here(&[]);
        }
        // RFC 4592 §3.3.1: the closest encloser is the nearest ancestor that exists; its wildcard is the source of
        // synthesis.
        let encloser = name.iter_suffixes().skip(1).find(|suffix| self.exists(suffix));
        let wildcard = encloser.and_then(|encloser| child(&encloser, Label::wildcard().as_slice()));
        match wildcard.and_then(|wildcard| self.names.get(&wildcard)) {
            Some(sets) => Found::Here(sets),
            None => Found::Nowhere,
        }
    }

    /// The highest name between the zone's own and this one, itself included, that was given away.
    fn cut(&self, name: &Name) -> Option<Found<'_>> {
        let depth = name.label_count().checked_sub(self.apex.label_count())?;
        let mut above: Vec<Name> = name.iter_suffixes().take(depth).collect();
        above.reverse();
        let mut given = above.iter().filter_map(|suffix| self.names.get_key_value(suffix));
        given.find_map(|(cut, sets)| {
            let servers = sets.iter().find(|set| set.rtype == Rtype::NS)?;
            Some(Found::Delegated { cut, servers })
        })
    }

    fn exists(&self, name: &Name) -> bool {
        self.names.contains_key(name) || self.has_below(name)
    }

    fn has_below(&self, name: &Name) -> bool {
        let next = self.names.range::<Name, _>(name..).find(|(other, _)| *other != name);
        next.is_some_and(|(other, _)| other.ends_with(name))
    }

    /// Every record, the SOA first: what a transfer sends.
    pub(super) fn records(&self) -> Vec<Record> {
        let all = self.names.iter().flat_map(|(name, sets)| sets.iter().flat_map(move |set| set.records(name)));
        let mut records: Vec<Record> = all.collect();
        records.sort_by_key(|record| record.rtype() != Rtype::SOA);
        records
    }
}

/// RFC 1035 §5.1: "A free standing @ is used to denote the current origin." The scanner does so at the beginning of a
/// line; what stands in the data of a record it takes for a label, which is put right here.
fn with_origins(data: Data) -> Data {
    let name = |name: &Name| match name.first().as_slice() {
        b"@" => name.parent().unwrap_or_else(|| name.clone()),
        _ => name.clone(),
    };
    match data {
        Data::Cname(data) => Cname::new(name(data.cname())).into(),
        Data::Mx(data) => Mx::new(data.preference(), name(data.exchange())).into(),
        Data::Ns(data) => Ns::new(name(data.nsdname())).into(),
        Data::Ptr(data) => Ptr::new(name(data.ptrdname())).into(),
        Data::Soa(data) => {
            let (server, mailbox) = (name(data.mname()), name(data.rname()));
            let [refresh, retry] = [data.refresh(), data.retry()];
            Soa::new(server, mailbox, data.serial(), refresh, retry, data.expire(), data.minimum()).into()
        }
        Data::Srv(data) => Srv::new(data.priority(), data.weight(), data.port(), name(data.target())).into(),
        other => other,
    }
}

/// The name one label below; `None` if that would be too long.
pub(super) fn child(name: &Name, label: &[u8]) -> Option<Name> {
    let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
    let octets: Vec<u8> =
        std::iter::once(length).chain(label.iter().copied()).chain(name.as_slice().iter().copied()).collect();
    DomainName::from_octets(Bytes::from(octets)).ok()
}

fn flat(name: &impl ToName) -> Name {
    name.to_name()
}
