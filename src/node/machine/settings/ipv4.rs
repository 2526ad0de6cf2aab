//! How a machine treats IPv4 where the standards let it choose: the keys of its table that say so.

use super::fields::ICMP_LIMIT_FIELDS;
use crate::node::machine::ipv4_settings::{IcmpLimit, Ipv4Settings};
use crate::read::Table;

/// Reads them; what is left out is as in `default`.
pub(super) fn ipv4(table: &Table<'_>, default: &Ipv4Settings) -> Ipv4Settings {
    Ipv4Settings {
        sends_errors: table.get_or("icmp_errors", default.sends_errors),
        error_limit: icmp_limit(table, default.error_limit),
        ..default.clone()
    }
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
        let spec = spec("icmp_errors = false\nicmp_limit = { per_second = 7, burst = 3 }\n");
        assert_eq!(spec.ipv4.error_limit, IcmpLimit { per_second: 7, burst: 3 });
        assert!(!spec.ipv4.sends_errors);
    }

    #[test]
    fn a_limit_of_none_at_all_is_a_mistake() {
        let (_, problems) = read("router", "icmp_limit = { per_second = 0, burst = 0 }");
        assert_eq!(problems.matches("that is a silent machine").count(), 2, "{problems}");
    }
}
