//! An internet in one process.
//!
//! Hosts with a real TCP/IP stack, routers, switches and links, all in virtual time. A scenario scripts what happens
//! (lose the third segment, cut a link, expire a TTL, fragment a datagram); the same scenario and seed give the same
//! bytes, always, everywhere.
//!
//! ```
//! use hopwise::Scenario;
//!
//! let scenario = Scenario::from_toml("hello", r#"
//!     [nodes]
//!     client = {}
//!     server = {}
//!     [links]
//!     wire = { ends = ["client", "server"], delay = "10ms" }
//!     [apps]
//!     echo = { on = "server", kind = "tcp-echo", port = 7 }
//!     talk = { on = "client", kind = "tcp-send", to = "server:7", text = "hello" }
//!     [[expect]]
//!     that = 'apps.talk.reply == "hello"'
//! "#)?;
//! let report = scenario.run()?;
//! assert!(report.is_met());
//! assert!(report.text().contains("> server.7: Flags [S], seq 0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In a test, `insta::assert_snapshot!(report.ladder())` holds every packet for review.
//!
//! # A frame's walk
//!
//! ```text
//!  1 app          a program writes to a socket
//!  2 net          smoltcp makes a segment
//!  3 node/machine ip: route, path MTU, source address; nic: neighbor, Ethernet header
//!  4 network      number it, record Sent, find the pipe at that port
//!  5 link/pipe    queue, rate, impairments: arrives at t, or dropped with a cause
//!    …            time moves (agenda)
//!  6 network      record Delivered, call the node at the far end
//!  7 node         switch: forward; machine: for me → net → the program wakes; not for me → 3
//! ```
//!
//! # Floors
//!
//! Imports point down only; a test reads this table.
//!
//! | floor | modules | what lives there |
//! |---|---|---|
//! | 10 | `cli` | the front door: arguments, terminal, exit code |
//! | 9 | `sweep` | one scenario many times: over seeds, values, processors, machines |
//! | 9 | `attach` | the side door: a real kernel at a gateway, the clock, recordings and replays |
//! | 8 | `scenario` | a file becomes a network, programs, faults, observers |
//! | 7 | `expect` `output` | those who watch: judge, tell (text, ladder, pcapng, json, summary) |
//! | 6 | `network` | who is wired to whom; the agenda; the loop that moves time; timed actions |
//! | 5 | `node` | what stands at the ends of links: machine (host, router), switch, port, gateway |
//! | 4 | `app` | built-in programs |
//! | 3 | `net` `link` | a machine's sockets and executor; what lies between nodes |
//! | 2 | `record` | what happened, where, why |
//! | 1 | `read` `rng` `wire` `filter` | scenario tables with spans; luck; frames, flows, one-line summaries; match expressions |
//! | 0 | `id` `subnet` `time` `units` | words everyone uses; networks divided |

pub mod app;
pub mod attach;
pub mod cli;
pub mod expect;
pub mod filter;
pub mod id;
pub mod link;
pub mod net;
pub mod network;
pub mod node;
pub mod output;
pub mod read;
pub mod record;
pub mod rng;
pub mod scenario;
pub mod subnet;
pub mod sweep;
pub mod time;
pub mod units;
pub mod wire;

pub use net::{Net, Program, TcpListener, TcpStream, UdpSocket};
pub use network::Network;
pub use scenario::{Report, Scenario};
pub use time::Time;

/// The README's Rust is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So is that of the page about sockets.
#[cfg(doctest)]
#[doc = include_str!("../docs/sockets.md")]
struct Sockets;
