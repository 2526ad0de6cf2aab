//! A bar on the standard error for runs that take long: virtual time, events a second.
//!
//! Only on a terminal, and only once a run has taken a second, so that quick runs show nothing.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::Terminal;
use crate::scenario::Run;
use crate::time::Time;

/// How many events pass between two looks at the clock.
const EVENTS_BETWEEN_LOOKS: u64 = 200_000;

/// How long a run may take before the bar appears.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs to the end, showing how far it is.
pub(super) fn run_to_end(run: &mut Run, terminal: &Terminal) {
    if !terminal.shows_progress() {
        run.until(run.stop());
        return;
    }
    // The bar's own clock decides when it may appear: until then it is hidden.
    let bar = ProgressBar::hidden();
    let mut is_shown = false;
    let stop_seconds = run.stop().since(Time::ZERO).as_secs();
    while run.proceed(EVENTS_BETWEEN_LOOKS) {
        if !is_shown && bar.elapsed() > PATIENCE {
            is_shown = true;
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar.set_length(stop_seconds);
            let style = ProgressStyle::with_template("{bar:30} {msg}").expect("the template is a constant and right");
            bar.set_style(style);
        }
        let (now, events) = (run.network.now(), run.network.events());
        bar.set_position(now.since(Time::ZERO).as_secs());
        let rate = events as f64 / bar.elapsed().as_secs_f64().max(1e-9);
        bar.set_message(format!("{now} s of {} s virtual, {events} events, {rate:.0} a second", run.stop()));
    }
    bar.finish_and_clear();
}
