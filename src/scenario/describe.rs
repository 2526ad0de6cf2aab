//! (to come)
use super::section::Plan;
pub(super) fn describe(_plan: &Plan) -> String { String::new() }
