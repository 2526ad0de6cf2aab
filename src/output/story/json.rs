//! An explanation as one JSON object, for programs.

use serde_json::{Value, json};

use super::{Change, Explanation, Line};

impl Explanation {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let headers: Vec<Value> = self
            .anatomy
            .headers
            .iter()
            .map(|header| {
                let fields: Vec<Value> = header
                    .fields
                    .iter()
                    .map(|field| {
                        json!({
                            "name": field.name,
                            "value": field.value,
                            "meaning": field.meaning,
                            "bit": field.bits.start,
                            "bits": field.bits.len(),
                            "hex": field.spelled(&self.bytes, usize::MAX),
                        })
                    })
                    .collect();
                json!({
                    "name": header.name,
                    "reference": header.reference,
                    "depth": header.depth,
                    "cut_short": header.is_cut_short,
                    "fields": fields,
                })
            })
            .collect();
        let journey: Vec<Value> = self
            .journey
            .iter()
            .map(|hop| {
                let mut value = line(&hop.line);
                value["is_this"] = hop.is_this.into();
                value["changes"] = changes(&hop.changes);
                value["end"] = hop.end.clone().into();
                value
            })
            .collect();
        json!({
            "number": self.number,
            "summary": self.line,
            "sent_at_ms": self.sent_at,
            "from": self.from,
            "to": self.to,
            "link": self.link,
            "bytes": self.bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "headers": headers,
            "damage": changes(&self.damage),
            "caused_by": self.caused_by,
            "led_by": self.led_by.iter().map(line).collect::<Vec<_>>(),
            "journey": journey,
            "journey_left_out": self.hops_left_out,
            "became": self.became,
            "effects": self.effects.iter().map(line).collect::<Vec<_>>(),
            "effects_left_out": self.effects_left_out,
        })
    }
}

fn line(line: &Line) -> Value {
    json!({
        "number": line.number,
        "at_ms": line.at,
        "from": line.from,
        "to": line.to,
        "relation": line.relation,
        "summary": line.what,
    })
}

fn changes(changes: &[Change]) -> Value {
    let changes = changes.iter().map(
        |change| json!({ "what": change.what, "before": change.before, "after": change.after, "why": change.why }),
    );
    Value::Array(changes.collect())
}
