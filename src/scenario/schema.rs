//! The JSON Schema of scenarios, for editors: made from the tables that the reader itself walks.
//!
//! It says less than the reader checks (names that must exist, addresses that must fit), and never more: what the
//! reader takes, the schema takes.

use serde_json::{Map, Value, json};

use super::section::{APP_FIELDS, ENDS_FIELD, KIND_FIELD, TOP_FIELDS, common_fields};
use super::topology;
use crate::link::{LINK_FIELDS, PIPE_FIELDS};
use crate::read::{Field, Form, Need};
use crate::{app, expect, network, node, output};

/// The schema, draft 2020-12.
#[must_use]
pub fn schema() -> Value {
    let mut root = table(&[TOP_FIELDS], &[]);
    let sections = [
        ("topology", named(topology_schema())),
        ("nodes", named(node_schema())),
        ("links", named(link_schema())),
        ("apps", named(app_schema())),
        ("at", json!({ "type": "array", "items": at_schema() })),
        ("expect", json!({ "type": "array", "items": expect_schema() })),
        ("record", record_schema()),
    ];
    for (section, mut schema) in sections {
        let slot = &mut root["properties"][section];
        schema["description"] = slot["description"].take();
        *slot = schema;
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hopwise scenario",
    });
    if let (Value::Object(schema), Value::Object(root)) = (&mut schema, root) {
        schema.extend(root);
    }
    schema
}

/// A section of named tables.
fn named(entry: Value) -> Value {
    json!({ "type": "object", "additionalProperties": entry })
}

fn topology_schema() -> Value {
    one_of(topology::KINDS.iter().map(|kind| {
        let mut schema = table(&[topology::COMMON, kind.fields], &[("kind", kind.name, true)]);
        for field in kind.fields.iter().filter(|field| matches!(field.form, Form::Table(_))) {
            schema["properties"][field.name] = described(table(&[PIPE_FIELDS, LINK_FIELDS], &[]), field);
        }
        with_doc(schema, kind.doc)
    }))
}

fn node_schema() -> Value {
    one_of(node::KINDS.iter().map(|kind| {
        let common = common_fields(kind.build.role);
        // A node without a kind is a host.
        let marks = [("kind", kind.name, kind.name != "host")];
        with_doc(table(&[std::slice::from_ref(&KIND_FIELD), common, kind.fields], &marks), kind.doc)
    }))
}

fn link_schema() -> Value {
    let mut schema = table(&[std::slice::from_ref(&ENDS_FIELD), PIPE_FIELDS, LINK_FIELDS], &[]);
    // A topology helper's link may be written again without its ends, to add to it.
    schema.as_object_mut().map(|schema| schema.remove("required"));
    schema
}

fn app_schema() -> Value {
    one_of(
        app::KINDS
            .iter()
            .map(|kind| with_doc(table(&[APP_FIELDS, kind.fields], &[("kind", kind.name, true)]), kind.doc)),
    )
}

fn at_schema() -> Value {
    one_of(
        network::action::KINDS
            .iter()
            .map(|kind| with_doc(table(&[network::action::COMMON, kind.fields], &[("do", kind.name, true)]), kind.doc)),
    )
}

fn expect_schema() -> Value {
    one_of(expect::KINDS.iter().map(|kind| {
        let mut schema = table(&[expect::COMMON, kind.fields], &[]);
        require(&mut schema, kind.name);
        with_doc(schema, kind.doc)
    }))
}

fn record_schema() -> Value {
    let kinds = output::KINDS.iter().map(|kind| {
        let places = json!({ "type": "array", "items": { "type": "string" } });
        let options = table(&[kind.fields], &[]);
        let forms = json!([{ "type": "boolean" }, { "type": "string" }, places, options]);
        (kind.name.to_owned(), json!({ "description": kind.doc, "anyOf": forms }))
    });
    json!({ "type": "object", "properties": kinds.collect::<Map<String, Value>>(), "additionalProperties": false })
}

fn one_of(choices: impl Iterator<Item = Value>) -> Value {
    json!({ "oneOf": choices.collect::<Vec<Value>>() })
}

/// Describes a kind's table, and the key that names the kind: an editor shows what stands at the word under the cursor.
fn with_doc(mut schema: Value, doc: &str) -> Value {
    schema["description"] = doc.into();
    let properties = schema["properties"].as_object_mut();
    let marks = properties.into_iter().flat_map(Map::values_mut).filter(|property| property["const"].is_string());
    marks.for_each(|mark| mark["description"] = doc.into());
    schema
}

/// A table with these fields and no others. A mark is a key that has one value here, and whether it must be there.
fn table(fields: &[&[Field]], marks: &[(&str, &str, bool)]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields.iter().flat_map(|list| list.iter()) {
        properties.insert(field.name.to_owned(), described(form(&field.form), field));
        if field.need == Need::Required {
            required.push(field.name);
        }
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    for (key, value, is_required) in marks {
        schema["properties"][*key] = json!({ "const": value });
        required.retain(|name| name != key);
        if *is_required {
            required.push(key);
        }
    }
    for name in required {
        require(&mut schema, name);
    }
    schema
}

fn require(schema: &mut Value, key: &str) {
    if !schema["required"].is_array() {
        schema["required"] = json!([]);
    }
    if let Value::Array(required) = &mut schema["required"]
        && !required.iter().any(|name| name == key)
    {
        required.push(key.into());
    }
}

fn described(mut schema: Value, field: &Field) -> Value {
    let default = match field.need {
        Need::Default(default) => format!(" Default: {default}."),
        Need::Optional | Need::Required => String::new(),
    };
    schema["description"] = format!("{}{default}", field.doc).into();
    schema
}

/// A number and one of these units, as the reader takes them.
fn quantity(units: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^\\s*[0-9]*\\.?[0-9]*\\s*({units})\\s*$") })
}

fn form(wanted: &Form) -> Value {
    match wanted {
        Form::Address | Form::App | Form::Endpoint | Form::Filter | Form::Link | Form::Node | Form::Text => {
            json!({ "type": "string" })
        }
        Form::Any => json!({}),
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Chance => {
            json!({ "type": "string", "pattern": "^([0-9]*\\.?[0-9]*\\s*%|\\s*[0-9]+\\s*/\\s*[0-9]+\\s*)$" })
        }
        Form::Duration => quantity("[nN][sS]|[uU][sS]|[mM][sS]|[sS]|[mM][iI][nN]|[hH]"),
        Form::Either(forms) => json!({ "anyOf": forms.iter().map(form).collect::<Vec<Value>>() }),
        Form::Integer { min, max: i64::MAX } => json!({ "type": "integer", "minimum": min }),
        Form::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        // A single value counts as a list of one.
        Form::List(item) => json!({ "anyOf": [form(item), { "type": "array", "items": form(item) }] }),
        Form::Map(value) => json!({ "type": "object", "additionalProperties": form(value) }),
        Form::OneOf(words) => json!({ "enum": words }),
        Form::Rate => quantity("[kKmMgG]?([bB][iI][tT]|[bB][pP][sS])"),
        Form::Size => quantity("[kKmMgG]?[iI]?[bB]|[bB][yY][tT][eE][sS]"),
        Form::Table(fields) => table(&[fields], &[]),
    }
}
