//! What the link floor promises, beyond what one file promises: mathematics, timing, and no frame unaccounted for.

use crate::filter::Filter;
use crate::id::{Direction, FrameId, LinkId, PipeId};
use crate::read::{Reader, Scope, Table};
use crate::wire::{Frame, Layer, Pool};

/// Reads a piece of TOML that has no mistake.
pub(crate) fn read_example<T>(text: &str, read: impl FnOnce(&Table<'_>) -> T) -> T {
    let mut value = None;
    let problems = problems_of(text, |table| value = Some(read(table)));
    assert!(problems.is_empty(), "{text}: {problems:?}");
    value.unwrap()
}

/// The titles and labels of the mistakes that reading a piece of TOML reports.
pub(crate) fn problems_of(text: &str, read: impl FnOnce(&Table<'_>)) -> Vec<String> {
    let parsed = toml::de::DeTable::parse(text).unwrap();
    let reader = Reader::new(text, Scope::default());
    read(&Table::new(parsed.get_ref(), parsed.span(), "links.wan".to_owned(), &reader));
    reader.into_problems().into_iter().map(|problem| format!("{} ({})", problem.title, problem.label)).collect()
}

/// A match expression that means every frame.
pub(crate) fn any_frame() -> Filter {
    Filter
}

/// The `count`-th frame of a node, `length` bytes of zeros from the Ethernet header on.
pub(crate) fn frame(count: u32, length: usize) -> Frame {
    let mut frame = Frame::new(Pool::default().copy(&vec![0; length]), Layer::Ethernet);
    frame.id = Some(FrameId { origin: 0, count });
    frame
}

pub(super) fn pipe_id() -> PipeId {
    PipeId::new(LinkId(0), Direction::AToB)
}
