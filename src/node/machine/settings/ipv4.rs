//! How a machine treats IPv4 where the standards let it choose: the keys of its table that say so.

use std::time::Duration;

use super::fields::ICMP_LIMIT_FIELDS;
use crate::node::machine::ipv4_settings::{IcmpLimit, Ipv4Settings};
use crate::read::Table;

/// RFC 1191 §3: "An attempt to detect an increase ... MUST NOT be done less than 5 minutes after a Datagram Too Big message
/// has been received".
const PATH_MTU_AGE_MIN: Duration = Duration::from_secs(300);

/// Reads them; what is left out is as in `default`.
pub(super) fn ipv4(table: &Table<'_>, default: &Ipv4Settings) -> Ipv4Settings {
    Ipv4Settings {
        sends_errors: table.get_or("icmp_errors", default.sends_errors),
        error_limit: icmp_limit(table, default.error_limit),
        sends_redirects: table.get_or("send_redirects", default.sends_redirects),
        accepts_redirects: table.get_or("accept_redirects", default.accepts_redirects),
        forwards_directed_broadcasts: table.get_or("forward_broadcasts", default.forwards_directed_broadcasts),
        checks_sources: table.get_or("check_source", default.checks_sources),
        clamps_mss: table.get_or("clamp_mss", default.clamps_mss),
        path_mtu_age: path_mtu_age(table, default.path_mtu_age),
    }
}

fn path_mtu_age(table: &Table<'_>, default: Duration) -> Duration {
    let age = table.get_or("path_mtu_age", default);
    if !age.is_zero() && age < PATH_MTU_AGE_MIN {
        let title = "a path is not asked again that soon after it was found narrow";
        table.report("path_mtu_age", title, "at least \"300s\", or \"0s\": never");
    }
    age
}

fn icmp_limit(table: &Table<'_>, default: IcmpLimit) -> IcmpLimit {
    let Some(limit) = table.get::<Table<'_>>("icmp_limit") else { return default };
    limit.check(&[ICMP_LIMIT_FIELDS], &[]);
    let at_least_one = |key, default| {
        let number: u32 = limit.get_or(key, default);
        if number == 0 {
            limit.report(key, "that is a silent machine", "at least 1; silence is `icmp_errors = false`");
        }
        number.max(1)
    };
    IcmpLimit {
        per_second: at_least_one("per_second", default.per_second),
        burst: at_least_one("burst", default.burst),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{read, spec};
    use super::*;
    use crate::node::machine::MachineSpec;
    use crate::read::Need;

    #[test]
    fn what_is_left_out_is_as_the_fields_say() {
        assert_eq!(spec("").ipv4, MachineSpec::router("x", 1).ipv4);
        let defaults = |fields: &[crate::read::Field]| -> String {
            let written = fields.iter().filter_map(|field| match field.need {
                Need::Default(value) => Some(format!("{} = {value}", field.name)),
                _ => None,
            });
            written.collect::<Vec<_>>().join(", ")
        };
        let limit = spec(&format!("icmp_limit = {{ {} }}\nicmp_errors = true", defaults(ICMP_LIMIT_FIELDS)));
        assert_eq!(limit.ipv4, MachineSpec::router("x", 1).ipv4);
    }

    #[test]
    fn everything_that_may_be_said_is_heard() {
        let heard = spec(
            r#"
            icmp_errors = false
            icmp_limit = { per_second = 7, burst = 3 }
            send_redirects = false
            accept_redirects = true
            forward_broadcasts = true
            check_source = true
            clamp_mss = true
            path_mtu_age = "1h"
            "#,
        );
        let ipv4 = Ipv4Settings {
            sends_errors: false,
            error_limit: IcmpLimit { per_second: 7, burst: 3 },
            sends_redirects: false,
            accepts_redirects: true,
            forwards_directed_broadcasts: true,
            checks_sources: true,
            clamps_mss: true,
            path_mtu_age: Duration::from_secs(3600),
        };
        assert_eq!(heard.ipv4, ipv4);
    }

    #[test]
    fn hosts_believe_redirects_and_routers_do_not() {
        assert!(MachineSpec::host("x", 1).ipv4.accepts_redirects && !spec("").ipv4.accepts_redirects);
    }

    #[test]
    fn rfc_1191_a_path_is_not_asked_again_within_five_minutes() {
        let (_, problems) = read("router", "path_mtu_age = \"299s\"");
        assert!(problems.contains("not asked again that soon"), "{problems}");
        assert_eq!(spec("path_mtu_age = \"300s\"").ipv4.path_mtu_age, Duration::from_secs(300));
        assert_eq!(spec("path_mtu_age = \"0s\"").ipv4.path_mtu_age, Duration::ZERO);
    }

    #[test]
    fn a_limit_of_none_at_all_is_a_mistake() {
        let (_, problems) = read("router", "icmp_limit = { per_second = 0, burst = 0 }");
        assert_eq!(problems.matches("that is a silent machine").count(), 2, "{problems}");
    }
}
