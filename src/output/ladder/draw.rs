//! The drawing: lines of characters on a grid whose columns are lifelines.
//!
//! ```text
//! prefix: number, departure, arrival     grid                         remarks
//!  #1     0.000 →     1.004                │── SYN seq 0 ──▶│           resends #1
//! ```

use std::fmt::Write;

use super::canvas::Canvas;
use super::columns::Columns;
use super::story::End;
use super::telling::{Line, LineKind};
use super::{COLUMNS_MAX, LadderOptions};
use crate::output::cells::{cells, cells_of, left, right};
use crate::output::spell::{duration, milliseconds};
use crate::output::style::{Role, Style};
use crate::record::Names;
use crate::time::Time;

/// The characters of a drawing.
pub(super) struct Glyphs {
    cross: char,
    cut: char,
    damaged: char,
    dash: char,
    down: char,
    dots: char,
    left: char,
    lifeline: char,
    lost: char,
    note: char,
    pause: char,
    right: char,
    /// Between two times.
    until: char,
}

impl Glyphs {
    pub(super) const ASCII: Self = Self {
        cross: '+',
        cut: '~',
        damaged: '~',
        dash: '-',
        down: 'x',
        dots: '.',
        left: '<',
        lifeline: '|',
        lost: 'x',
        note: '*',
        pause: ':',
        right: '>',
        until: '>',
    };

    pub(super) const UNICODE: Self = Self {
        cross: '┼',
        cut: '…',
        damaged: '~',
        dash: '─',
        down: '╳',
        dots: '·',
        left: '◀',
        lifeline: '│',
        lost: '✗',
        note: '●',
        pause: '⋮',
        right: '▶',
        until: '→',
    };
}

/// The least and the most room between two lifelines.
const GAP_MIN: usize = 15;
const GAP_MAX: usize = 48;
/// Between the grid and the remarks.
const REMARKS_INDENT: usize = 3;
/// So many lines need the nodes' names below them too.
const LINES_ON_A_SCREEN: usize = 40;

/// Draws the lines, or lists them if there are too many columns.
pub(super) fn draw(
    lines: &[Line],
    columns: &Columns,
    options: &LadderOptions,
    glyphs: &Glyphs,
    left_out: u64,
    names: &Names,
) -> String {
    let mut drawing = Drawing::new(lines, columns, options, glyphs, names);
    if lines.is_empty() {
        drawing.comment("# nothing happened that this ladder would show");
    } else if columns.are_too_many() {
        drawing.list(lines);
    } else {
        drawing.grid(lines);
    }
    if left_out > 0 {
        drawing
            .comment(&format!("# and {left_out} more events; a filter would show fewer frames, and the last ones too"));
    }
    drawing.text
}

struct Drawing<'d> {
    options: &'d LadderOptions,
    glyphs: &'d Glyphs,
    style: Style,
    /// Node names by column.
    heads: Vec<&'d str>,
    /// How wide a time is.
    time_width: usize,
    /// Where the lifelines stand, counted from the end of the prefix.
    lifelines: Vec<usize>,
    text: String,
}

impl<'d> Drawing<'d> {
    fn new(
        lines: &[Line],
        columns: &Columns,
        options: &'d LadderOptions,
        glyphs: &'d Glyphs,
        names: &'d Names,
    ) -> Self {
        let heads: Vec<&str> = columns.nodes.iter().map(|node| names.node(*node)).collect();
        let latest = lines.iter().map(busy_until).max().unwrap_or(Time::ZERO);
        Self {
            options,
            glyphs,
            style: options.style,
            time_width: milliseconds(latest).len().max("0000.000".len()),
            lifelines: lifelines(lines, &heads),
            heads,
            text: String::new(),
        }
    }

