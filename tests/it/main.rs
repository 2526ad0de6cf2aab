//! The integration tests: one binary, one module for each topic.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod apps;
mod command;
mod conformance;
mod destinations;
mod docs;
mod explain;
mod frames;
mod hostile;
mod house;
mod kinds;
mod library;
mod luck;
mod mistakes;
mod names;
mod programs;
mod reference;
mod scenarios;
mod schema;
mod sessions;
mod strangers;
mod sweep;
mod threads;
mod tools;
mod web;
