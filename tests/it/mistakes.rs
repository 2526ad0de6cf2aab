//! Every mistake is told where it stands, with what would be right: what a person reads is held here, word by word.

use std::fs;
use std::path::PathBuf;

use hopwise::Scenario;
use hopwise::scenario::Mistakes;

fn mistakes_of(text: &str) -> Mistakes {
    Scenario::from_toml("scenario.toml", text).expect_err("the file has mistakes")
}

fn files() -> Vec<PathBuf> {
    let files = fs::read_dir("tests/it/mistakes").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_told_in_the_words_that_are_held() {
    let files = files();
    assert!(files.len() >= 25, "{}", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("mistakes");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&file).unwrap();
            insta::assert_snapshot!(name, mistakes_of(&text).to_string());
        }
    });
}

#[test]
fn five_different_mistakes_are_told_at_once_each_at_its_place() {
    let text = fs::read_to_string("tests/it/mistakes/five-at-once.toml").unwrap();
    let mistakes = mistakes_of(&text);
    let told: Vec<&str> = mistakes.diagnostics.iter().map(|problem| &text[problem.span.clone()]).collect();
    assert_eq!(told, ["30", "adr", "sever", "\"tcp-ehco\"", "tcp.akc"]);
}

#[test]
fn a_mistake_in_a_setting_is_shown_in_the_setting() {
    let text = "[nodes]\na = {}\nb = {}\n[links]\nwire = { ends = [\"a\", \"b\"] }\n";
    let mut scenario = Scenario::from_toml("scenario.toml", text).unwrap();
    let mut told = String::new();
    for (path, value) in [
        ("links.wier.delay", "200ms"),
        ("links.wire.delya", "200ms"),
        ("links.wire.delay", "200"),
        ("lnks.wire.delay", "1ms"),
        ("links.wire.ab.loss", "150%"),
    ] {
        told.push_str(&scenario.set(path, value).expect_err("it is wrong").render(false));
        told.push('\n');
    }
    insta::with_settings!({ snapshot_path => "mistakes", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("settings", told);
    });
    scenario.set("links.wire.delay", "200ms").expect("what was refused has left no trace");
    assert!(scenario.describe().unwrap().contains("delay = 200ms"));
}

#[test]
fn too_much_is_refused_before_it_is_made() {
    let told = mistakes_of(&format!("# {}\n", "x".repeat(9 << 20)));
    assert!(told.diagnostics[0].title.contains("at most"), "{:?}", told.diagnostics);
    let star = |name: &str| format!("[topology.{name}]\nkind = \"star\"\nhosts = 65000\nprefix = \"{name}\"\n");
    let told = mistakes_of(&["a", "b", "c", "d"].map(star).concat());
    assert!(told.diagnostics[0].title.contains("at most 200000"), "{:?}", told.diagnostics);
}
