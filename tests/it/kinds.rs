//! Manners of the registries: what can be named has a name of its own, a sentence, and an example that is right.

use std::collections::BTreeSet;

use hopwise::read::Kind;
use hopwise::scenario::{reference, topology};
use hopwise::{Scenario, app, expect, link, network, node, output};

/// What the examples name.
const BASE: &str = r#"
[nodes]
client = { addr = { eth0 = "10.0.1.10/24" } }
server = { addr = { eth0 = "10.0.1.80/24" } }
router = { kind = "router" }
[links]
access = { ends = ["client:eth1", "server:eth1"] }
wan = { ends = ["client:eth0", "server:eth0"], delay = "1ms", rate = "10Mbit" }
[apps]
fetch = { on = "client", kind = "ping", to = "server" }
"#;

/// Checks one registry: every example, put into a scenario by `place`, is right.
fn check<'k, B: 'static>(registry: &str, kinds: impl IntoIterator<Item = &'k Kind<B>>, place: impl Fn(&str) -> String) {
    let mut names = BTreeSet::new();
    for kind in kinds {
        assert!(names.insert(kind.name), "{registry}: two kinds are called {}", kind.name);
        assert!(kind.doc.ends_with('.') && !kind.doc.contains('\n'), "{registry} {}: {}", kind.name, kind.doc);
        let mut keys = BTreeSet::new();
        for field in kind.fields {
            assert!(keys.insert(field.name), "{registry} {}: two keys are called {}", kind.name, field.name);
            assert!(field.doc.ends_with('.'), "{registry} {}.{}: {}", kind.name, field.name, field.doc);
        }
        let text = place(kind.example);
        if let Err(mistakes) = Scenario::from_toml(kind.name, text) {
            panic!("{registry} {}:\n{mistakes}", kind.name);
        }
    }
    assert!(!names.is_empty(), "{registry}");
}

#[test]
fn every_kind_has_a_name_a_sentence_and_an_example_that_is_right() {
    check("nodes", node::KINDS.iter().copied(), |example| format!("[nodes.example]\n{example}\n"));
    check("impairments", link::impair::KINDS, |example| {
        format!("[nodes]\na = {{}}\nb = {{}}\n[links.wan]\nends = [\"a\", \"b\"]\n{example}\n")
    });
    check("topology", topology::KINDS, str::to_owned);
    // An example may have the name that others expect of one.
    let apps_base = BASE.replace("fetch =", "other =");
    check("apps", app::KINDS, |example| format!("{apps_base}{example}\n"));
    check("at", network::action::KINDS, |example| format!("{BASE}{example}\n"));
    check("expect", expect::KINDS, |example| format!("{BASE}{example}\n"));
    check("record", output::KINDS, |example| format!("{BASE}{example}\n"));
}

#[test]
fn every_profile_can_be_named() {
    for profile in link::PROFILES {
        let name = profile.name;
        let text =
            format!("[nodes]\na = {{}}\nb = {{}}\n[links]\nx = {{ ends = [\"a\", \"b\"], profile = \"{name}\" }}\n");
        assert!(Scenario::from_toml(name, text).is_ok(), "{name}");
    }
}

#[test]
fn the_reference_page_has_a_heading_for_every_kind() {
    let page = reference();
    let mut names: Vec<&str> = node::KINDS.iter().map(|kind| kind.name).collect();
    names.extend(link::impair::KINDS.iter().map(|kind| kind.name));
    names.extend(link::PROFILES.iter().map(|profile| profile.name));
    names.extend(topology::KINDS.iter().map(|kind| kind.name));
    names.extend(app::KINDS.iter().map(|kind| kind.name));
    names.extend(network::action::KINDS.iter().map(|kind| kind.name));
    names.extend(expect::KINDS.iter().map(|kind| kind.name));
    names.extend(output::KINDS.iter().map(|kind| kind.name));
    for name in names {
        assert!(page.contains(&format!("\n### `{name}`\n")), "{name}");
    }
}
