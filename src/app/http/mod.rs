//! The web: an `http-server` and a `curl`, both by hyper, with or without TLS.
//!
//! | file | what it holds |
//! |---|---|
//! | `access` | what a server tells of each answer |
//! | `client` | what a client does, and tells |
//! | `content` | what an answer carries, and how it is sent |
//! | `cookie` | what a client keeps and sends back |
//! | `failure` | how a transfer fails, as curl says it |
//! | `goodbye` | how a connection ends |
//! | `page` | what a scenario says of a page |
//! | `pool` | connections of a client |
//! | `range` | parts of a page |
//! | `request` | what a scenario has a client ask for |
//! | `server` | connections and requests of a server |
//! | `sessions` | what a server remembers of visitors |
//! | `site` | what is said to a request |
//! | `url` | addresses of pages |

mod access;
pub(super) mod client;
mod content;
mod cookie;
mod failure;
mod goodbye;
mod page;
mod pool;
mod range;
mod request;
pub(super) mod server;
mod sessions;
mod site;
mod url;
