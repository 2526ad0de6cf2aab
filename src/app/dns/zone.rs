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
            match file.next_entry().map_err(|error| place(&error.to_string()))? {
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
            // RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be present". At the zone's own name there
            // always is: its SOA, written or not.
            if let Some(alias) = sets.iter().find(|set| set.rtype == Rtype::CNAME)
                && (sets.len() > 1 || alias.data.len() > 1 || *name == self.apex)
            {
                let other = sets.iter().find(|set| set.rtype != Rtype::CNAME);
                let other = match other {
                    Some(set) => type_word(set.rtype),
                    None if *name == self.apex => "the zone's SOA".to_owned(),
                    None => "another CNAME".to_owned(),
                };
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
        match wildcard.filter(|wildcard| self.exists(wildcard)) {
            Some(wildcard) => Found::Here(self.names.get(&wildcard).map_or(&[], Vec::as_slice)),
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

/// `line 2: expected IPv4 address`, from the scanner's `3:1: expected IPv4 address`: it has read past the end of the line
/// when it finds the last word of it wrong.
fn place(error: &str) -> String {
    let mut parts = error.splitn(3, ':');
    let (line, column) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let what = parts.next().unwrap_or_default();
    match (line.parse::<usize>(), column) {
        (Ok(line @ 2..), "1") => format!("line {}:{what}", line - 1),
        _ => format!("line {line}:{what}"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::dns::settings::read_name;

    fn name(text: &str) -> Name {
        read_name(text).unwrap()
    }

    fn zone(text: &str) -> Zone {
        Zone::read(name("example.com"), text).unwrap()
    }

    fn wrong(text: &str) -> String {
        Zone::read(name("example.com"), text).unwrap_err()
    }

    /// How many sets a name has; `None`: it is not there, or given away.
    fn sets(zone: &Zone, text: &str) -> Option<usize> {
        match zone.find(&name(text)) {
            Found::Here(sets) => Some(sets.len()),
            Found::Delegated { .. } | Found::Nowhere => None,
        }
    }

    #[test]
    fn a_master_file_is_read_with_its_origin_ttl_and_repeated_owner() {
        let zone =
            zone("$TTL 60\n@ IN NS ns\n ; a comment\n   IN MX 10 @\n$ORIGIN sub.example.com.\nwww 30 A 10.0.0.1\n");
        assert_eq!(sets(&zone, "example.com"), Some(3));
        let mx = zone.set(&name("example.com"), Rtype::MX).unwrap();
        assert_eq!((mx.ttl.as_secs(), crate::wire::dns::data_text(&mx.data[0])), (60, "10 example.com.".to_owned()));
        assert_eq!(zone.set(&name("www.SUB.example.com"), Rtype::A).unwrap().ttl.as_secs(), 30);
    }

    #[test]
    fn a_zone_without_a_soa_record_is_given_one_that_names_its_first_server() {
        let made = zone("@ NS ns1\n@ NS ns2");
        assert_eq!(
            crate::wire::dns::data_text(made.soa().unwrap().data()),
            "ns1.example.com. hostmaster.example.com. 1 3600 600 86400 300"
        );
        let written = zone("@ 900 SOA a b 7 1 2 3 60");
        assert_eq!(written.soa().unwrap().ttl().as_secs(), 60, "RFC 2308 §3: the minimum");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(wrong("www A 10.0.0.1\nweb A 10.0.0.999"), "line 2: expected IPv4 address");
        assert!(wrong("www A 10.0.0.1\nweb Q 10.0.0.9\nx A 10.0.0.9").starts_with("line 2:"));
        assert_eq!(wrong("www.example.org. A 10.0.0.1"), "www.example.org. is not in example.com.");
        assert_eq!(wrong("www CNAME a\nwww A 10.0.0.1"), "www.example.com. has a CNAME, and beside it A");
        assert_eq!(wrong("www CNAME a\nwww CNAME b"), "www.example.com. has a CNAME, and beside it another CNAME");
        assert_eq!(wrong("@ CNAME www.example.net."), "example.com. has a CNAME, and beside it the zone's SOA");
        assert_eq!(wrong("www SOA a b 1 2 3 4 5"), "www.example.com. has a SOA record too many");
        assert!(wrong("$INCLUDE other.zone").contains("include nothing here"));
        assert!(wrong("www CH A 10.0.0.1").starts_with("line 1:"), "{}", wrong("www CH A 10.0.0.1"));
    }

    #[test]
    fn records_of_a_set_have_the_least_ttl_of_them_and_none_twice() {
        let zone = zone("www 60 A 10.0.0.1\nwww 30 A 10.0.0.2\nwww 90 A 10.0.0.1");
        let set = zone.set(&name("www.example.com"), Rtype::A).unwrap();
        assert_eq!((set.ttl.as_secs(), set.data.len()), (30, 2));
    }

    #[test]
    fn a_name_with_something_below_it_is_there_and_empty() {
        let zone = zone("a.b.c A 10.0.0.1");
        assert_eq!((sets(&zone, "b.c.example.com"), sets(&zone, "c.example.com")), (Some(0), Some(0)));
        assert_eq!(sets(&zone, "x.c.example.com"), None);
    }

    #[test]
    fn a_wildcard_stands_for_what_is_not_there_and_only_next_to_what_is() {
        // RFC 4592 §2.2.1.
        let zone = zone("*.w A 10.0.0.1\nhost.w TXT \"here\"\nsub.host.w A 10.0.0.2");
        assert_eq!(sets(&zone, "any.w.example.com"), Some(1));
        assert_eq!(sets(&zone, "any.thing.w.example.com"), Some(1));
        assert_eq!(
            sets(&zone, "x.host.w.example.com"),
            None,
            "host.w is there: the wildcard is not for what is below it"
        );
        assert_eq!(sets(&zone, "w.example.com"), Some(0), "nor for its own parent");
    }

    #[test]
    fn the_highest_delegation_on_the_way_counts() {
        let zone = zone("sub NS ns.sub\nns.sub A 10.0.0.1\ndeep.sub NS ns.deep.sub");
        for below in ["sub.example.com", "x.sub.example.com", "x.deep.sub.example.com", "ns.sub.example.com"] {
            match zone.find(&name(below)) {
                Found::Delegated { cut, .. } => assert_eq!(*cut, name("sub.example.com"), "{below}"),
                other => panic!("{below}: {other:?}"),
            }
        }
    }
}
