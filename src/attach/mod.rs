//! The side door: a real kernel takes its place in the simulated network.
//!
//! ```text
//!   ping, curl, iperf3 …                                                       simulated hosts
//!        │                                                                          │
//!      kernel ── TUN or TAP ── Device ── Session ── network: Enter ▶ Gateway ── link ── …
//!                                 ▲          │  ◀ leaving
//!                          poll, Clock       └─▶ recording ─▶ replay, without any of this
//! ```
//!
//! The only floor with a clock. A [`Session`] runs the same loop as any run, paced: what is due by now is carried out, what
//! the kernel has sent is planned for now, and then the process sleeps until the device, the next event or a person has
//! something for it. What came in, and when in virtual time, is all that a run depends on beside its scenario and seed, so a
//! [recording](Recording) of it repeats the session to the same bytes.
//!
//! | part | what |
//! |---|---|
//! | [`clock`](Clock) | virtual time from the monotonic clock; the speed |
//! | [`device`](Device), `netlink`, `namespace` | a TUN or TAP device, with addresses, MTU and routes, and its end |
//! | [`session`](Session) | the loop |
//! | `command`, `control` | what a person does meanwhile: `link wan down` |
//! | [`recording`](Recording) | the file of what came in |
//! | [`replay`](fn@replay) | a run from such a file |
//!
//! The devices are Linux's. What needs none, recordings and replays, is there everywhere. `unsafe` is allowed on this floor
//! alone, with its proof.

#[cfg(target_os = "linux")]
mod clock;
mod command;
#[cfg(target_os = "linux")]
mod control;
#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod netlink;
mod recording;
mod replay;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod setup;
#[cfg(target_os = "linux")]
mod signals;

#[cfg(target_os = "linux")]
pub use clock::{Clock, Speed, SpeedError};
pub use command::{Command, CommandError};
#[cfg(target_os = "linux")]
pub use control::{Control, ControlError};
#[cfg(target_os = "linux")]
pub use device::{Device, DeviceError, Refused};
pub use recording::{
    Attached, Damage, Ended, Event, FORMAT, Header, Left, Read, Recorder, Recording, RecordingError, What,
};
pub use replay::{ReplayError, replay};
#[cfg(target_os = "linux")]
pub use session::{End, Session, Status, Watcher};
#[cfg(target_os = "linux")]
pub use setup::{Place, PlaceSyntaxError, SetupError};
