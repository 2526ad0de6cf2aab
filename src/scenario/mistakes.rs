//! All mistakes of one scenario, shown together.

use std::fmt;
use std::path::PathBuf;

use crate::read::{Diagnostic, Source};

/// How many mistakes are shown at once; a file with more has something else wrong with it.
const SHOWN_MAX: usize = 100;

/// A scenario that cannot be run, with everything that is wrong about it.
///
/// Printed, it shows each mistake where it stands; [`render`](Self::render) does so in colour.
#[derive(Debug, Clone)]
pub struct Mistakes {
    /// The file, and behind it one line for each `--set`.
    pub source: Source,
    /// What is wrong, in the order of the file; never empty.
    pub diagnostics: Vec<Diagnostic>,
    /// Where in `source.text` the lines of `--set` begin.
    pub(super) settings_at: usize,
}

impl Mistakes {
    /// Renders every mistake as the compiler would.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let file = Source { name: self.source.name.clone(), text: self.file_text().to_owned() };
        let rendered = self.diagnostics.iter().take(SHOWN_MAX).map(|diagnostic| match self.setting_of(diagnostic) {
            Some((source, moved)) => moved.render(&source, coloured),
            None => diagnostic.render(&file, coloured),
        });
        let rendered: Vec<String> = rendered.map(|text| text.trim_end().to_owned() + "\n").collect();
        rendered.join("\n")
    }

    fn count_line(&self) -> String {
        match self.diagnostics.len() {
            1 => format!("1 mistake in {}", self.source.name),
            count if count > SHOWN_MAX => {
                format!("{count} mistakes in {}; the first {SHOWN_MAX} are shown", self.source.name)
            }
            count => format!("{count} mistakes in {}", self.source.name),
        }
    }

    fn file_text(&self) -> &str {
        let text = self.source.text.get(..self.settings_at).unwrap_or(&self.source.text);
        text.strip_suffix('\n').filter(|_| self.settings_at < self.source.text.len()).unwrap_or(text)
    }

    /// The `--set` line that a mistake stands in, and the mistake as seen from there.
    fn setting_of(&self, diagnostic: &Diagnostic) -> Option<(Source, Diagnostic)> {
        let start = diagnostic.span.start;
        if start < self.settings_at || self.settings_at >= self.source.text.len() {
            return None;
        }
        let before = self.source.text.get(..start)?;
        let line_at = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.source.text.get(line_at..)?.lines().next().unwrap_or("");
        let span = start - line_at..diagnostic.span.end.saturating_sub(line_at).min(line.len());
        Some((Source { name: "--set".into(), text: line.to_owned() }, Diagnostic { span, ..diagnostic.clone() }))
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.render(false), self.count_line())
    }
}

impl std::error::Error for Mistakes {}

/// Why a scenario file could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not there, or not readable.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It was read, and is wrong.
    #[error("{0}")]
    Mistakes(#[from] Mistakes),
    /// The file is larger than a scenario may be.
    #[error("{} has {bytes} bytes; a scenario may have {max} (topology helpers make large networks)", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        max: u64,
    },
}
