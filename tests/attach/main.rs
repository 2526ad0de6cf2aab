//! Real tools of a real kernel in simulated networks, each test in network namespaces of its own.
//!
//! `cargo test` leaves this target out, because it needs Linux, root (or user namespaces) and Debian's network tools;
//! `cargo test --test attach` runs it, and so does `.ci/run`. Nothing here touches the machine's own interfaces or routes: a
//! [`Lab`](lab::Lab) is a namespace that ends with its test. Everything is bounded in time.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "these tests are about real time")]

mod control;
mod hostile;
mod lab;
mod late;
mod life;
mod names;
mod replay;
mod tools;
mod two;
mod web;