    fn comment(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}", self.style.paint(Role::Faint, text));
    }

    fn grid(&mut self, lines: &[Line]) {
        let Glyphs { dash, right, lost, damaged, note, pause, .. } = *self.glyphs;
        self.comment(&format!(
            "# ms, sent and received   {dash}{dash}{right} arrives   {dash}{dash}{lost} is lost   \
             {damaged}{damaged}{right} is damaged   {note} says   {pause} silence"
        ));
        self.text.push('\n');
        self.names();
        self.row(&self.prefix("", "", ' ', ""), &self.blank(), Role::Plain, "");
        let mut quiet_since = Time::ZERO;
        for line in lines {
            if line.at.since(quiet_since) >= self.options.gap && !line.at.since(quiet_since).is_zero() {
                self.pause(&duration(line.at.since(quiet_since)));
            }
            quiet_since = quiet_since.max(busy_until(line));
            self.line(line);
        }
        if lines.len() > LINES_ON_A_SCREEN {
            self.row(&self.prefix("", "", ' ', ""), &self.blank(), Role::Plain, "");
            self.names();
        }
    }

    /// The nodes' names, each above its lifeline.
    fn names(&mut self) {
        let mut row = String::new();
        let mut width = 0;
        for (head, lifeline) in self.heads.iter().zip(&self.lifelines) {
            let start = lifeline.saturating_sub(cells(head) / 2);
            let _ = write!(row, "{:1$}", "", start.saturating_sub(width));
            width = start.max(width) + cells(head);
            let _ = write!(row, "{}", self.style.paint(Role::Strong, head));
        }
        let prefix = self.prefix("", "", ' ', "");
        let _ = writeln!(self.text, "{prefix}{row}");
    }

    fn pause(&mut self, how_long: &str) {
        let mut canvas = self.blank();
        for lifeline in &self.lifelines {
            canvas.put(*lifeline, self.glyphs.pause, Role::Faint);
        }
        let prefix = self.prefix("", &self.glyphs.pause.to_string(), ' ', "");
        // The words stand behind the mark, where other lines have their arrival.
        let prefix = format!("{:<1$}", format!("{} {how_long}", prefix.trim_end()), prefix.chars().count());
        self.row(&prefix, &canvas, Role::Plain, "");
    }

    fn line(&mut self, line: &Line) {
        let mut canvas = self.blank();
        let mut remarks = line.remarks.clone();
        let at = milliseconds(line.at);
        let (prefix, role) = match &line.what {
            LineKind::Arrow { number, end, is_damaged, .. } => {
                self.arrow(&mut canvas, &line.what);
                let number = number.map_or_else(String::new, |number| format!("#{number}"));
                let role = match end {
                    End::Lost(_) => Role::Lost,
                    _ if *is_damaged => Role::Altered,
                    _ => Role::Faint,
                };
                (self.times(&number, line.at, *end), role)
            }
            LineKind::Drop { column } => {
                canvas.put(self.lifelines[*column], self.glyphs.lost, Role::Lost);
                (self.prefix("", &at, ' ', ""), Role::Lost)
            }
            LineKind::Link { a, b, text, is_up } => {
                let (near, far) = (self.lifelines[*a], self.lifelines[*b]);
                let (fill, role) = if *is_up { (' ', Role::Right) } else { (self.glyphs.down, Role::Lost) };
                let room = far.saturating_sub(near + 3);
                if a == b || cells(text) > room {
                    remarks.insert(0, text.clone());
                } else {
                    (near + 1..far).for_each(|place| canvas.put(place, fill, role));
                    let words = format!(" {text} ");
                    canvas.write(near + 1 + (room + 2 - cells(&words)) / 2, &words, role);
                }
                (self.prefix("", &at, ' ', ""), role)
            }
            LineKind::Note { column, text } => {
                let lifeline = self.lifelines[*column];
                canvas.put(lifeline, self.glyphs.note, Role::Note);
                // What has further lines stands where they do.
                let is_view = text.contains('\n');
                let text = text.lines().next().unwrap_or_default();
                let next = self.lifelines.get(column + 1);
                if !is_view && next.is_some_and(|next| lifeline + 3 + cells(text) < *next) {
                    canvas.write(lifeline + 2, text, Role::Note);
                } else {
                    remarks.insert(0, format!("{}: {text}", self.heads[*column]));
                }
                (self.prefix("", &at, ' ', ""), Role::Note)
            }
        };
        self.row(&prefix, &canvas, role, &remarks.join("; "));
        self.view(line);
    }

    /// The further lines of a note that shows a node's state: beside the lifelines, below what says whose it is.
    fn view(&mut self, line: &Line) {
        let LineKind::Note { text, .. } = &line.what else { return };
        let (prefix, blank) = (self.prefix("", "", ' ', ""), self.blank());
        for text in text.lines().skip(1) {
            self.row(&prefix, &blank, Role::Note, &format!("  {text}"));
        }
    }

    fn arrow(&self, canvas: &mut Canvas, what: &LineKind) {
        let LineKind::Arrow { label, from, to, end, is_damaged, .. } = what else { return };
        let (left, right) = (self.lifelines[*from.min(to)], self.lifelines[*from.max(to)]);
        let rightward = from < to;
        let glyphs = self.glyphs;
        let (dash, role) = match end {
            End::Lost(_) => (glyphs.dash, Role::Lost),
            _ if *is_damaged => (glyphs.damaged, Role::Altered),
            _ => (glyphs.dash, Role::Plain),
        };
        let room = right - left - 1;
        let label = format!(" {} ", shortened(label, room.saturating_sub(ARROW_ROOM), glyphs.cut));
        let width = cells(&label);
        // Counted from the sender, whichever way the arrow goes.
        let cell = |steps: usize| if rightward { left + steps } else { right - steps };
        let lost_after = (width + 5).max(room * 2 / 3).min(room.saturating_sub(1));
        let length = if matches!(end, End::Lost(_)) { lost_after } else { room };
        for steps in 1..=length {
            let is_crossing = self.lifelines.contains(&cell(steps));
            canvas.put(cell(steps), if is_crossing { glyphs.cross } else { dash }, role);
        }
        match end {
            End::Arrived(_) => canvas.put(cell(room), if rightward { glyphs.right } else { glyphs.left }, role),
            End::Lost(_) => canvas.put(cell(length), glyphs.lost, role),
            End::OnTheWay => {
                (width + 3..=room).for_each(|steps| canvas.put(cell(steps), glyphs.dots, role));
            }
        }
        canvas.write(if rightward { left + 3 } else { right.saturating_sub(2 + width) }, &label, role);
    }

    fn times(&self, number: &str, at: Time, end: End) -> String {
        let at_text = milliseconds(at);
        match end {
            End::Arrived(then) => self.prefix(number, &at_text, self.glyphs.until, &milliseconds(then)),
            End::Lost(then) if then == at => self.prefix(number, &at_text, self.glyphs.lost, ""),
            End::Lost(then) => self.prefix(number, &at_text, self.glyphs.lost, &milliseconds(then)),
            End::OnTheWay => self.prefix(number, &at_text, self.glyphs.until, "?"),
        }
    }

    fn prefix(&self, number: &str, at: &str, mark: char, then: &str) -> String {
        let width = self.time_width;
        format!("{number:>5}  {at:>width$} {mark} {then:>width$}  ")
    }

    /// The lifelines and nothing else.
    fn blank(&self) -> Canvas {
        let mut canvas = Canvas::default();
        for lifeline in &self.lifelines {
            canvas.put(*lifeline, self.glyphs.lifeline, Role::Faint);
        }
        canvas
    }

    fn row(&mut self, prefix: &str, canvas: &Canvas, role: Role, remarks: &str) {
        let mut line = prefix.to_owned();
        canvas.print(self.style, &mut line);
        if remarks.is_empty() {
            line.truncate(line.trim_end().len());
        } else {
            let _ = write!(line, "{:REMARKS_INDENT$}{}", "", self.style.paint(role, remarks));
        }
        line.push('\n');
        self.text.push_str(&line);
    }

    /// One line per step, for more nodes than columns.
    fn list(&mut self, lines: &[Line]) {
        let count = self.heads.len();
        self.comment(&format!(
            "# {count} nodes took part, and a ladder has {COLUMNS_MAX} columns at most: here is a list. `nodes` chooses who \
             has a column, `elide` who has none."
        ));
        let heads = std::mem::take(&mut self.heads);
        let width = heads.iter().map(|head| cells(head)).max().unwrap_or(0);
        for line in lines {
            let at = milliseconds(line.at);
            let (prefix, what, role) = match &line.what {
                LineKind::Arrow { number, label, from, to, end, .. } => {
                    let number = number.map_or_else(String::new, |number| format!("#{number}"));
                    let mark = if matches!(end, End::Lost(_)) { self.glyphs.lost } else { self.glyphs.until };
                    let what = format!("{} {mark} {}  {label}", right(heads[*from], width), left(heads[*to], width));
                    let role = if matches!(end, End::Lost(_)) { Role::Lost } else { Role::Plain };
                    (self.times(&number, line.at, *end), what, role)
                }
                LineKind::Drop { column } => {
                    let what = format!("{} {}", right(heads[*column], width), self.glyphs.lost);
                    (self.prefix("", &at, ' ', ""), what, Role::Lost)
                }
                LineKind::Link { a, text, .. } => {
                    (self.prefix("", &at, ' ', ""), format!("{} {text}", right(heads[*a], width)), Role::Note)
                }
                LineKind::Note { column, text } => {
                    // A view's further lines stand below its heading: behind the prefix, the name and the mark.
                    let indent = format!("\n{:1$}", "", cells(&self.prefix("", "", ' ', "")) + width + 5);
                    let text = text.replace('\n', &indent);
                    let what = format!("{} {} {text}", right(heads[*column], width), self.glyphs.note);
                    (self.prefix("", &at, ' ', ""), what, Role::Note)
                }
            };
            let separator = if line.remarks.is_empty() { "" } else { "   " };
            let words = format!("{what}{separator}{}", line.remarks.join("; "));
            let _ = writeln!(self.text, "{prefix}{}", self.style.paint(role, words));
        }
        self.heads = heads;
    }
}

