//! What a server tells of each answer: a line as nginx writes it into its access log, and counts.

use std::fmt;

use super::server::InHand;
use crate::app::calendar::Moment;
use crate::app::tally::Tally;
use crate::net::Net;

/// The counts of a server.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) connections: Tally,
    pub(super) active: Tally,
    pub(super) refused: Tally,
    pub(super) requests: Tally,
    pub(super) bytes: Tally,
    pub(super) failures: Tally,
    pub(super) handshakes: Tally,
    pub(super) resumed: Tally,
    pub(super) tls_failures: Tally,
    classes: [Tally; 4],
}

impl Counts {
    pub(super) fn new(net: &Net) -> Self {
        let tally = |key| Tally::new(net, key);
        Self {
            connections: tally("connections"),
            active: tally("active"),
            refused: tally("refused"),
            requests: tally("requests"),
            bytes: tally("bytes"),
            failures: tally("failures"),
            classes: ["responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx"].map(tally),
            handshakes: tally("handshakes"),
            resumed: tally("resumed"),
            tls_failures: tally("tls_failures"),
        }
    }

    fn status(&self, status: u16) {
        if let Some(class) = self.classes.get(usize::from(status / 100).wrapping_sub(2)) {
            class.add(1);
        }
    }
}

/// Who asked for what, and what was said.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) client: String,
    pub(super) user: Option<String>,
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) referer: Option<String>,
    pub(super) agent: Option<String>,
}

/// Writes the line of an answer when all of it has been handed over, or when it ends before that.
pub(super) struct Ending {
    net: Net,
    counts: Counts,
    line: Option<Line>,
    sent: u64,
    _in_hand: InHand,
}

impl Ending {
    pub(super) fn new(net: &Net, counts: &Counts, line: Line, in_hand: InHand) -> Self {
        Self { net: net.clone(), counts: counts.clone(), line: Some(line), sent: 0, _in_hand: in_hand }
    }

    /// So many bytes more are on their way.
    pub(super) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
        self.counts.bytes.add(bytes);
    }

    /// Nothing more follows.
    pub(super) fn complete(&mut self) {
        let Some(line) = self.line.take() else { return };
        self.counts.status(line.status);
        let (now, sent) = (self.net.now(), self.sent);
        self.net.log(|| {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            format!(
                "{} - {} [{}] \"{}\" {} {sent} \"{}\" \"{}\"",
                line.client,
                or_dash(line.user),
                Moment::of(now).log(),
                line.request,
                line.status,
                or_dash(line.referer),
                or_dash(line.agent),
            )
        });
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.complete();
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending").field("line", &self.line).field("sent", &self.sent).finish_non_exhaustive()
    }
}
