//! What is kept of one run: one JSON object on a line of its own.
//!
//! | key | value |
//! |---|---|
//! | `run` | which run of the campaign, from 0 |
//! | `seed` | its seed |
//! | `set` | the value of each path that varies |
//! | `met` | whether it went to its end and every expectation is met |
//! | `unmet` | the names of the expectations that are not |
//! | `failure` | why the run was given up, or what is wrong with this combination of values; absent otherwise |
//! | `ended_at` | seconds of virtual time |
//! | `events` | how many events were carried out |
//! | `outcomes` | what was asked for of what programs reported, `PROGRAM.OUTCOME`: times in seconds |

use serde_json::{Map, Value as Json};

use crate::record::Value;
use crate::scenario::Report;
use crate::time::Time;

/// What is kept of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which run of the campaign, from 0.
    pub run: u64,
    /// Its seed.
    pub seed: u64,
    /// The value of each path that varies, in the order of the axes.
    pub set: Vec<(String, String)>,
    /// The names of the expectations that are not met.
    pub unmet: Vec<String>,
    /// Why the run was given up, or never begun.
    pub failure: Option<String>,
    /// When it ended, in seconds of virtual time.
    pub ended_at: f64,
    /// How many events were carried out.
    pub events: u64,
    /// What was asked for of what programs reported: `PROGRAM.OUTCOME`. Absent outcomes are left out.
    pub outcomes: Vec<(String, Json)>,
}

impl Record {
    /// The record of a run that was done. Of its outcomes those that `measured` names, or all if it names none.
    pub(super) fn of(run: u64, seed: u64, set: Vec<(String, String)>, report: &Report, measured: &[String]) -> Self {
        let unmet = report.findings.iter().filter(|finding| !finding.is_met);
        let all = report
            .outcomes
            .iter()
            .flat_map(|program| program.values.iter().map(|(key, value)| (format!("{}.{key}", program.app), value)));
        let mut outcomes: Vec<(String, Json)> = all
            .filter(|(name, _)| measured.is_empty() || measured.contains(name))
            .filter_map(|(name, value)| Some((name, json(value)?)))
            .collect();
        if !measured.is_empty() {
            outcomes.sort_by_key(|(name, _)| measured.iter().position(|wanted| wanted == name));
        }
        Self {
            run,
            seed,
            set,
            unmet: unmet.map(|finding| finding.name.clone()).collect(),
            failure: report.failure.as_ref().map(ToString::to_string),
            ended_at: report.ended_at.since(Time::ZERO).as_secs_f64(),
            events: report.events,
            outcomes,
        }
    }

    /// The record of a run that could not be made.
    pub(super) fn of_mistake(run: u64, seed: u64, set: Vec<(String, String)>, mistake: String) -> Self {
        Self {
            run,
            seed,
            set,
            unmet: Vec::new(),
            failure: Some(mistake),
            ended_at: 0.0,
            events: 0,
            outcomes: Vec::new(),
        }
    }

    /// Whether the run went to its end and every expectation is met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.failure.is_none() && self.unmet.is_empty()
    }

    /// The line, without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Map::new();
        line.insert("run".into(), self.run.into());
        line.insert("seed".into(), self.seed.into());
        let set = self.set.iter().map(|(path, value)| (path.clone(), Json::from(value.as_str())));
        line.insert("set".into(), set.collect::<Map<_, _>>().into());
        line.insert("met".into(), self.is_met().into());
        line.insert("unmet".into(), self.unmet.clone().into());
        if let Some(failure) = &self.failure {
            line.insert("failure".into(), failure.as_str().into());
        }
        line.insert("ended_at".into(), self.ended_at.into());
        line.insert("events".into(), self.events.into());
        line.insert("outcomes".into(), self.outcomes.iter().cloned().collect::<Map<_, _>>().into());
        Json::from(line).to_string()
    }

    /// Reads a line; `None` if it is none, or is not whole.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let Json::Object(line) = serde_json::from_str(line).ok()? else { return None };
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let set = line.get("set")?.as_object()?.iter().map(|(path, value)| Some((path.clone(), text(value)?)));
        let outcomes = line.get("outcomes")?.as_object()?.iter().map(|(name, value)| (name.clone(), value.clone()));
        let record = Self {
            run: line.get("run")?.as_u64()?,
            seed: line.get("seed")?.as_u64()?,
            set: set.collect::<Option<_>>()?,
            unmet: line.get("unmet")?.as_array()?.iter().map(text).collect::<Option<_>>()?,
            failure: line.get("failure").and_then(text),
            ended_at: line.get("ended_at")?.as_f64()?,
            events: line.get("events")?.as_u64()?,
            outcomes: outcomes.collect(),
        };
        (line.get("met")?.as_bool()? == record.is_met()).then_some(record)
    }

    /// An outcome as a number: yes is 1.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        let (_, value) = self.outcomes.iter().find(|(known, _)| known == name)?;
        value.as_f64().or_else(|| value.as_bool().map(|is_true| f64::from(u8::from(is_true))))
    }
}

fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Boolean(value) => (*value).into(),
        Value::Duration(value) => value.as_secs_f64().into(),
        Value::Float(value) => serde_json::Number::from_f64(*value)?.into(),
        Value::Integer(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::List(values) => values.iter().filter_map(json).collect::<Vec<_>>().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> Record {
        Record {
            run: 7,
            seed: u64::MAX,
            set: vec![("links.wan.loss".into(), "5%".into())],
            unmet: vec!["it arrives".into()],
            failure: None,
            ended_at: 0.1,
            events: 12,
            outcomes: vec![("ping.lost".into(), 3.into()), ("ping.state".into(), "finished".into())],
        }
    }

    #[test]
    fn a_line_says_everything_and_is_read_again() {
        insta::assert_snapshot!(record().to_json(), @r#"{"run":7,"seed":18446744073709551615,"set":{"links.wan.loss":"5%"},"met":false,"unmet":["it arrives"],"ended_at":0.1,"events":12,"outcomes":{"ping.lost":3,"ping.state":"finished"}}"#);
        assert_eq!(Record::read(&record().to_json()), Some(record()));
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_record() {
        let line = record().to_json();
        assert!((0..line.len()).all(|length| Record::read(&line[..length]).is_none()));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(at in 0_usize..200, byte in any::<u8>()) {
            let mut bytes = record().to_json().into_bytes();
            let length = bytes.len();
            bytes[at % length] = byte;
            let _ = Record::read(&String::from_utf8_lossy(&bytes));
        }
    }
}