/// Beside its label an arrow needs two dashes, two spaces, one more dash and its head.
const ARROW_ROOM: usize = 6;
/// A lost arrow needs room behind its cut too.
const LOST_ROOM: usize = 9;

/// Where the lifelines stand, so that labels and names fit.
fn lifelines(lines: &[Line], heads: &[&str]) -> Vec<usize> {
    let half = |head: &str| cells(head) / 2 + 1;
    let mut gaps: Vec<usize> = heads.windows(2).map(|pair| (half(pair[0]) + half(pair[1]) + 1).max(GAP_MIN)).collect();
    for line in lines {
        if let LineKind::Arrow { label, from, to, end, .. } = &line.what
            && from.abs_diff(*to) == 1
            && let Some(gap) = gaps.get_mut(*from.min(to))
        {
            let room = if matches!(end, End::Lost(_)) { LOST_ROOM } else { ARROW_ROOM };
            *gap = (*gap).max((cells(label) + room).min(GAP_MAX));
        }
    }
    let first = heads.first().map_or(0, |head| half(head));
    let mut lifelines = vec![first];
    for gap in gaps {
        lifelines.push(lifelines.last().map_or(0, |last| last + gap + 1));
    }
    lifelines.truncate(heads.len());
    lifelines
}

/// Until when a line's frame is on its way.
fn busy_until(line: &Line) -> Time {
    match &line.what {
        LineKind::Arrow { end: End::Arrived(then) | End::Lost(then), .. } => *then,
        _ => line.at,
    }
}

fn shortened(text: &str, room: usize, cut: char) -> String {
    if cells(text) <= room {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |character: &char| {
        taken += cells_of(*character);
        taken < room
    };
    text.chars().take_while(fits).chain([cut]).collect()
}
