//! (to come)
/// Reference.
#[must_use]
pub fn reference() -> String {
    String::new()
}
