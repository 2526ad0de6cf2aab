//! Network namespaces: a device may be made in another one than the process is in.
//!
//! The thread goes there, does what it has to, and comes back. A file descriptor of a device or a netlink socket goes on to
//! mean the namespace in which it was opened.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns add` keeps namespaces by name.
const NAMED: &str = "/run/netns";

/// Where the present thread is.
const HERE: &str = "/proc/thread-self/ns/net";

/// The file of a namespace: `blue` is what `ip netns` calls it, `/proc/123/ns/net` a path.
pub(super) fn path_of(name: &str) -> PathBuf {
    if name.contains('/') { PathBuf::from(name) } else { Path::new(NAMED).join(name) }
}

/// Does something in another namespace, or here if none is named.
pub(super) fn inside<T>(namespace: Option<&Path>, act: impl FnOnce() -> T) -> io::Result<T> {
    let Some(path) = namespace else { return Ok(act()) };
    let (there, here) = (File::open(path)?, File::open(HERE)?);
    move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))?;
    let result = act();
    // Whoever was let in there came from here, so the way back is open.
    move_into_link_name_space(here.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(result)
}
