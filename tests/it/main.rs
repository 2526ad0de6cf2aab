//! The integration tests: one binary, one module for each topic.

mod apps;
mod frames;
mod hostile;
mod house;
mod kinds;
mod library;
mod luck;
mod mistakes;
mod scenarios;
mod schema;
