//! What the records of a campaign add up to: a row for each combination of values.
//!
//! A row is of fixed size: counts, and for each measure its number, mean, spread, least and greatest. Sums are made in
//! the order of the runs, so that the last digit of a mean is always the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::record::Record;
use crate::output::cells::{cells, left, right};

/// How many combinations a table tells apart; the records of further ones are counted in its last row.
const ROWS_MAX: usize = 100_000;

/// A quantity over many runs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measure {
    /// How many runs had it.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    mean: f64,
    /// The sum of the squares of the differences from the mean.
    squares: f64,
}

impl Measure {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        if self.count == 1 {
            (self.min, self.max) = (value, value);
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // Welford: exact enough whatever the number of values.
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// The mean; 0 without values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation of the values, as of a sample; 0 for fewer than two.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        if self.count < 2 { 0.0 } else { (self.squares / (self.count - 1) as f64).sqrt() }
    }
}

/// One combination of values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The value of each path that varies.
    pub set: Vec<(String, String)>,
    /// How many runs.
    pub runs: u64,
    /// Of these: went to their end, with every expectation met.
    pub met: u64,
    /// Of those that are not met: were given up, or could not be made.
    pub failed: u64,
    /// What was measured, by name.
    pub measures: BTreeMap<String, Measure>,
}

/// Rows, in the order in which their combinations first came.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Row>,
    places: BTreeMap<Vec<(String, String)>, usize>,
    /// Which expectations were not met, and how often.
    unmet: BTreeMap<String, u64>,
}

impl Table {
    /// Counts a run.
    pub fn add(&mut self, record: &Record) {
        let place = match self.places.get(&record.set) {
            Some(place) => *place,
            None if self.rows.len() >= ROWS_MAX => ROWS_MAX - 1,
            None => {
                self.places.insert(record.set.clone(), self.rows.len());
                self.rows.push(Row { set: record.set.clone(), ..Row::default() });
                self.rows.len() - 1
            }
        };
        let row = &mut self.rows[place];
        row.runs += 1;
        row.met += u64::from(record.is_met());
        row.failed += u64::from(record.failure.is_some());
        for (name, _) in &record.outcomes {
            if let Some(value) = record.number(name) {
                row.measures.entry(name.clone()).or_default().add(value);
            }
        }
        for name in &record.unmet {
            *self.unmet.entry(name.clone()).or_default() += 1;
        }
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many runs were counted.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.rows.iter().map(|row| row.runs).sum()
    }

    /// How many of them went to their end with every expectation met.
    #[must_use]
    pub fn met(&self) -> u64 {
        self.rows.iter().map(|row| row.met).sum()
    }

    /// The table as text, with a line for each row, and for each of these measures what it was in that row's runs.
    #[must_use]
    pub fn to_text(&self, measures: &[String]) -> String {
        let paths =
            self.rows.first().map_or_else(Vec::new, |row| row.set.iter().map(|(path, _)| path.clone()).collect());
        let has_failed = self.rows.iter().any(|row| row.failed > 0);
        let mut head: Vec<String> = paths;
        let values = head.len();
        head.extend(["runs", "met"].map(str::to_owned));
        head.extend(has_failed.then(|| "failed".to_owned()));
        for measure in measures {
            head.extend([measure.clone(), "sd".to_owned(), "min".to_owned(), "max".to_owned()]);
        }
        let mut lines = vec![head];
        for row in &self.rows {
            let mut line: Vec<String> = row.set.iter().map(|(_, value)| value.clone()).collect();
            line.extend([row.runs.to_string(), row.met.to_string()]);
            line.extend(has_failed.then(|| row.failed.to_string()));
            for name in measures {
                let measure = row.measures.get(name).filter(|measure| measure.count > 0);
                let figures = measure.map(|measure| [measure.mean(), measure.deviation(), measure.min, measure.max]);
                line.extend(figures.map_or_else(|| [0; 4].map(|_| "-".to_owned()), |figures| figures.map(spell)));
            }
            lines.push(line);
        }
        let columns = lines[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|column| lines.iter().map(|line| line.get(column).map_or(0, |text| cells(text))).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for line in lines {
            let padded =
                line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                    if column < values { left(cell, *width) } else { right(cell, *width) }
                });
            let padded: Vec<String> = padded.collect();
            let _ = writeln!(text, "{}", padded.join("  ").trim_end());
        }
        for (name, count) in &self.unmet {
            let _ = writeln!(text, "not met in {count} of {} runs: {name}", self.runs());
        }
        text
    }
}

/// Six significant digits at most, and no zeros behind them.
fn spell(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1e5 => 0,
        size if size >= 1e3 => 2,
        size if size >= 1.0 => 4,
        _ => 6,
    };
    let text = format!("{value:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: u64, loss: &str, lost: u64) -> Record {
        Record {
            run,
            seed: run,
            set: vec![("links.wan.loss".into(), loss.into())],
            unmet: if lost > 0 { vec!["no loss".into()] } else { Vec::new() },
            failure: None,
            ended_at: 1.0,
            events: 1,
            outcomes: vec![("ping.lost".into(), lost.into()), ("ping.state".into(), "finished".into())],
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_combination() {
        let mut table = Table::default();
        for (run, loss, lost) in [(0, "0%", 0), (1, "5%", 2), (2, "0%", 0), (3, "5%", 0), (4, "5%", 1)] {
            table.add(&record(run, loss, lost));
        }
        table.add(&Record { failure: Some("time stands still".into()), outcomes: Vec::new(), ..record(5, "0%", 0) });
        insta::assert_snapshot!(table.to_text(&["ping.lost".to_owned(), "ping.rtt".to_owned()]), @r"
        links.wan.loss  runs  met  failed  ping.lost  sd  min  max  ping.rtt  sd  min  max
        0%                 3    2       1          0   0    0    0         -   -    -    -
        5%                 3    1       0          1   1    0    2         -   -    -    -
        not met in 2 of 6 runs: no loss
        ");
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_values() {
        let mut measure = Measure::default();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().for_each(|value| measure.add(value));
        assert!((measure.mean() - 5.0).abs() < 1e-12 && (measure.deviation() - 2.138_089_935).abs() < 1e-9);
        assert_eq!((measure.min, measure.max, measure.count), (2.0, 9.0, 8));
    }

    #[test]
    fn figures_are_short() {
        let spelled = [0.0, 0.1, 1.5, 1234.5678, 98_765_432.1, 0.000_012_3].map(spell);
        assert_eq!(spelled, ["0", "0.1", "1.5", "1234.57", "98765432", "0.000012"]);
    }
}
