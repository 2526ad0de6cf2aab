//! Who is there, and what they are still to be told.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// How long a name may be.
pub(super) const NAME_CHARS_MAX: usize = 20;

/// Whether somebody can be called so.
pub(super) fn is_name(text: &str) -> bool {
    let is_word = !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || character == '-');
    is_word && text.chars().count() <= NAME_CHARS_MAX
}

/// Why somebody is not let in, or has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// That is no name.
    BadName,
    /// There is no room.
    Full,
    /// The name is somebody else's.
    NameTaken,
    /// It does not read what it is told.
    TooSlow,
}

impl Reason {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::BadName => "that is no name: one word of up to 20 letters",
            Self::Full => "there is no room",
            Self::NameTaken => "that name is taken",
            Self::TooSlow => "too slow",
        }
    }
}

/// A member's number: never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberId(u64);

#[derive(Debug, Default)]
struct Member {
    name: String,
    mailbox: VecDeque<String>,
    waiting_bytes: usize,
    /// It gets nothing more, for this reason or because it has left.
    is_closed: bool,
    is_too_slow: bool,
    reader: Option<Waker>,
}

/// Everybody in the room.
#[derive(Debug)]
pub(super) struct Room {
    members: BTreeMap<MemberId, Member>,
    last: u64,
    members_max: usize,
    mailbox_bytes: usize,
}

/// The room, for all who have to do with it.
pub(super) type Shared = Arc<Mutex<Room>>;

/// Enters the room's state.
pub(super) fn lock(room: &Shared) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Room {
    pub(super) fn new(members_max: usize, mailbox_bytes: usize) -> Shared {
        Arc::new(Mutex::new(Self { members: BTreeMap::new(), last: 0, members_max, mailbox_bytes }))
    }

    /// How many are there.
    pub(super) fn count(&self) -> usize {
        self.members.values().filter(|member| !member.is_closed).count()
    }

    /// Lets somebody in, unless there is a reason not to.
    pub(super) fn join(&mut self, name: &str) -> Result<MemberId, Reason> {
        if !is_name(name) {
            return Err(Reason::BadName);
        }
        if self.members.values().any(|member| member.name == name && !member.is_closed) {
            return Err(Reason::NameTaken);
        }
        if self.members.len() >= self.members_max {
            return Err(Reason::Full);
        }
        self.last += 1;
        let id = MemberId(self.last);
        self.members.insert(id, Member { name: name.to_owned(), ..Member::default() });
        Ok(id)
    }

    /// Tells everybody something. Those whose mailboxes are full are closed: their names.
    pub(super) fn tell_all(&mut self, line: &str) -> Vec<String> {
        let ids: Vec<MemberId> = self.members.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.tell(id, line)).collect()
    }

    /// Tells one of them something; its name, if it had to be closed because of that.
    pub(super) fn tell(&mut self, id: MemberId, line: &str) -> Option<String> {
        let most = self.mailbox_bytes;
        let member = self.members.get_mut(&id).filter(|member| !member.is_closed)?;
        member.waiting_bytes += line.len() + 1;
        // A single line always has room.
        if member.waiting_bytes > most && !member.mailbox.is_empty() {
            (member.is_closed, member.is_too_slow) = (true, true);
            member.mailbox.clear();
        } else {
            member.mailbox.push_back(line.to_owned());
        }
        if let Some(reader) = member.reader.take() {
            reader.wake();
        }
        member.is_too_slow.then(|| member.name.clone())
    }

    /// Who is there, in the order in which they came.
    pub(super) fn names(&self) -> String {
        let here = self.members.values().filter(|member| !member.is_closed);
        here.map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Somebody has gone. True if nobody knew that yet.
    pub(super) fn leave(&mut self, id: MemberId) -> bool {
        self.members.remove(&id).is_some_and(|member| !member.is_closed)
    }

    /// What is next in a mailbox: `None` once it is closed, `Pending` while it is empty.
    fn next(&mut self, id: MemberId, waker: &Waker) -> Poll<Option<String>> {
        let Some(member) = self.members.get_mut(&id) else { return Poll::Ready(None) };
        if let Some(line) = member.mailbox.pop_front() {
            member.waiting_bytes = member.waiting_bytes.saturating_sub(line.len() + 1);
            return Poll::Ready(Some(line));
        }
        if member.is_closed {
            return Poll::Ready(None);
        }
        member.reader = Some(waker.clone());
        Poll::Pending
    }
}

