//! What a server remembers of its visitors: a table from the number in a cookie to who that is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Time;

/// How many sessions a server remembers; the one that was idle longest is forgotten for a new one.
pub(super) const SESSIONS_MAX: usize = 10_000;

/// The cookie that holds a session's number.
pub(super) const COOKIE: &str = "session";

/// What is known of a visitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) user: Option<String>,
    pub(super) visits: u64,
    last_used: Time,
}

/// All visitors of a server.
#[derive(Debug)]
pub(super) struct Sessions {
    sessions: BTreeMap<String, Session>,
    lifetime: Duration,
    pub(super) forgotten: u64,
}

impl Sessions {
    /// None yet; each is forgotten when it was idle for so long.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { sessions: BTreeMap::new(), lifetime, forgotten: 0 }
    }

    /// Whose number this is; he has been here now.
    pub(super) fn find(&mut self, id: &str, now: Time) -> Option<&mut Session> {
        let session = self.sessions.get(id)?;
        if now.since(session.last_used) >= self.lifetime {
            self.sessions.remove(id);
            return None;
        }
        let session = self.sessions.get_mut(id)?;
        session.last_used = now;
        Some(session)
    }

    /// A new visitor; `id` must be unpredictable.
    pub(super) fn begin(&mut self, id: String, now: Time) -> &mut Session {
        if self.sessions.len() >= SESSIONS_MAX {
            let lifetime = self.lifetime;
            self.sessions.retain(|_, session| now.since(session.last_used) < lifetime);
        }
        if self.sessions.len() >= SESSIONS_MAX {
            let idlest = self.sessions.iter().min_by_key(|(_, session)| session.last_used).map(|(id, _)| id.clone());
            idlest.map(|id| self.sessions.remove(&id));
            self.forgotten += 1;
        }
        let session = self.sessions.entry(id).or_default();
        session.last_used = now;
        session
    }

    /// Forgets one.
    pub(super) fn end(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_was_idle_for_its_lifetime_and_not_before() {
        let mut sessions = Sessions::new(Duration::from_secs(10));
        sessions.begin("a".to_owned(), Time::ZERO).visits = 1;
        assert!(sessions.find("a", Time::from_nanos(9_999_999_999)).is_some());
        assert!(sessions.find("a", Time::from_secs(19)).is_some());
        assert!(sessions.find("a", Time::from_secs(29)).is_none());
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn a_full_table_forgets_the_one_that_was_idle_longest() {
        let mut sessions = Sessions::new(Duration::from_secs(100));
        for number in 0..SESSIONS_MAX {
            sessions.begin(number.to_string(), Time::from_nanos(number as u64));
        }
        sessions.begin("new".to_owned(), Time::from_secs(1));
        assert_eq!((sessions.len(), sessions.forgotten), (SESSIONS_MAX, 1));
        assert!(sessions.find("0", Time::from_secs(1)).is_none());
        assert!(sessions.find("1", Time::from_secs(1)).is_some() && sessions.find("new", Time::from_secs(1)).is_some());
        // Those that are over make room for all that follow.
        sessions.begin("later".to_owned(), Time::from_secs(200));
        assert_eq!((sessions.len(), sessions.forgotten), (1, 1));
    }
}
