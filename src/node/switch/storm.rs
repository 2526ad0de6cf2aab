//! A limit on flooding: so many frames a second from each port, and no more.
//!
//! As real switches do it ("storm control"): the frames that came in at a port and have to go everywhere are counted for
//! one second from the first; beyond the limit they are dropped until that second is over. It bounds what a loop does
//! to everybody else; the loop itself goes on.

use std::time::Duration;

use crate::time::Time;

/// For how long frames are counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// Whether a frame may be flooded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// No; `is_first` of its second.
    Refuse {
        is_first: bool,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// Zero before the first.
    ends_at: Time,
    frames: u32,
}

/// What was flooded of late, by port.
#[derive(Debug)]
pub(super) struct StormControl {
    limit: u32,
    windows: Vec<Window>,
}

impl StormControl {
    pub(super) fn new(limit: u32, ports: usize) -> Self {
        Self { limit, windows: vec![Window::default(); ports] }
    }

    /// A frame that came in at `port` is to be flooded: may it?
    pub(super) fn judge(&mut self, port: u16, now: Time) -> Verdict {
        let Some(window) = self.windows.get_mut(usize::from(port)) else { return Verdict::Pass };
        if now >= window.ends_at {
            *window = Window { ends_at: now + WINDOW, frames: 0 };
        }
        window.frames = window.frames.saturating_add(1);
        if window.frames <= self.limit {
            return Verdict::Pass;
        }
        Verdict::Refuse { is_first: window.frames == self.limit.saturating_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_for_each_port_and_each_second() {
        let mut storm = StormControl::new(2, 2);
        let at = |milliseconds| Time::from_millis(milliseconds);
        let verdicts =
            [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (0, 999), (0, 1000)].map(|(port, ms)| storm.judge(port, at(ms)));
        let refuse = |is_first| Verdict::Refuse { is_first };
        let pass = Verdict::Pass;
        assert_eq!(verdicts, [pass, pass, refuse(true), refuse(false), pass, refuse(false), pass]);
    }
}