/// Waits for the next line of a mailbox; `None`: there will be no more.
pub(super) async fn next_line(room: &Shared, id: MemberId) -> Option<String> {
    poll_fn(|context| lock(room).next(id, context.waker())).await
}

/// Waits until a mailbox is closed because its owner is too slow, whatever is in it.
pub(super) async fn closed(room: &Shared, id: MemberId) {
    poll_fn(|context| {
        let mut room = lock(room);
        let Some(member) = room.members.get_mut(&id) else { return Poll::Ready(()) };
        if member.is_closed {
            return Poll::Ready(());
        }
        // Whoever waits for room in a connection waits for this as well: a line that comes wakes it.
        member.reader = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(room: &mut Room, id: MemberId) -> Poll<Option<String>> {
        room.next(id, Waker::noop())
    }

    #[test]
    fn everybody_hears_everything_in_order() {
        let room = Room::new(10, 1000);
        let mut room = lock(&room);
        let (a, b) = (room.join("a").unwrap(), room.join("b").unwrap());
        assert!(room.tell_all("one").is_empty() && room.tell_all("two").is_empty());
        for id in [a, b] {
            assert_eq!(next(&mut room, id), Poll::Ready(Some("one".into())));
            assert_eq!(next(&mut room, id), Poll::Ready(Some("two".into())));
            assert_eq!(next(&mut room, id), Poll::Pending);
        }
        assert_eq!((room.names().as_str(), room.count()), ("a, b", 2));
    }

    #[test]
    fn who_does_not_read_has_to_go_and_nobody_else() {
        let room = Room::new(10, 10);
        let mut room = lock(&room);
        let (a, b) = (room.join("a").unwrap(), room.join("b").unwrap());
        // Five bytes each, the line's end included: two fit, the third does not.
        for line in ["1234", "5678"] {
            assert!(room.tell_all(line).is_empty());
            assert_eq!(next(&mut room, b), Poll::Ready(Some(line.into())));
        }
        assert_eq!(room.tell_all("9abc"), ["a"]);
        assert_eq!(next(&mut room, a), Poll::Ready(None));
        assert_eq!(next(&mut room, b), Poll::Ready(Some("9abc".into())));
        assert_eq!((room.count(), room.leave(a), room.leave(b)), (1, false, true));
    }

    #[test]
    fn a_line_that_is_longer_than_a_mailbox_goes_through_an_empty_one() {
        let room = Room::new(10, 3);
        let mut room = lock(&room);
        let a = room.join("a").unwrap();
        assert!(room.tell_all("long line").is_empty());
        assert_eq!(next(&mut room, a), Poll::Ready(Some("long line".into())));
    }

    #[test]
    fn names_are_words_and_nobody_elses_and_rooms_are_finite() {
        let room = Room::new(2, 10);
        let mut room = lock(&room);
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        for bad in ["", "two words", "a\tb", long.as_str()] {
            assert_eq!(room.join(bad), Err(Reason::BadName), "{bad}");
        }
        let a = room.join("a").unwrap();
        assert_eq!(room.join("a"), Err(Reason::NameTaken));
        room.join("b").unwrap();
        assert_eq!(room.join("c"), Err(Reason::Full));
        assert!(room.leave(a));
        assert!(room.join("a").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever happens, no mailbox has more than a line beyond its bound.
        #[test]
        fn mailboxes_are_bounded(steps in proptest::collection::vec((0_u8..5, 0_usize..6, "[a-z]{0,30}"), 0..60)) {
            let room = Room::new(3, 40);
            let mut room = lock(&room);
            let mut ids = Vec::new();
            for (what, who, text) in steps {
                match what {
                    0 => ids.extend(room.join(&text).ok()),
                    1 => drop(room.tell_all(&text)),
                    2 => drop(ids.get(who).map(|id| next(&mut room, *id))),
                    3 => drop(ids.get(who).map(|id| room.leave(*id))),
                    _ => drop(ids.get(who).map(|id| room.tell(*id, &text))),
                }
                prop_assert!(room.members.len() <= 3);
                for member in room.members.values() {
                    let bytes: usize = member.mailbox.iter().map(|line| line.len() + 1).sum();
                    prop_assert!(bytes <= 40 || member.mailbox.len() == 1);
                    prop_assert!(member.is_closed || bytes == member.waiting_bytes);
                }
            }
        }
    }
}
