//! Match expressions: which frames are meant.

use crate::wire::Frame;

/// A parsed match expression.
#[derive(Debug, Clone)]
pub struct Filter;

impl Filter {
    /// Whether the frame is meant.
    #[must_use]
    pub fn matches(&self, _frame: &Frame) -> bool {
        true
    }
}
