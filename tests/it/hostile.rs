//! A scenario file may be anything: it is read or refused, and nothing else happens.

use std::fs;
use std::path::PathBuf;

use hopwise::Scenario;
use proptest::prelude::*;

/// Every file that is somewhat like a scenario.
fn corpus() -> Vec<String> {
    let folders = ["scenarios", "tests/it/mistakes"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Reads it and, if it is right, runs the beginning of it; mistakes must be such that they can be shown.
fn survive(text: &str) {
    match Scenario::from_toml("hostile.toml", text) {
        Ok(scenario) => {
            let mut run = scenario.build().expect("what was read without a mistake can be built");
            run.events(500);
        }
        Err(mistakes) => {
            assert!(!mistakes.diagnostics.is_empty());
            assert!(!mistakes.to_string().is_empty());
            assert!(mistakes.diagnostics.iter().all(|problem| !problem.title.is_empty()));
        }
    }
}

/// What is done to a file: where (in thousandths of its length), and what.
#[derive(Debug, Clone)]
enum Mutation {
    Delete { length: usize },
    Flip { bit: u8 },
    Insert { text: String },
    Repeat { length: usize },
    SwapLines { with: usize },
}

fn mutation() -> impl Strategy<Value = (usize, Mutation)> {
    let word = prop_oneof![
        Just("\"".to_owned()),
        Just("[".to_owned()),
        Just("[[at]]\n".to_owned()),
        Just("{ }".to_owned()),
        Just("'''".to_owned()),
        Just("9999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("\u{1F980}".to_owned()),
        Just("\0".to_owned()),
        Just("99999h".to_owned()),
        Just("0.0.0.0/0".to_owned()),
        Just("ffff::/128".to_owned()),
        "[ -~]{1,8}",
    ];
    let what = prop_oneof![
        (1..60_usize).prop_map(|length| Mutation::Delete { length }),
        (0..8_u8).prop_map(|bit| Mutation::Flip { bit }),
        word.prop_map(|text| Mutation::Insert { text }),
        (1..200_usize).prop_map(|length| Mutation::Repeat { length }),
        (0..1000_usize).prop_map(|with| Mutation::SwapLines { with }),
    ];
    (0..1000_usize, what)
}

fn mutate(text: &str, place: usize, mutation: &Mutation) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = place * bytes.len() / 1000;
    match mutation {
        Mutation::Delete { length } => drop(bytes.drain(at..(at + length).min(bytes.len()))),
        Mutation::Flip { bit } => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Mutation::Insert { text } => drop(bytes.splice(at..at, text.bytes())),
        Mutation::Repeat { length } => {
            let copy = bytes[at..(at + length).min(bytes.len())].to_vec();
            drop(bytes.splice(at..at, copy));
        }
        Mutation::SwapLines { with } => {
            let mut lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                let (a, b) = (place * lines.len() / 1000, with * lines.len() / 1000);
                lines.swap(a, b);
            }
            return lines.join("\n");
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        survive(&text);
    }

    #[test]
    fn any_lines_of_scenario_words_are_read_or_refused(
        lines in prop::collection::vec("(\\[\\[?(nodes|links|apps|at|expect|record|topology)(\\.[ab])?\\]\\]?|(kind|addr|ends|on|to|t|do|match|delay|loss|queue|ab|hosts|nth|link|gateway|routes|packets|that) = (\"[a-z0-9./:%-]{0,12}\"|[0-9]{1,4}|\\[[\"a-z, ]{0,12}\\]|\\{ [a-z]{1,5} = \"[a-z0-9]{0,4}\" \\}))", 0..24)
    ) {
        survive(&lines.join("\n"));
    }

    #[test]
    fn a_damaged_scenario_is_read_or_refused(
        which in 0..1000_usize,
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let corpus = corpus();
        let mut text = corpus[which * corpus.len() / 1000].clone();
        for (place, mutation) in &mutations {
            text = mutate(&text, *place, mutation);
        }
        survive(&text);
    }

    #[test]
    fn any_setting_is_taken_or_refused(path in "(links|nodes|apps|at|x)?\\.?[a-z0-9.]{0,12}", value in "\\PC{0,20}") {
        let text = "[nodes]\na = {}\nb = {}\n[links]\nwire = { ends = [\"a\", \"b\"] }\n";
        let mut scenario = Scenario::from_toml("hostile.toml", text).unwrap();
        if let Err(mistakes) = scenario.set(path, value) {
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }
}
