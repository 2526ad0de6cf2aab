//! `iperf` and `iperf-server`: how much goes through, in the language and with the tables of iperf3.
//!
//! ```text
//!  client                    control connection                    server
//!    │── cookie ───────────────────────────────────────────────────▶│
//!    │◀────────────────────────────────────────── PARAM_EXCHANGE ───│
//!    │── what to do, as JSON ──────────────────────────────────────▶│
//!    │◀──────────────────────────────────────────  CREATE_STREAMS ──│
//!    │══ data streams, each introduced by the cookie ══════════════▶│
//!    │◀───────────────────────────── TEST_START, TEST_RUNNING ──────│
//!    │══ data, one way or the other ════════════════════════════════│
//!    │── TEST_END ─────────────────────────────────────────────────▶│
//!    │◀─────────────────────────────────────── EXCHANGE_RESULTS ────│
//!    │── results ──▶   ◀── results, as JSON ────────────────────────│
//!    │◀─────────────────────────────────────── DISPLAY_RESULTS ─────│
//!    │── IPERF_DONE ───────────────────────────────────────────────▶│
//! ```
//!
//! The protocol is that of iperf3, so that a real one, attached to the network, measures against these. What it calls the
//! congestion window is not known here; in its place stands what is on its way and not acknowledged ("Flight").
//!
//! Left out: both directions at once, authentication, SCTP, omitted seconds, a server's own limits.

pub(super) mod client;
mod meter;
pub(super) mod server;
mod streams;
mod table;
mod wire;

/// iperf3's port.
const PORT: u16 = 5201;

/// How many streams a test may have, as in iperf3.
const STREAMS_MAX: u64 = 128;

/// How many intervals are kept as outcomes.
const INTERVALS_MAX: usize = 1000;
