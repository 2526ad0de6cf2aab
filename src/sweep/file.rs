//! Records on their way to a file and back: so that a campaign can be resumed, and shards be put together.
//!
//! A file of records (JSON Lines) begins with a line that says which campaign it is of; every further line is a
//! [`Record`]. A file that ends in the middle of a line was interrupted there: what is whole counts.
//!
//! ```text
//! {"hopwise_sweep":1,"scenario":"loss.toml","text":"9e3c…","seeds":[0,1000],"vary":["links.wan.loss=0%,5%"],"measure":[],"shard":"1/4"}
//! {"run":0,"seed":0,"set":{"links.wan.loss":"0%"},"met":true,…}
//! ```

use serde_json::{Map, Value as Json};

use super::{Campaign, Record, Shard};

/// The version of the form of these files.
const VERSION: u64 = 1;

/// Which campaign a file is of, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The scenario's name.
    pub scenario: String,
    /// A fingerprint of everything that the scenario says, `--set` included.
    pub fingerprint: String,
    /// The first seed, and the first that is not one of them.
    pub seeds: (u64, u64),
    /// The axes, as `PATH=VALUE,…`.
    pub vary: Vec<String>,
    /// What is measured.
    pub measure: Vec<String>,
    /// Which part.
    pub shard: Shard,
}

/// Why files of records are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Its first line is none of ours.
    #[error("{name} is no file of records of a sweep: its first line does not say which campaign it is of")]
    NoHeader {
        /// Which file.
        name: String,
    },
    /// A whole line that is no record.
    #[error("{name}, line {line}: that is no record of a run")]
    NoRecord {
        /// Which file.
        name: String,
        /// From 1.
        line: usize,
    },
    /// It is of another campaign.
    #[error("{name} is of another campaign: its {what} is {found}, not {expected}")]
    Another {
        /// Which file.
        name: String,
        /// In what they differ.
        what: &'static str,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// A run that is there twice with different results.
    #[error("{name}: run {run} is in another file too, with another result")]
    Contradiction {
        /// Which file.
        name: String,
        /// Which run.
        run: u64,
    },
}

impl Header {
    /// The header of the records of a campaign.
    #[must_use]
    pub fn of(campaign: &Campaign) -> Self {
        let scenario = campaign.scenario();
        Self {
            scenario: scenario.source_name().to_owned(),
            fingerprint: fingerprint(&[scenario.to_toml(), &scenario.repeat_command()]),
            seeds: (campaign.seeds().start, campaign.seeds().end),
            vary: campaign.axes().iter().map(ToString::to_string).collect(),
            measure: campaign.measured().to_vec(),
            shard: campaign.shard(),
        }
    }

    /// How many runs the whole campaign has.
    #[must_use]
    pub fn runs(&self) -> u64 {
        let points = self.vary.iter().fold(1_u64, |points, axis| {
            let values = axis.split_once('=').map_or("", |(_, values)| values);
            points.saturating_mul(values.split(',').count() as u64)
        });
        points.saturating_mul(self.seeds.1.saturating_sub(self.seeds.0))
    }

    /// The line, without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Map::new();
        line.insert("hopwise_sweep".into(), VERSION.into());
        line.insert("scenario".into(), self.scenario.as_str().into());
        line.insert("text".into(), self.fingerprint.as_str().into());
        line.insert("seeds".into(), vec![self.seeds.0, self.seeds.1].into());
        line.insert("vary".into(), self.vary.clone().into());
        line.insert("measure".into(), self.measure.clone().into());
        line.insert("shard".into(), self.shard.to_string().into());
        Json::from(line).to_string()
    }

    /// Reads a line; `None` if it is none.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let Json::Object(line) = serde_json::from_str(line).ok()? else { return None };
        if line.get("hopwise_sweep")?.as_u64()? != VERSION {
            return None;
        }
        let text = |key: &str| line.get(key)?.as_str().map(str::to_owned);
        let texts = |key: &str| -> Option<Vec<String>> {
            line.get(key)?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let [first, end] = line.get("seeds")?.as_array()?.as_slice() else { return None };
        Some(Self {
            scenario: text("scenario")?,
            fingerprint: text("text")?,
            seeds: (first.as_u64()?, end.as_u64()?),
            vary: texts("vary")?,
            measure: texts("measure")?,
            shard: Shard::read(&text("shard")?)?,
        })
    }

    /// Whether another file is of the same campaign; of the same shard too, if that matters.
    ///
    /// # Errors
    ///
    /// In what they differ.
    pub fn check(&self, name: &str, other: &Self, same_shard: bool) -> Result<(), FileError> {
        let seeds = |header: &Self| format!("{}..{}", header.seeds.0, header.seeds.1);
        let lists = |list: &[String]| if list.is_empty() { "nothing".to_owned() } else { list.join(" ") };
        let parts = [
            ("scenario", self.scenario.clone(), other.scenario.clone()),
            ("text of the scenario", self.fingerprint.clone(), other.fingerprint.clone()),
            ("range of seeds", seeds(self), seeds(other)),
            ("set of values", lists(&self.vary), lists(&other.vary)),
            ("list of measures", lists(&self.measure), lists(&other.measure)),
            ("shard", self.shard.to_string(), other.shard.to_string()),
        ];
        let differs =
            |(what, expected, found): &(&str, String, String)| expected != found && (same_shard || *what != "shard");
        match parts.into_iter().find(differs) {
            Some((what, expected, found)) => Err(FileError::Another { name: name.to_owned(), what, found, expected }),
            None => Ok(()),
        }
    }
}

