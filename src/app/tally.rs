//! Counts that are reported as they change.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::net::Net;

/// A count that is an outcome of its program: reported at once and at every change. Clones are the same count.
///
/// An atomic only because programs may be moved between threads; nobody else counts at the same time.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    net: Net,
    key: &'static str,
    count: Arc<AtomicU64>,
}

impl Tally {
    /// The count `key`, reported as zero.
    pub(super) fn new(net: &Net, key: &'static str) -> Self {
        net.report(key, 0_u64);
        Self { net: net.clone(), key, count: Arc::default() }
    }

    /// Counts `more`, and returns the new count.
    pub(super) fn add(&self, more: u64) -> u64 {
        let count = self.count.load(Ordering::Relaxed).saturating_add(more);
        self.set(count)
    }

    /// Counts one less.
    pub(super) fn take_one(&self) {
        self.set(self.get().saturating_sub(1));
    }

    /// The present count.
    pub(super) fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn set(&self, count: u64) -> u64 {
        self.count.store(count, Ordering::Relaxed);
        self.net.report(self.key, count);
        count
    }
}

/// The counts of a TCP server.
#[derive(Debug, Clone)]
pub(super) struct ServerTallies {
    pub(super) connections: Tally,
    pub(super) active: Tally,
    pub(super) bytes: Tally,
    pub(super) failures: Tally,
}

impl ServerTallies {
    pub(super) fn new(net: &Net) -> Self {
        let [connections, active, bytes, failures] =
            ["connections", "active", "bytes", "failures"].map(|key| Tally::new(net, key));
        Self { connections, active, bytes, failures }
    }

    /// Serves one connection, which counts as active meanwhile, and as a failure if it ends in an error.
    pub(super) async fn count(&self, net: &Net, peer: SocketAddr, service: impl Future<Output = io::Result<()>>) {
        self.active.add(1);
        if let Err(error) = service.await {
            self.failures.add(1);
            net.log(|| format!("{peer}: {error}"));
        }
        self.active.take_one();
    }
}
