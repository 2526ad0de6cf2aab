//! What the documentation shows is true: its scenarios run, its commands print what stands below them.
//!
//! In a `console` block a line `$ hopwise …` is run, in an empty directory, and the lines below it must be what it prints
//! (standard output, then standard error). A line `…` stands for lines that are left out; what follows the last line may
//! be left out without one. A `toml` block is a scenario that runs and meets its expectations; one that is marked
//! `toml fragment` only has to be TOML.

use std::fs;
use std::path::Path;

use hopwise::Scenario;

use crate::command::{directory, hopwise};

/// Made from examples that are tested where they stand.
const GENERATED: &str = "docs/reference.md";

/// The pages that people read: those beside the manifest, and those in `docs/`.
fn pages() -> Vec<String> {
    let entries = [".", "docs", "docs/course"].iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path().display().to_string().trim_start_matches("./").to_owned());
    let mut pages: Vec<String> = paths.filter(|path| path.ends_with(".md") && path != GENERATED).collect();
    pages.sort();
    assert!(pages.iter().any(|page| page == "README.md"), "{pages:?}");
    pages
}

/// A fenced block of a page.
struct Block {
    page: String,
    line: usize,
    /// What follows the fence: `toml`, `console`, `toml fragment`.
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(kind)) => {
                    let (page, kind) = (page.clone(), kind.trim().to_owned());
                    open = Some(Block { page, line: index + 1, kind, text: String::new() });
                }
                (Some(_), Some("")) => blocks.extend(open.take()),
                (Some(block), _) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{page}: a block does not end");
    }
    blocks
}

/// Splits a command as a shell would, as far as documentation needs it: blanks, and single quotes around words.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in command.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Why `shown` is not what was printed; `None` if it is.
fn objection(shown: &[&str], printed: &str) -> Option<String> {
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let mut at = 0;
    for (index, run) in shown.split(|line| line.trim() == "…").enumerate() {
        let run: Vec<&str> = run.iter().map(|line| line.trim_end()).collect();
        let found = printed[at..].windows(run.len().max(1)).position(|lines| run.is_empty() || lines == run);
        match found {
            Some(skipped) if skipped == 0 || index > 0 => at += skipped + run.len(),
            _ => {
                let wrong = run.iter().find(|line| !printed.contains(line)).or_else(|| run.first());
                return Some(format!("this is not what is printed there:\n{}", wrong.unwrap_or(&"(nothing)")));
            }
        }
    }
    None
}

#[test]
fn every_command_prints_what_is_shown_below_it() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for block in blocks().iter().filter(|block| block.kind == "console") {
        let lines: Vec<&str> = block.text.lines().collect();
        let starts: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].starts_with("$ ")).collect();
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).copied().unwrap_or(lines.len());
            let words = words(lines[*start].trim_start_matches("$ "));
            assert_eq!(words[0], "hopwise", "{}:{}: only hopwise is run", block.page, block.line);
            let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            let called = hopwise(&directory(&format!("docs-{}-{start}", block.line)), &arguments);
            let shown: Vec<&str> = lines[start + 1..end].to_vec();
            if let Some(objection) = objection(&shown, &(called.out + &called.err)) {
                wrong.push(format!("{}:{}: {}: {objection}", block.page, block.line + start + 1, lines[*start]));
            }
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_scenario_in_the_pages_meets_its_expectations() {
    let mut count = 0;
    for block in blocks() {
        let name = format!("{}:{}", block.page, block.line);
        match block.kind.as_str() {
            "toml" => {
                let scenario = Scenario::from_toml(&name, &block.text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
                scenario.run().unwrap_or_else(|mistakes| panic!("{mistakes}")).assert_met();
                count += 1;
            }
            "toml fragment" => {
                block.text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            _ => {}
        }
    }
    assert!(count >= 1, "the README shows a scenario");
}

#[test]
fn every_file_that_a_page_links_to_is_there() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let folder = Path::new(&page).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            let is_elsewhere = link.contains("://") || path.is_empty();
            assert!(is_elsewhere || fs::exists(folder.join(path)).unwrap(), "{page} links to {link}");
        }
    }
}

#[test]
fn what_is_left_out_or_wrong_in_a_shown_output_is_found() {
    let printed = "one\ntwo\nthree\nfour\n";
    assert_eq!(objection(&["one", "…", "three"], printed), None);
    assert_eq!(objection(&["…", "three", "four"], printed), None);
    assert_eq!(objection(&["one", "two"], printed), None);
    assert!(objection(&["two"], printed).is_some(), "the first line is not shown");
    assert!(objection(&["one", "three"], printed).is_some(), "a line is missing in the middle");
    assert!(objection(&["one", "…", "five"], printed).is_some());
    assert!(objection(&["…", "three", "…", "two"], printed).is_some(), "out of order");
}
