//! The integration tests: one binary, one module for each topic.

mod apps;
mod hostile;
mod house;
mod kinds;
mod library;
mod mistakes;
mod schema;