/// Reads a file of records: its header, what is whole of its records, and the length of that part in bytes.
///
/// # Errors
///
/// When it has no header, or a whole line is no record.
pub fn read(name: &str, text: &str) -> Result<(Header, Vec<Record>, usize), FileError> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].lines();
    let header = lines.next().and_then(Header::read).ok_or_else(|| FileError::NoHeader { name: name.to_owned() })?;
    let records = lines.enumerate().map(|(index, line)| {
        Record::read(line).ok_or_else(|| FileError::NoRecord { name: name.to_owned(), line: index + 2 })
    });
    Ok((header, records.collect::<Result<_, _>>()?, whole))
}

/// Sixteen hexadecimal digits that tell texts apart (FNV-1a; no defence against malice).
fn fingerprint(texts: &[&str]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in texts.iter().flat_map(|text| text.bytes().chain([0xff])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::super::Axis;
    use super::*;
    use crate::scenario::Scenario;

    fn campaign() -> Campaign {
        let text = "[nodes]\na = {}\nb = {}\n[links]\nwan = { ends = [\"a\", \"b\"] }\n";
        let mut campaign = Campaign::new(Scenario::from_toml("quiet", text).unwrap(), 0..6);
        campaign.vary(Axis::read("links.wan.loss=0%,5%").unwrap()).unwrap();
        campaign
    }

    fn file(campaign: &Campaign) -> String {
        let mut text = Header::of(campaign).to_json() + "\n";
        campaign.run_all(1, |record| {
            text.push_str(&(record.to_json() + "\n"));
            true
        });
        text
    }

    #[test]
    fn a_file_is_read_as_far_as_it_is_whole() {
        let text = file(&campaign());
        let (header, records, whole) = read("x", &text).unwrap();
        assert_eq!((header, records.len(), whole), (Header::of(&campaign()), 12, text.len()));
        let (_, records, whole) = read("x", &text[..text.len() - 3]).unwrap();
        assert_eq!(records.len(), 11);
        assert!(text[..whole].ends_with('\n') && whole < text.len() - 3);
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert!(matches!(read("x", "{\"run\":0}\n"), Err(FileError::NoHeader { .. })));
        assert!(matches!(read("x", ""), Err(FileError::NoHeader { .. })));
        let text = file(&campaign()).replace("\"seed\":3", "\"sed\":3");
        assert!(matches!(read("x", &text), Err(FileError::NoRecord { line: 8, .. })));
    }

    #[test]
    fn another_campaign_is_told_by_what_differs() {
        let header = Header::of(&campaign());
        assert_eq!(header.runs(), 12);
        let told = |other: Header| header.check("old.jsonl", &other, true).unwrap_err().to_string();
        assert_eq!(
            told(Header { seeds: (0, 7), ..header.clone() }),
            "old.jsonl is of another campaign: its range of seeds is 0..7, not 0..6"
        );
        assert!(told(Header { fingerprint: "0".into(), ..header.clone() }).contains("text of the scenario"));
        let other = Header { shard: Shard { index: 1, count: 2 }, ..header.clone() };
        assert!(header.check("old.jsonl", &other, false).is_ok() && header.check("old.jsonl", &other, true).is_err());
    }
}
