//! (to come)
/// Starter.
#[must_use]
pub fn starter() -> String { String::new() }
