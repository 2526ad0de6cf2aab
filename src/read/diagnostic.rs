//! A mistake of the user's, shown where it stands.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Span;

/// How many known names a message lists: more than that nobody reads.
const KNOWN_SHOWN_MAX: usize = 24;

/// How many names are looked at for a near miss.
const NEAR_MISSES_MAX: usize = 10_000;

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// What the user calls it: a path, or the name of a bundled example.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One mistake: where, what was found, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The offending text.
    pub span: Span,
    /// What is wrong, one phrase without a full stop.
    pub title: String,
    /// Written under the offending text: what would be right, the near miss.
    pub label: String,
    /// What is known, one line each.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A mistake at `span`.
    #[must_use]
    pub fn new(span: Span, title: impl Into<String>) -> Self {
        Self { span, title: title.into(), label: String::new(), notes: Vec::new() }
    }

    /// The same, with words under the offending text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same, with one more note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same, for a name that is not among `known`: the near miss as the label, all known names as a note.
    #[must_use]
    pub fn not_among<'k>(self, found: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let mut known: Vec<&str> = known.into_iter().collect();
        let labelled = match nearest(found, known.iter().copied()) {
            Some(near) => self.label(format!("did you mean `{near}`?")),
            None => self,
        };
        known.sort_unstable();
        known.dedup();
        let rest = known.len().saturating_sub(KNOWN_SHOWN_MAX);
        known.truncate(KNOWN_SHOWN_MAX);
        match (known.is_empty(), rest) {
            (true, _) => labelled,
            (false, 0) => labelled.note(format!("known: {}", known.join(", "))),
            (false, rest) => labelled.note(format!("known: {} and {rest} more", known.join(", "))),
        }
    }

    /// Renders the mistake as the compiler would: title, place, the offending text underlined.
    #[must_use]
    pub fn render(&self, source: &Source, coloured: bool) -> String {
        let text = source.text.as_str();
        let start = text.floor_char_boundary(self.span.start);
        let end = text.ceil_char_boundary(self.span.end).max(start);
        // Only the lines that are shown are handed over: a file may be long, and have many mistakes.
        let first = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let last = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
        let line = text[..first].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let (shown, span) = (&text[first..last], start - first..end - first);
        let mut annotation = AnnotationKind::Primary.span(span);
        if !self.label.is_empty() {
            annotation = annotation.label(self.label.as_str());
        }
        let snippet = Snippet::source(shown).line_start(line).path(source.name.as_str()).annotation(annotation);
        let mut group = Group::with_title(Level::ERROR.primary_title(self.title.as_str())).element(snippet);
        for note in &self.notes {
            group = group.element(Level::NOTE.no_name().message(note.as_str()));
        }
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// The known name that a mistyped one most probably means, if any is near enough.
#[must_use]
pub fn nearest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found = found.to_lowercase();
    let length = found.chars().count();
    let most = (length / 3).max(1);
    let scored = known.into_iter().take(NEAR_MISSES_MAX).filter_map(|name| {
        // Whoever stops early means the whole word: `pcap`, `dup`.
        if length >= 3 && name.get(..found.len()).is_some_and(|head| head.eq_ignore_ascii_case(&found)) {
            return Some((1, name));
        }
        let is_alike = name.chars().count().abs_diff(length) <= most;
        is_alike.then(|| (distance(&found, &name.to_lowercase()), name))
    });
    // Of equally near names the first in alphabetical order, so that the answer does not depend on the caller's order.
    scored.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
}

/// Edit distance with transpositions counted as one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Names are short; a hostile file's long ones are not worth the quadratic time.
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_named_and_a_far_one_is_not() {
        let known = ["loss", "jitter", "duplicate", "corrupt"];
        assert_eq!(nearest("los", known), Some("loss"));
        assert_eq!(nearest("dupilcate", known), Some("duplicate"));
        assert_eq!(nearest("dup", known), Some("duplicate"));
        assert_eq!(nearest("queue", known), None);
    }

    #[test]
    fn a_span_inside_a_character_is_widened_to_it() {
        let source = Source { name: "x.toml".into(), text: "a = \"é\"".into() };
        assert!(Diagnostic::new(6..6, "oh").render(&source, false).contains("x.toml:1:6"));
    }

    #[test]
    fn a_span_beyond_the_file_still_renders() {
        let source = Source { name: "x.toml".into(), text: "a = 1".into() };
        assert!(Diagnostic::new(100..200, "oh").render(&source, false).contains("oh"));
    }
}
