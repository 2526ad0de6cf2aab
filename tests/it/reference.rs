//! The generated page under `docs/` says what the code says.

use std::fs;

#[test]
fn the_reference_page_is_what_kinds_prints() {
    let held = fs::read_to_string("docs/reference.md").unwrap();
    assert!(held == hopwise::scenario::reference(), "docs/reference.md is old: hopwise kinds > docs/reference.md");
}
