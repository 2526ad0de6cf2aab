//! The house rules that a machine can check: imports point down, every file says what it is, every example is bundled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each module of the crate, read from the table in `lib.rs`.
fn floors() -> BTreeMap<String, u32> {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! |"));
    let mut floors = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').map(str::trim);
        let Some(Ok(floor)) = cells.next().map(str::parse::<u32>) else { continue };
        for module in cells.next().unwrap_or_default().split_whitespace() {
            floors.insert(module.trim_matches(|c: char| !c.is_alphanumeric() && c != '_').to_owned(), floor);
        }
    }
    floors
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// The top module that a file belongs to: `src/link/pipe.rs` is `link`.
fn module_of(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_down_the_floors() {
    let floors = floors();
    assert!(floors.len() >= 15, "the table of floors in lib.rs was not understood: {floors:?}");
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(floor) = floors.get(&module) else {
            wrong.push(format!("{}: module `{module}` stands on no floor of lib.rs", path.display()));
            continue;
        };
        // Tests may look anywhere; they stand at the foot of the file.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                match floors.get(&name) {
                    Some(used_floor) if used_floor > floor => {
                        wrong.push(format!("{}: {module} ({floor}) uses {name} ({used_floor})", path.display()));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports must point down:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:?}");
}

#[test]
fn nothing_is_ignored_or_left_to_do() {
    let marks = ["#[ignore", "todo!(", "unimplemented!("];
    let found: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| marks.iter().any(|mark| text.contains(mark)))
        .map(|(path, _)| path)
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_scenario_is_bundled_and_opens_with_a_lesson() {
    let in_folder = |folder: &'static str, prefix: &'static str| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(move |name| name.strip_suffix(".toml").map(|name| format!("{prefix}{name}")))
    };
    let mut files: Vec<String> = in_folder("scenarios", "").chain(in_folder("scenarios/course", "course/")).collect();
    files.sort();
    let bundled: Vec<String> = hopwise::scenario::examples().iter().map(|example| example.name.to_owned()).collect();
    assert_eq!(files, bundled, "scenarios/ and the list of bundled examples differ");
    for example in hopwise::scenario::examples() {
        assert!(example.text.starts_with("# "), "{} opens without a lesson", example.name);
    }
}

#[test]
fn every_scenario_of_the_course_has_its_page_and_every_page_its_scenario() {
    let index = fs::read_to_string("docs/course/README.md").unwrap();
    let mut pages: Vec<String> =
        fs::read_dir("docs/course").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    pages.retain(|page| page != "README.md");
    pages.sort();
    let lessons = hopwise::scenario::examples().iter().filter(|example| example.is_of_course());
    let wanted: Vec<String> = lessons.map(|example| example.name.replace("course/", "") + ".md").collect();
    assert_eq!(pages, wanted, "docs/course and scenarios/course differ");
    for page in pages {
        let name = page.trim_end_matches(".md");
        let text = fs::read_to_string(format!("docs/course/{page}")).unwrap();
        assert!(index.contains(&format!("]({page})")), "the index leaves out {page}");
        assert!(text.contains(&format!("hopwise run course/{name}")), "{page} does not run its scenario");
        for part in ["## Try this", "## Questions", "## To read"] {
            assert!(text.contains(part), "{page} lacks `{part}`");
        }
    }
}
