//! Timed actions: what a scenario's `[[at]]` entries do.

use super::Network;

/// Something that is done to the network at a time.
pub trait Action: Send + std::fmt::Debug {
    /// Does it.
    ///
    /// # Errors
    ///
    /// A phrase for the user: why it cannot be done.
    fn apply(&mut self, network: &mut Network) -> Result<(), String>;

    /// What it does, for messages: `link-down wan`.
    fn describe(&self) -> String;
}
