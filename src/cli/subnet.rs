//! `hopwise subnet`: a network, its addresses and bits, and its division.

use super::Verdict;
use super::arguments;
use super::terminal::Terminal;
use crate::subnet::{Plan, SubnetError};

/// Shows a network, or what it is divided into.
pub(super) fn subnet(arguments: &arguments::Subnet, terminal: &Terminal) -> Verdict {
    match answer(arguments) {
        Ok(text) => terminal.print(&text),
        Err(what) => terminal.complain(&what),
    }
}

fn answer(arguments: &arguments::Subnet) -> Result<String, String> {
    let told = |error: SubnetError| error.to_string();
    let plan = Plan::read(&arguments.network).map_err(told)?;
    match (&arguments.into, &arguments.hosts) {
        (Some(into), _) => {
            let length = into.trim_start_matches('/').parse();
            let length = length.map_err(|_| format!("`--into {into}` is no prefix length: `--into /26`"))?;
            plan.divided(length).map_err(told)
        }
        (None, Some(hosts)) => {
            let counts: Result<Vec<u128>, _> = hosts.split(',').map(|count| count.trim().parse()).collect();
            let counts = counts.map_err(|_| format!("`--hosts {hosts}` is no list of numbers: `--hosts 50,20,10`"))?;
            plan.divided_for(&counts).map_err(told)
        }
        (None, None) => Ok(plan.describe()),
    }
}
