//! `hopwise merge`: the records of shards become those of the campaign.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Verdict;
use super::arguments;
use super::sweep::read_text;
use super::terminal::Terminal;
use crate::sweep::file::{self, FileError, Header};
use crate::sweep::{Record, Shard, Table};

/// How many missing runs are named.
const NAMED_MAX: usize = 10;

/// Puts files together, and shows their table.
pub(super) fn merge(arguments: &arguments::Merge, terminal: &Terminal) -> Verdict {
    try_merge(arguments, terminal).unwrap_or_else(|verdict| verdict)
}

fn try_merge(arguments: &arguments::Merge, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let refused = |error: FileError| terminal.complain(&error.to_string());
    let mut first: Option<Header> = None;
    let mut records: BTreeMap<u64, Record> = BTreeMap::new();
    for path in &arguments.files {
        let name = path.display().to_string();
        let text = read_text(path, terminal)?;
        let (header, more, whole) = file::read(&name, &text).map_err(refused)?;
        match &first {
            Some(first) => first.check(&name, &header, false).map_err(refused)?,
            None => first = Some(header),
        }
        if whole < text.len() {
            terminal.tell(&format!("{name} ends in the middle of a line, which is left out"));
        }
        for record in more {
            let run = record.run;
            // The same run may have been made twice: then it must have come to the same.
            match records.insert(run, record.clone()) {
                Some(other) if other != record => return Err(refused(FileError::Contradiction { name, run })),
                _ => {}
            }
        }
    }
    let header = first.expect("the command line has at least one file");
    let mut table = Table::default();
    records.values().for_each(|record| table.add(record));
    if let Some(path) = &arguments.out {
        let mut text = Header { shard: Shard::WHOLE, ..header.clone() }.to_json() + "\n";
        for record in records.values() {
            let _ = writeln!(text, "{}", record.to_json());
        }
        std::fs::write(path, text)
            .map_err(|error| terminal.complain(&format!("cannot write {}: {error}", path.display())))?;
    }
    let head = format!("{}: {} of {} runs\n\n", header.scenario, records.len(), header.runs());
    if terminal.print(&(head + &table.to_text(&header.measure))) != Verdict::Met {
        return Err(Verdict::Wrong);
    }
    if let Some(path) = &arguments.out {
        terminal.tell(&format!("wrote {}", path.display()));
    }
    let is_complete = records.len() as u64 == header.runs();
    if !is_complete {
        let missing = (0..header.runs()).filter(|run| !records.contains_key(run));
        let named: Vec<String> = missing.take(NAMED_MAX).map(|run| run.to_string()).collect();
        let count = header.runs() - records.len() as u64;
        return Err(terminal.complain(&format!("{count} runs are missing, the first of them: {}", named.join(", "))));
    }
    Ok(if table.met() == table.runs() { Verdict::Met } else { Verdict::NotMet })
}
