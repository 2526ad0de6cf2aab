//! What is wrong with an expression, and where in its text.

use std::ops::Range;

use crate::read::{Diagnostic, Item};

/// A mistake in a match expression or a packet expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{title}{}{label}", if label.is_empty() { "" } else { ": " })]
pub struct ExpressionError {
    /// The offending text: byte offsets in the expression.
    pub span: Range<usize>,
    /// What is wrong, one phrase without a full stop.
    pub title: String,
    /// What would be right; belongs under the offending text.
    pub label: String,
    /// What is known, one line each.
    pub notes: Vec<String>,
}

impl ExpressionError {
    pub(super) fn new(span: Range<usize>, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, title: title.into(), label: label.into(), notes: Vec::new() }
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The mistake as a diagnostic in the expression's own text, as for one that stands on the command line.
    #[must_use]
    pub fn into_diagnostic(self) -> Diagnostic {
        Diagnostic { span: self.span, title: self.title, label: self.label, notes: self.notes }
    }

    /// Reports the mistake at its place in a scenario's file.
    pub fn report_in(self, item: &Item<'_>) {
        let span = item.part(self.span.clone());
        item.reader.report(Diagnostic { span, ..self.into_diagnostic() });
    }
}
