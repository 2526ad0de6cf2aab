//! The stub resolver: which names are tried, who is asked, how often, and what the answer is.
//!
//! ```text
//!  www            ndots 1: search list first: www.home.example., then www.
//!  www.home       as it stands first: www.home., then www.home.home.example.
//!  www.home.      as it stands, and nothing else
//! ```
//!
//! Each name is asked for in both IP versions at once, in those that the machine has an address of. A server that does not
//! answer, or cannot, leaves the question to the next one; that there is no such name is an answer.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::str::FromStr as _;
use std::task::Poll;

use bytes::Bytes;
use domain::base::Name as DomainName;
use domain::base::iana::{OptRcode, Rtype};
use domain::base::name::{RelativeName, ToName as _};

use super::super::{Local, Net};
use super::exchange::{ask_by_tcp, ask_by_udp};
use super::settings::Resolv;
use crate::wire::dns::{Data, Message, Name, PORT, Question};

/// How many aliases of an answer are followed.
const ALIASES_MAX: usize = 16;

/// What the servers say of one name.
enum Said {
    Addresses(Vec<IpAddr>),
    /// There is no such name, or it has no address.
    Nothing,
}

impl Net {
    /// Asks name servers for a host's addresses; `NotFound` if there are none to ask.
    pub(crate) async fn ask_name_servers(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let resolv = self.resolv();
        if resolv.servers.is_empty() {
            return Err(unknown(host));
        }
        let families = self.families();
        for name in resolv.candidates(host) {
            match self.ask_for(&name, &resolv, families).await {
                Ok(Said::Addresses(addresses)) => return Ok(addresses),
                Ok(Said::Nothing) => {}
                // What nobody could say of one name cannot be found out by asking for others.
                Err(error) => {
                    let text = format!("no name server could say who `{host}` is: {error}");
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
        Err(unknown(host))
    }

    /// Where names are asked for now.
    pub(crate) fn resolv(&self) -> Resolv {
        self.core(|core| Resolv::of(&core.resolver, &core.resolvers))
    }

    /// An id for a query, from the machine's own stream of luck.
    fn query_id(&self) -> u16 {
        u16::try_from(self.core(|core| core.resolver_luck.below(65_536))).unwrap_or_default()
    }

    /// The types of address that are worth asking for.
    fn families(&self) -> [Option<Rtype>; 2] {
        let interfaces = self.interfaces().unwrap_or_default();
        let has = |is_wanted: fn(&IpAddr) -> bool| {
            interfaces.iter().flat_map(|one| &one.addresses).any(|net| is_wanted(&net.addr()))
        };
        // Whatever answers the questions is reached by one of them, so that at least one is there.
        [has(IpAddr::is_ipv4).then_some(Rtype::A), has(IpAddr::is_ipv6).then_some(Rtype::AAAA)]
    }

    async fn ask_for(&self, name: &Name, resolv: &Resolv, families: [Option<Rtype>; 2]) -> io::Result<Said> {
        let [first, second] = families.map(|rtype| async move {
            match rtype {
                Some(rtype) => Some(self.ask_in_turn(Question::new(name.clone(), rtype), resolv).await),
                None => None,
            }
        });
        let replies = both(first, second).await;
        let mut addresses = Vec::new();
        let mut failure = None;
        for reply in replies.into_iter().flatten() {
            match reply {
                Ok(message) => addresses.extend(addresses_of(name, &message)),
                Err(error) => failure = Some(error),
            }
        }
        match (addresses.is_empty(), failure) {
            (false, _) => Ok(Said::Addresses(addresses)),
            (true, Some(error)) => Err(error),
            (true, None) => Ok(Said::Nothing),
        }
    }

    /// Asks one server after the other until one answers.
    async fn ask_in_turn(&self, question: Question, resolv: &Resolv) -> io::Result<Message> {
        let mut failure = io::Error::from(io::ErrorKind::TimedOut);
        for _ in 0..resolv.attempts {
            for server in &resolv.servers {
                let server = SocketAddr::new(*server, PORT);
                let query = Message::query(self.query_id(), question.clone(), true, None);
                let mut reply = ask_by_udp(self, Local::ANY, server, &query, resolv.timeout, |_| {}).await;
                // RFC 2181 §9: "When a DNS client receives a reply with TC set, it should ignore that response, and query
                // again, using a mechanism, such as a TCP connection, that will permit larger replies."
                if reply.as_ref().is_ok_and(|reply| reply.message.is_truncated) {
                    reply = ask_by_tcp(self, server, &query, resolv.timeout).await;
                }
                match reply {
                    Ok(reply) if matches!(reply.message.rcode, OptRcode::NOERROR | OptRcode::NXDOMAIN) => {
                        return Ok(reply.message);
                    }
                    Ok(_) => failure = io::Error::other("the server could not answer"),
                    Err(error) => failure = error,
                }
            }
        }
        Err(failure)
    }
}

/// The error for a name that nobody has.
fn unknown(host: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no host is called `{host}`"))
}

impl Resolv {
    /// Under which full names a host is looked for, in this order; none if it is no name.
    pub(crate) fn candidates(&self, host: &str) -> Vec<Name> {
        let Ok(itself) = DomainName::<Bytes>::from_str(host) else { return Vec::new() };
        if host.ends_with('.') {
            return vec![itself];
        }
        let within = |domain: &String| {
            let relative = RelativeName::<Bytes>::from_str(host).ok()?;
            let domain = DomainName::<Bytes>::from_str(domain).ok()?;
            Some(relative.chain(domain).ok()?.to_name())
        };
        let mut names: Vec<Name> = self.search.iter().filter_map(within).collect();
        let dots = host.bytes().filter(|byte| *byte == b'.').count();
        let at = if dots >= usize::from(self.ndots) { 0 } else { names.len() };
        names.insert(at, itself);
        names
    }
}

/// The addresses that a message has of a name, or of what that is an alias of.
fn addresses_of(name: &Name, message: &Message) -> Vec<IpAddr> {
    let mut name = name.clone();
    for _ in 0..ALIASES_MAX {
        let of_name = message.answers.iter().filter(|record| *record.owner() == name);
        let addresses: Vec<IpAddr> = of_name
            .clone()
            .filter_map(|record| match record.data() {
                Data::A(address) => Some(address.addr().into()),
                Data::Aaaa(address) => Some(address.addr().into()),
                _ => None,
            })
            .collect();
        let alias = of_name.into_iter().find_map(|record| match record.data() {
            Data::Cname(alias) => Some(alias.cname().clone()),
            _ => None,
        });
        match alias {
            Some(alias) if addresses.is_empty() => name = alias,
            _ => return addresses,
        }
    }
    Vec::new()
}

/// Waits for both, at the same time.
async fn both<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> [T; 2] {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none()
            && let Poll::Ready(value) = first.as_mut().poll(context)
        {
            one = Some(value);
        }
        if other.is_none()
            && let Poll::Ready(value) = second.as_mut().poll(context)
        {
            other = Some(value);
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready([one, other]),
            (waiting, waiting_too) => {
                (one, other) = (waiting, waiting_too);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use domain::base::Ttl;
    use domain::base::iana::Class;
    use domain::rdata::{A, Cname};

    use super::*;
    use crate::net::ResolverSettings;
    use crate::wire::dns::{Record, name_text};

    fn tried(host: &str, search: &[&str], ndots: u8) -> Vec<String> {
        let search = search.iter().map(|domain| (*domain).to_owned()).collect();
        let settings = ResolverSettings { search, ndots, ..ResolverSettings::default() };
        Resolv::of(&settings, &Default::default()).candidates(host).iter().map(name_text).collect()
    }

    #[test]
    fn a_name_with_enough_dots_is_tried_as_it_stands_first_and_a_full_one_alone() {
        let search = ["lab.example", "example."];
        assert_eq!(tried("www", &search, 1), ["www.lab.example.", "www.example.", "www."]);
        assert_eq!(tried("www.lab", &search, 1), ["www.lab.", "www.lab.lab.example.", "www.lab.example."]);
        assert_eq!(tried("www.lab", &search, 2), ["www.lab.lab.example.", "www.lab.example.", "www.lab."]);
        assert_eq!(tried("www.", &search, 1), ["www."]);
        assert_eq!(tried("www", &[], 1), ["www."]);
        let too_long = "x".repeat(64);
        assert!(tried(&too_long, &search, 1).is_empty() && tried("a..b", &search, 1).is_empty());
    }

    #[test]
    fn written_servers_go_before_learned_ones_and_three_are_enough() {
        use crate::net::control::Resolver;
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let learned = Resolver { servers: (1..=5).map(address).collect(), domain: Some("home".to_owned()) };
        let learned = std::iter::once((0, learned)).collect();
        let nothing = Resolv::of(&ResolverSettings::default(), &learned);
        assert_eq!((nothing.servers, nothing.search), ((1..=3).map(address).collect(), vec!["home".to_owned()]));
        let written = ResolverSettings { servers: vec![address(9)], ..ResolverSettings::default() };
        assert_eq!(Resolv::of(&written, &learned).servers, [address(9)]);
    }

    #[test]
    fn addresses_are_those_of_the_end_of_the_chain_and_a_circle_has_none() {
        let name = |text: &str| DomainName::<Bytes>::bytes_from_str(text).unwrap();
        let record = |owner: &str, data: Data| Record::new(name(owner), Class::IN, Ttl::from_secs(1), data);
        let alias = |owner: &str, target: &str| record(owner, Cname::new(name(target)).into());
        let address = |owner: &str, last| record(owner, A::from_octets(10, 0, 0, last).into());
        let query = Message::query(7, Question::new(name("a"), Rtype::A), true, None);
        let mut reply = query.answer(OptRcode::NOERROR);
        reply.answers = vec![address("x", 9), alias("a", "b"), alias("b", "c"), address("c", 1), address("c", 2)];
        assert_eq!(addresses_of(&name("a"), &reply), [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])]);
        reply.answers = vec![alias("a", "b"), alias("b", "a"), address("c", 1)];
        assert!(addresses_of(&name("a"), &reply).is_empty());
    }
}
