//! `hopwise replay`: a recorded session happens again.

use super::Verdict;
use super::arguments;
use super::load::show;
use super::run::Prepared;
use super::terminal::Terminal;
use crate::attach::{Recording, replay as carry_out};

/// Repeats a session, prints what was asked for, judges.
pub(super) fn replay(arguments: &arguments::Replay, terminal: &Terminal) -> Verdict {
    match try_replay(arguments, terminal) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn try_replay(arguments: &arguments::Replay, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let path = arguments.file.display();
    let bytes = std::fs::read(&arguments.file);
    let bytes = bytes.map_err(|error| terminal.complain(&format!("cannot read {path}: {error}")))?;
    let read = Recording::read(&bytes).map_err(|error| terminal.complain(&format!("{path}: {error}")))?;
    drop(bytes);
    if let Some(damage) = &read.damage {
        if !arguments.salvage {
            let hint = format!("`hopwise replay --salvage {path}` replays that much");
            return Err(terminal.complain(&format!("{path} is damaged {damage}\n{hint}")));
        }
        terminal.tell(&format!("{path} is damaged {damage}"));
    }
    let header = &read.recording.header;
    let scenario = header.scenario().map_err(|mistakes| show(&mistakes, terminal))?;
    let mut prepared = Prepared::new(&scenario, &arguments.how, false, terminal)?;
    prepared.run.set_repeat_command(format!("hopwise replay {path}"));
    let until = prepared.until;
    let replayed = carry_out(&read.recording, &mut prepared.run, until);
    if header.version != env!("CARGO_PKG_VERSION") && replayed.is_err() {
        let (then, now) = (&header.version, env!("CARGO_PKG_VERSION"));
        terminal.tell(&format!("the session was recorded by hopwise {then}; this is {now}"));
    }
    let replayed = replayed.map_err(|error| terminal.complain(&format!("{path}: {error}")));
    let verdict = prepared.finish(&arguments.how, terminal);
    Ok(if replayed.is_err() { Verdict::Wrong } else { verdict })
}
