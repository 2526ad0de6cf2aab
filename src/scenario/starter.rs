//! The commented scenario that `hopwise new` writes.

/// A scenario to start from: two hosts, a router, a program, a fault, expectations, and what else there could be.
#[must_use]
pub fn starter() -> &'static str {
    include_str!("starter.toml")
}

#[cfg(test)]
mod tests {
    use crate::scenario::Scenario;

    #[test]
    fn the_starter_is_right_and_its_expectations_are_met() {
        let scenario = Scenario::from_toml("starter.toml", super::starter()).unwrap_or_else(|error| panic!("{error}"));
        scenario.judge().unwrap_or_else(|error| panic!("{error}")).assert_met();
    }
}
