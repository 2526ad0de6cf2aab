//! What `docs/conformance/` claims is true as far as a machine can tell: every row has a verdict, every verdict its test
//! or its reason, and every test that is named exists.
//!
//! ```text
//! | RFC § | Requirement | Verdict | Test or reason |
//! |---|---|---|---|
//! | 8200 §4.5 | "…" | obeyed | `node::tests::ipv6::fragments::each_is_cut_alike` |
//! | 4861 §6.2.5 | "…" | departs | why |
//! | 4861 §11.2 | "…" | not applicable | why |
//! ```
//!
//! A test is named by its full path as `cargo test` prints it; those of this binary begin with `it::`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const HEADER: &str = "| RFC § | Requirement | Verdict | Test or reason |";

/// A row of a table: one requirement.
struct Row {
    place: String,
    cells: Vec<String>,
}

/// All rows of all pages. A page has as many tables as it likes; each has the header, and nothing else has bars.
fn rows() -> Vec<Row> {
    let mut pages: Vec<_> = fs::read_dir("docs/conformance").unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let mut rows = Vec::new();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(page).unwrap();
        let mut is_in_table = false;
        for (index, line) in text.lines().enumerate() {
            let place = format!("{}:{}", page.display(), index + 1);
            if line == HEADER {
                is_in_table = true;
            } else if !line.starts_with('|') {
                is_in_table = false;
            } else if !line.starts_with("|---") {
                assert!(is_in_table, "{place}: this row stands below no header `{HEADER}`");
                let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
                rows.push(Row { place, cells });
            }
        }
    }
    rows
}

/// The path of every test: `module::test` of the library, `it::module::test` of this binary.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    collect(Path::new("src"), "", &mut tests);
    collect(Path::new("tests/it"), "it::", &mut tests);
    tests
}

fn collect(folder: &Path, module: &str, tests: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(&path, &format!("{module}{stem}::"), tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module =
                if matches!(&*stem, "mod" | "lib" | "main") { module.to_owned() } else { format!("{module}{stem}::") };
            tests.extend(tests_of(&fs::read_to_string(&path).unwrap()).map(|test| format!("{module}{test}")));
        }
    }
}

/// The tests of a file, those in a `mod tests` with that in front.
fn tests_of(text: &str) -> impl Iterator<Item = String> {
    let (mut is_test, mut is_inner) = (false, false);
    text.lines().filter_map(move |line| {
        let code = line.trim_start();
        is_inner |= line == "mod tests {";
        if code == "#[test]" {
            is_test = true;
        } else if let Some(name) = code.strip_prefix("fn ") {
            let name = name.split(['(', '<']).next().unwrap_or_default();
            return std::mem::take(&mut is_test).then(|| format!("{}{name}", if is_inner { "tests::" } else { "" }));
        } else if !code.starts_with("#[") && !code.starts_with("//") {
            is_test = false;
        }
        None
    })
}

/// What stands between backquotes and is a path.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2).filter(|code| code.contains("::"))
}

#[test]
fn every_requirement_has_a_verdict_and_every_verdict_its_ground() {
    let tests = tests();
    assert!(tests.contains("it::conformance::every_requirement_has_a_verdict_and_every_verdict_its_ground"));
    let mut wrong = Vec::new();
    for Row { place, cells } in rows() {
        let [section, requirement, verdict, ground] = &cells[..] else {
            wrong.push(format!("{place}: {} cells instead of 4", cells.len()));
            continue;
        };
        let rfc = section.split_once(" §").map(|(rfc, _)| rfc);
        if rfc.is_none_or(|rfc| rfc.is_empty() || !rfc.bytes().all(|byte| byte.is_ascii_digit())) {
            wrong.push(format!("{place}: `{section}` is no section; like `8200 §4.5`"));
        }
        if requirement.is_empty() {
            wrong.push(format!("{place}: no requirement"));
        }
        let names: Vec<&str> = named(ground).collect();
        match &**verdict {
            "obeyed" if names.is_empty() => wrong.push(format!("{place}: obeyed, but no test says so")),
            "departs" | "not applicable" if ground.is_empty() => wrong.push(format!("{place}: {verdict}, but why?")),
            "departs" | "not applicable" | "obeyed" => {}
            _ => wrong.push(format!("{place}: `{verdict}` is not `obeyed`, `departs` or `not applicable`")),
        }
        for name in names.into_iter().filter(|name| !tests.contains(*name)) {
            let alike: Vec<&String> =
                tests.iter().filter(|test| test.rsplit("::").next() == name.rsplit("::").next()).collect();
            wrong.push(format!("{place}: no test is called `{name}`; elsewhere: {alike:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_are_found_where_they_are() {
    let text = "#[test]\nfn outer() {}\nfn helper() {}\nmod tests {\n    #[test]\n    #[should_panic]\n    fn inner(a: u8) {}\n}\n";
    assert_eq!(tests_of(text).collect::<Vec<_>>(), ["outer", "tests::inner"]);
    assert_eq!(named("see `a::b` and `c`, `d::e`").collect::<Vec<_>>(), ["a::b", "d::e"]);
}
