//! The integration tests: one binary, one module for each topic.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod apps;
mod destinations;
mod hostile;
mod house;
mod kinds;
mod library;
mod mistakes;
mod reference;
mod schema;
