//! What an answer carries, and how it is sent: at once, in chunks, slowly, or not to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::access::Ending;
use crate::app::payload::fill_with_pattern;
use crate::net::{Net, Sleep};
use crate::rng::fnv1a;

/// How much is handed to hyper at once, at most.
const PIECE: u64 = 16 * 1024;

/// How long a server that is to crash lives on after what it sends last.
const CRASHES_AFTER: Duration = Duration::from_millis(1);

/// What an answer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Bytes),
    /// So many bytes of the pattern that every program sends.
    Pattern(u64),
}

impl Content {
    pub(super) const EMPTY: Self = Self::Bytes(Bytes::new());

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Bytes(text.into().into())
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern(length) => *length,
        }
    }

    /// The bytes from `from` up to, but not including, `to`.
    pub(super) fn piece(&self, from: u64, to: u64) -> Bytes {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self {
            Self::Bytes(bytes) => bytes.slice(index(from).min(bytes.len())..index(to).min(bytes.len())),
            Self::Pattern(_) => {
                let mut piece = vec![0; index(to - from)];
                fill_with_pattern(from, &mut piece);
                piece.into()
            }
        }
    }

    /// A strong entity tag: the same for the same bytes.
    pub(super) fn tag(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("\"{:x}-{:016x}\"", bytes.len(), fnv1a(bytes.iter().copied())),
            Self::Pattern(length) => format!("\"{length:x}-pattern\""),
        }
    }
}

/// How content is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// Without a length beforehand, in chunks of so many bytes.
    pub(super) chunk: Option<u64>,
    /// How long it waits before each piece but the first.
    pub(super) pause: Duration,
    /// Ends after half of the bytes, as if the server had crashed.
    pub(super) is_cut: bool,
}

/// Content on its way.
#[derive(Debug)]
pub(super) struct Sending {
    net: Net,
    content: Content,
    at: u64,
    end: u64,
    pace: Pace,
    has_begun: bool,
    waiting: Option<Sleep>,
    ending: Ending,
}

impl Sending {
    /// The bytes of `content` from `from` up to, but not including, `to`.
    pub(super) fn new(net: &Net, content: Content, (from, to): (u64, u64), pace: Pace, ending: Ending) -> Self {
        Self { net: net.clone(), content, at: from, end: to, pace, has_begun: false, waiting: None, ending }
    }

    /// Where the next piece ends.
    fn next_end(&self) -> u64 {
        let piece = self.pace.chunk.unwrap_or(PIECE).clamp(1, PIECE);
        (self.at + piece).min(self.end)
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if this.at >= this.end {
            return Poll::Ready(None);
        }
        // A server that crashes has sent what it had: hyper hands that over while it waits.
        let pause = if this.pace.is_cut { this.pace.pause.max(CRASHES_AFTER) } else { this.pace.pause };
        if this.has_begun && !pause.is_zero() {
            let waiting = this.waiting.get_or_insert_with(|| this.net.sleep(pause));
            std::task::ready!(Future::poll(Pin::new(waiting), context));
            this.waiting = None;
        }
        if this.pace.is_cut && this.has_begun {
            this.net.log(|| "the answer ends in the middle".to_owned());
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        this.has_begun = true;
        let to = if this.pace.is_cut { this.at + (this.end - this.at).div_ceil(2) } else { this.next_end() };
        let piece = this.content.piece(this.at, to);
        this.at = to;
        this.ending.sent(piece.len() as u64);
        if this.at >= this.end {
            this.ending.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        // Without a length beforehand there is nothing to hint at: hyper sends chunks.
        if self.pace.chunk.is_some() && self.at < self.end {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.end - self.at)
        }
    }
}
