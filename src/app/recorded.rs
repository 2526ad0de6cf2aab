//! The route that a packet's header has recorded (`ping -R`): RFC 791 §3.1, "Record Route".

use std::net::Ipv4Addr;

/// The option that `ping -R` sends: a byte of padding, then room for nine addresses, which is all that a header has.
pub(super) const RECORD_ROUTE: [u8; 40] = {
    let mut option = [0; 40];
    (option[0], option[1], option[2], option[3]) = (NO_OPERATION, RECORD_ROUTE_TYPE, 39, FIRST_ENTRY);
    option
};

const NO_OPERATION: u8 = 1;
const RECORD_ROUTE_TYPE: u8 = 7;
const FIRST_ENTRY: u8 = 4;

/// The addresses that a packet's options have recorded, first station first; `None` without such an option.
pub(super) fn recorded_route(options: &[u8]) -> Option<Vec<Ipv4Addr>> {
    let mut rest = options;
    loop {
        match *rest.first()? {
            0 => return None,
            NO_OPERATION => rest = &rest[1..],
            kind => {
                let length = usize::from(*rest.get(1)?).max(2);
                let option = rest.get(..length)?;
                if kind == RECORD_ROUTE_TYPE {
                    let end = usize::from(*option.get(2)?).saturating_sub(1).min(length);
                    let (entries, _) = option.get(3..end).unwrap_or_default().as_chunks::<4>();
                    return Some(entries.iter().copied().map(Ipv4Addr::from).collect());
                }
                rest = &rest[length..];
            }
        }
    }
}

/// What `ping` prints of it behind a reply's line: a line for each station, or a remark if it is the same as the `last`.
pub(super) fn route_lines(route: &[Ipv4Addr], last: &[Ipv4Addr], label: impl Fn(Ipv4Addr) -> String) -> Vec<String> {
    if route == last {
        return vec!["        (same route)".to_owned()];
    }
    let line =
        |(index, address): (usize, &Ipv4Addr)| format!("{:<8}{}", if index == 0 { "RR:" } else { "" }, label(*address));
    route.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_recorded_is_read_up_to_the_pointer() {
        assert_eq!(recorded_route(&RECORD_ROUTE), Some(vec![]));
        let options = [1, 7, 11, 8, 10, 0, 0, 7, 9, 9, 9, 9];
        assert_eq!(recorded_route(&options), Some(vec![Ipv4Addr::new(10, 0, 0, 7)]));
        assert_eq!(recorded_route(&[148, 4, 0, 0, 7, 7, 8, 10, 0, 0, 7, 0]).unwrap().len(), 1);
        assert_eq!(recorded_route(&[148, 4, 0, 0]), None);
        assert_eq!(recorded_route(&[]), None);
    }

    #[test]
    fn a_route_is_told_once_while_it_stays_the_same() {
        let route = [Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::new(10, 0, 1, 7)];
        let lines = |last: &[Ipv4Addr]| route_lines(&route, last, |address| address.to_string());
        assert_eq!(lines(&[]), ["RR:     10.0.0.7", "        10.0.1.7"]);
        assert_eq!(lines(&route), ["        (same route)"]);
    }

    proptest! {
        #[test]
        fn no_options_are_too_strange(options in prop::collection::vec(any::<u8>(), 0..44)) {
            let _ = recorded_route(&options);
        }
    }
}
