//! The JSON Schema takes what the reader takes: every shipped scenario, and the starter.

use std::fs;

use hopwise::scenario::{examples, schema, starter, topology};
use hopwise::{app, expect, link, network, node, output};
use serde_json::{Map, Value, json};

/// Why a value does not fit a schema; the keywords that our schema uses, and no others.
fn objections(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let Value::Object(schema) = schema else { panic!("a schema is an object: {schema}") };
    let mut found = Vec::new();
    let mut object = |text: String| found.push(format!("{place}: {text}"));
    for (keyword, wanted) in schema {
        match keyword.as_str() {
            "$schema" | "title" | "description" => {}
            "type" => {
                let is_right = match wanted.as_str().unwrap() {
                    "array" => value.is_array(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "object" => value.is_object(),
                    "string" => value.is_string(),
                    other => panic!("an unknown type {other}"),
                };
                if !is_right {
                    object(format!("{value} is no {wanted}"));
                }
            }
            "const" if value != wanted => object(format!("{value} is not {wanted}")),
            "enum" if !wanted.as_array().unwrap().contains(value) => object(format!("{value} is not among {wanted}")),
            "minimum" if value.as_i64() < wanted.as_i64() => object(format!("{value} is less than {wanted}")),
            "maximum" if value.as_i64() > wanted.as_i64() => object(format!("{value} is more than {wanted}")),
            "pattern" => {
                // Enough of a regular expression for ours: a quantity ends in one of its units.
                let text = value.as_str().unwrap_or("");
                let has_digit = text.chars().any(|c| c.is_ascii_digit());
                if !has_digit {
                    object(format!("{value} does not match {wanted}"));
                }
            }
            "const" | "enum" | "minimum" | "maximum" => {}
            "properties" | "additionalProperties" | "required" => {}
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    let inner = objections(wanted, item, &format!("{place}[{index}]"));
                    inner.into_iter().for_each(&mut object);
                }
            }
            "anyOf" | "oneOf" => {
                let each: Vec<Vec<String>> =
                    wanted.as_array().unwrap().iter().map(|one| objections(one, value, place)).collect();
                let fitting = each.iter().filter(|objections| objections.is_empty()).count();
                if fitting == 0 || keyword == "oneOf" && fitting > 1 {
                    object(format!("{fitting} of {} choices fit {value}: {each:?}", each.len()));
                }
            }
            other => panic!("a keyword that no test knows: {other}"),
        }
    }
    if let Value::Object(table) = value {
        found.extend(object_objections(schema, table, place));
    }
    found
}

fn object_objections(schema: &Map<String, Value>, table: &Map<String, Value>, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !table.contains_key(key.as_str().unwrap()) {
            found.push(format!("{place}: {key} is missing"));
        }
    }
    for (key, value) in table {
        let place = format!("{place}.{key}");
        match (schema.get("properties").and_then(|properties| properties.get(key)), schema.get("additionalProperties"))
        {
            (Some(inner), _) => found.extend(objections(inner, value, &place)),
            (None, Some(Value::Bool(false))) => found.push(format!("{place}: unknown")),
            (None, Some(inner)) => found.extend(objections(inner, value, &place)),
            (None, None) => {}
        }
    }
    found
}

fn objections_to(toml: &str) -> Vec<String> {
    let table: toml::Table = toml.parse().unwrap();
    objections(&schema(), &serde_json::to_value(table).unwrap(), "")
}

#[test]
fn every_shipped_scenario_fits_the_schema() {
    for example in examples() {
        assert_eq!(objections_to(example.text), [""; 0], "{}", example.name);
    }
    assert_eq!(objections_to(starter()), [""; 0]);
}

#[test]
fn every_example_of_a_kind_fits_the_schema() {
    let mut examples: Vec<(&str, String)> = Vec::new();
    examples.extend(node::KINDS.iter().map(|kind| (kind.name, format!("[nodes.example]\n{}\n", kind.example))));
    let link = |example: &str| format!("[links.wan]\nends = [\"a\", \"b\"]\n{example}\n");
    examples.extend(link::impair::KINDS.iter().map(|kind| (kind.name, link(kind.example))));
    examples.extend(app::KINDS.iter().map(|kind| (kind.name, format!("[apps]\n{}\n", kind.example))));
    examples.extend(topology::KINDS.iter().map(|kind| (kind.name, kind.example.to_owned())));
    examples.extend(network::action::KINDS.iter().map(|kind| (kind.name, kind.example.to_owned())));
    examples.extend(expect::KINDS.iter().map(|kind| (kind.name, kind.example.to_owned())));
    examples.extend(output::KINDS.iter().map(|kind| (kind.name, kind.example.to_owned())));
    assert!(examples.len() > 30, "{}", examples.len());
    for (name, example) in examples {
        assert_eq!(objections_to(&example), [""; 0], "{name}:\n{example}");
    }
}

#[test]
fn what_the_reader_takes_away_or_counts_far_the_schema_takes() {
    let mut text =
        String::from("seed = 18446744073709551615\nnodes = { a = {}, b = {} }\n[links.w]\nends = [\"a\", \"b\"]\n");
    for key in ["corrupt", "duplicate", "jitter", "loss", "rate", "reorder"] {
        text.push_str(&format!("{key} = \"none\"\n"));
    }
    hopwise::Scenario::from_toml("none", text.clone()).unwrap();
    // The toml crate's own tables hold no number as large as that seed.
    assert_eq!(objections_to(&text.replace("18446744073709551615", "9223372036854775807")), [""; 0]);
    assert!(schema()["properties"]["seed"].get("maximum").is_none());
}

#[test]
fn what_the_reader_refuses_for_its_shape_the_schema_refuses_too() {
    let refused = [
        "node-not-a-table",
        "at-not-a-list",
        "at-without-time",
        "at-unknown-action",
        "app-missing-fields",
        "app-unknown-kind",
        "expect-says-nothing",
        "five-at-once",
        "format-of-the-future",
        "link-impairment-misspelled",
        "link-mtu-out-of-range",
        "link-profile",
        "node-unknown-kind",
        "record-unknown-output",
        "section-misspelled",
        "unknown-key",
        "wrong-type",
    ];
    for name in refused {
        let text = fs::read_to_string(format!("tests/it/mistakes/{name}.toml")).unwrap();
        assert_ne!(objections_to(&text), [""; 0], "{name}");
    }
}

#[test]
fn the_schema_says_which_draft_it_is_and_describes_every_section() {
    let schema = schema();
    assert_eq!(schema["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
    for (name, section) in schema["properties"].as_object().unwrap() {
        assert!(section["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
    }
}
