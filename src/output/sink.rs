//! Where an output's bytes go.
//!
//! A [`Sink`] is shared: the output owns one clone, whoever started the run keeps another and asks it afterwards for the
//! bytes or for what went wrong. The first failure of the world below (a full disk, a closed pipe) is kept and ends
//! the writing; the run itself goes on, because watching must not change it.
//!
//! No file is opened here: the front door opens one and hands it in.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why an output is not complete.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It was asked to watch a place that the network does not have.
    #[error("cannot watch `{place}`: no link and no `node:port` is called that")]
    UnknownPlace {
        /// As it was asked for.
        place: String,
    },
    /// Writing failed.
    #[error("cannot write {name}")]
    Write {
        /// What was written to, as people call it.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl OutputError {
    /// Whether the reader has gone away, as `head` does: no failure, but nothing more to do.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// A shared destination for bytes.
#[derive(Clone)]
pub struct Sink {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    name: String,
    target: Target,
    /// Nothing is written after the first failure, even when that has been told.
    has_failed: bool,
    error: Option<OutputError>,
}

enum Target {
    Memory(Vec<u8>),
    Writer(BufWriter<Box<dyn Write + Send>>),
}

impl Target {
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Writer(writer) => writer.flush(),
        }
    }
}

impl Sink {
    /// Keeps the bytes until somebody [takes](Self::take_bytes) them.
    #[must_use]
    pub fn memory() -> Self {
        Self::new("memory".to_owned(), Target::Memory(Vec::new()))
    }

    /// Passes the bytes on to a file or a terminal, through a buffer. `name` is what error messages call it.
    ///
    /// ```
    /// # use hopwise::output::Sink;
    /// let sink = Sink::writer("standard output", std::io::stdout());
    /// assert!(sink.close().is_ok());
    /// ```
    #[must_use]
    pub fn writer(name: impl Into<String>, writer: impl Write + Send + 'static) -> Self {
        Self::new(name.into(), Target::Writer(BufWriter::new(Box::new(writer))))
    }

    fn new(name: String, target: Target) -> Self {
        Self { shared: Arc::new(Mutex::new(Shared { name, target, has_failed: false, error: None })) }
    }

    /// Writes all of `bytes`, unless something failed before; a failure is kept for [`close`](Self::close).
    pub fn put(&self, bytes: &[u8]) {
        self.shared().attempt(|target| match target {
            Target::Memory(memory) => {
                memory.extend_from_slice(bytes);
                Ok(())
            }
            Target::Writer(writer) => writer.write_all(bytes),
        });
    }

    /// Keeps a failure that is not the sink's own, unless there is one already.
    pub fn fail(&self, error: OutputError) {
        self.shared().error.get_or_insert(error);
    }

    /// Passes on what is buffered, for somebody who reads along; a failure is kept for [`close`](Self::close).
    pub fn flush(&self) {
        self.shared().attempt(Target::flush);
    }

    /// Whether its reader has gone away, as `head` does.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.shared().error.as_ref().is_some_and(OutputError::is_broken_pipe)
    }

    /// Takes out what has been written to memory so far; nothing for any other target.
    #[must_use]
    pub fn take_bytes(&self) -> Vec<u8> {
        match &mut self.shared().target {
            Target::Memory(memory) => std::mem::take(memory),
            Target::Writer(_) => Vec::new(),
        }
    }

    /// [`take_bytes`](Self::take_bytes) as text.
    #[must_use]
    pub fn take_text(&self) -> String {
        String::from_utf8_lossy(&self.take_bytes()).into_owned()
    }

    /// Writes out what is buffered, and says what went wrong since the beginning or since the last call.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub fn close(&self) -> Result<(), OutputError> {
        let mut shared = self.shared();
        shared.attempt(Target::flush);
        shared.error.take().map_or(Ok(()), Err)
    }

    /// A thread that panicked while it wrote leaves whole bytes behind, so its lock is as good as any.
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn attempt(&mut self, write: impl FnOnce(&mut Target) -> io::Result<()>) {
        if self.has_failed {
            return;
        }
        if let Err(source) = write(&mut self.target) {
            self.has_failed = true;
            self.error.get_or_insert_with(|| OutputError::Write { name: self.name.clone(), source });
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({})", self.shared().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_one_clone_writes_the_other_takes_once() {
        let sink = Sink::memory();
        sink.clone().put(b"hello");
        assert_eq!(sink.take_text(), "hello");
        assert_eq!(sink.take_text(), "");
    }

    #[test]
    fn a_full_disk_is_told_once_at_the_end() {
        let sink = Sink::writer("disk", Disk(4));
        sink.put(b"1234");
        assert!(sink.close().is_ok());
        sink.put(b"5");
        let error = sink.close().unwrap_err();
        assert_eq!(error.to_string(), "cannot write disk");
        assert!(!error.is_broken_pipe());
        assert!(sink.close().is_ok());
    }

    #[test]
    fn a_reader_that_went_away_is_recognised() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::writer("pipe", Gone);
        sink.put(b"x");
        assert!(sink.close().unwrap_err().is_broken_pipe());
    }
}
