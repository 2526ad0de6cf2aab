//! Channels between the programs of one machine: what a Unix domain socket is elsewhere, but with values instead of
//! bytes.
//!
//! Two programs meet by a name. Whoever comes first makes the channel; it is there until the last who holds it has gone
//! and nothing waits in it any more, or until the machine crashes. Each value goes to one receiver.

use std::any::{Any, type_name};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use super::context::Net;
use super::core::Wakers;
use super::errors;

/// How many values wait in a channel at most; who sends another waits.
pub const CHANNEL_VALUES_MAX: usize = 1024;

/// How many channels a machine has at most.
pub const CHANNELS_MAX: usize = 1024;

/// One channel of a machine.
pub(crate) struct Queue {
    /// What its values are, for who mistakes it.
    type_name: &'static str,
    is_of_type: fn(&dyn Any) -> bool,
    values: VecDeque<Box<dyn Any + Send>>,
    /// How many handles there are.
    holders: usize,
    senders: Wakers,
    receivers: Wakers,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_name, values, holders, .. } = self;
        write!(f, "{} of {type_name}, {holders} holders", values.len())
    }
}

/// A channel of a machine, from [`Net::channel`].
///
/// ```
/// # use hopwise::net::Program;
/// let sensor = Program::new(|net| async move {
///     let readings = net.channel::<f64>("readings")?;
///     readings.send(21.5).await
/// #       .map_err(Into::into)
/// });
/// let display = Program::new(|net| async move {
///     let readings = net.channel::<f64>("readings")?;
///     net.report("shown", readings.recv().await?);
///     Ok(())
/// });
/// # let _ = (sensor, display);
/// ```
pub struct Channel<T> {
    net: Net,
    name: String,
    values: PhantomData<fn(T) -> T>,
}

impl Net {
    /// The machine's channel of this name, for values of type `T`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if there is one of another type; [`io::ErrorKind::QuotaExceeded`] if the machine
    /// has [`CHANNELS_MAX`] of them.
    pub fn channel<T: Send + 'static>(&self, name: &str) -> io::Result<Channel<T>> {
        self.core(|core| {
            if let Some(queue) = core.channels.get_mut(name) {
                if !(queue.is_of_type)(&PhantomData::<T>) {
                    let text = format!("channel `{name}` is one of {}, not of {}", queue.type_name, type_name::<T>());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                queue.holders += 1;
            } else if core.channels.len() >= CHANNELS_MAX {
                let text = format!("this machine has {CHANNELS_MAX} channels already");
                return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
            } else {
                let queue = Queue {
                    type_name: type_name::<T>(),
                    is_of_type: |mark| mark.is::<PhantomData<T>>(),
                    values: VecDeque::new(),
                    holders: 1,
                    senders: Wakers::default(),
                    receivers: Wakers::default(),
                };
                core.channels.insert(name.to_owned(), queue);
            }
            Ok(())
        })?;
        Ok(Channel { net: self.clone(), name: name.to_owned(), values: PhantomData })
    }
}

impl<T: Send + 'static> Channel<T> {
    /// Sends a value; waits while [`CHANNEL_VALUES_MAX`] wait to be received.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn send(&self, value: T) -> io::Result<()> {
        let mut value = Some(value);
        poll_fn(|context| {
            self.poll(context, |queue, context| {
                if queue.values.len() >= CHANNEL_VALUES_MAX {
                    queue.senders.register(context);
                    return Poll::Pending;
                }
                let value = value.take().expect("it is only ready once");
                queue.values.push_back(Box::new(value));
                queue.receivers.wake();
                Poll::Ready(Ok(()))
            })
        })
        .await
    }

    /// Waits for a value, the oldest first.
    ///
    /// # Errors
    ///
    /// When the machine has crashed.
    pub async fn recv(&self) -> io::Result<T> {
        poll_fn(|context| {
            self.poll(context, |queue, context| match queue.take() {
                Some(value) => Poll::Ready(Ok(value)),
                None => {
                    queue.receivers.register(context);
                    Poll::Pending
                }
            })
        })
        .await
    }

    /// A value that waits, if one does.
    #[must_use]
    pub fn try_recv(&self) -> Option<T> {
        self.net.core(|core| core.channels.get_mut(&self.name).and_then(Queue::take))
    }

    /// How many values wait to be received.
    #[must_use]
    pub fn len(&self) -> usize {
        self.net.core(|core| core.channels.get(&self.name).map_or(0, |queue| queue.values.len()))
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn poll<R>(
        &self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut Queue, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        self.net.poll_turn(context, |core, _, context| {
            act(core.channels.get_mut(&self.name).ok_or_else(errors::gone)?, context)
        })
    }
}

impl Queue {
    fn take<T: 'static>(&mut self) -> Option<T> {
        let value = self.values.pop_front()?;
        self.senders.wake();
        Some(*value.downcast().expect("only values of the channel's type are put into it"))
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        self.net.core(|core| {
            if let Some(queue) = core.channels.get_mut(&self.name) {
                queue.holders += 1;
            }
        });
        Self { net: self.net.clone(), name: self.name.clone(), values: PhantomData }
    }
}

impl<T> Drop for Channel<T> {
    fn drop(&mut self) {
        self.net.core(|core| {
            let Some(queue) = core.channels.get_mut(&self.name) else { return };
            queue.holders = queue.holders.saturating_sub(1);
            if queue.holders == 0 && queue.values.is_empty() {
                core.channels.remove(&self.name);
            }
        });
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).finish_non_exhaustive()
    }
}
