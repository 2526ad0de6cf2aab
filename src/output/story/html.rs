//! An explanation as one page that needs nothing else: no script, no picture, no font, no network.
//!
//! What comes from the wire or the scenario is [escaped](Escaped) wherever it stands. Headers have colours, and the bytes
//! of the frame are painted in the colours of the headers that they belong to; pointing at a byte names its field.

use std::fmt::{self, Write as _};

use super::{Change, Explanation, Line};

/// How many colours headers take turns in.
const COLOURS: usize = 8;

/// How many bytes of a field are written out.
const HEX_MAX: usize = 8;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #666; --line: #d8dde3; --mark: #fff3bf; --lost: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #16181b; --faint: #9aa3ad; --line: #33383e; --mark: #4a4115; --lost: #ff8a80 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; padding-left: .5rem; border-left: .5rem solid var(--c) }
h3 small, .faint { color: var(--faint); font-weight: normal }
table { border-collapse: collapse; width: 100% } td, th { padding: .1rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
td.m, pre, .m { font-family: ui-monospace, monospace; font-size: .87em } td.m { white-space: nowrap } th { color: var(--faint); font-weight: normal }
td.v { overflow-wrap: anywhere }
.q { margin-left: 1.5rem } .this { background: var(--mark) } .lost { color: var(--lost) }
pre { overflow-x: auto; line-height: 1.6 } pre span { background: color-mix(in srgb, var(--c) 30%, transparent) }
.c0 { --c: #4c78a8 } .c1 { --c: #f58518 } .c2 { --c: #54a24b } .c3 { --c: #b279a2 } .c4 { --c: #e45756 } .c5 { --c: #72b7b2 } .c6 { --c: #eeca3b } .c7 { --c: #9d755d }
";

/// Text in which nothing is markup.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No character of a page (HTML §13.1.4); nothing should look like it.
                c if c.is_control() && !matches!(c, '\n' | '\t') => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl Explanation {
    /// As a page of its own.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = String::new();
        let title = format!("#{}  {} > {}", self.number, self.from, self.to);
        let _ = write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p class=\"m\">{1}</p>\n\
             <p class=\"faint\">{2} bytes, sent at {3} ms",
            Escaped(&title),
            Escaped(&self.line),
            self.bytes.len(),
            self.sent_at,
        );
        if !self.link.is_empty() {
            let _ = write!(page, " on {}", Escaped(&self.link));
        }
        page.push_str("</p>\n<h2>Header by header</h2>\n");
        self.page_headers(&mut page);
        page.push_str("<h2>All bytes</h2>\n");
        self.page_bytes(&mut page);
        if !self.damage.is_empty() {
            page.push_str("<h2>Damage: what arrived is not what was sent</h2>\n");
            write_changes(&mut page, &self.damage);
        }
        page.push_str("<h2>What caused it</h2>\n");
        write_list(&mut page, &self.caused_by);
        if self.led_by.len() > 1 {
            page.push_str("<p>Step by step:</p>\n");
            write_lines(&mut page, &self.led_by);
        }
        self.page_journey(&mut page);
        let _ = writeln!(page, "<h2>What became of #{}</h2>", self.number);
        write_list(&mut page, &self.became);
        if !self.effects.is_empty() {
            page.push_str("<p>Because of it were sent:</p>\n");
            write_lines(&mut page, &self.effects);
            if self.effects_left_out > 0 {
                let _ = writeln!(page, "<p>and {} more</p>", self.effects_left_out);
            }
        }
        page.push_str("</body>\n</html>\n");
        page
    }

    fn page_headers(&self, page: &mut String) {
        for (index, header) in self.anatomy.headers.iter().enumerate() {
            let (quoted, class) = if header.depth > 0 { (" (quoted)", " q") } else { ("", "") };
            let short = if header.is_cut_short { ", cut short" } else { "" };
            let _ = writeln!(
                page,
                "<section class=\"c{}{class}\">\n<h3>{}{quoted} <small>{} bytes{short} &nbsp; {}</small></h3>\n\
                 <table>\n<tr><th>bytes</th><th>hex</th><th>field</th><th>value</th><th>meaning</th></tr>",
                index % COLOURS,
                Escaped(header.name),
                header.bytes().len(),
                Escaped(header.reference),
            );
            for field in &header.fields {
                let _ = writeln!(
                    page,
                    "<tr><td class=\"m\">{}</td><td class=\"m\">{}</td><td>{}</td><td class=\"v\">{}</td><td>{}</td></tr>",
                    Escaped(&field.place()),
                    Escaped(&field.spelled(&self.bytes, HEX_MAX)),
                    Escaped(&field.name),
                    Escaped(&field.value),
                    Escaped(&field.meaning),
                );
            }
            page.push_str("</table>\n</section>\n");
        }
    }

    /// Sixteen bytes a line, each in the colour of its header.
    fn page_bytes(&self, page: &mut String) {
        // The colour of each byte, and the field that begins in it or that it belongs to.
        let mut owners = vec![(0, String::new()); self.bytes.len()];
        for (index, header) in self.anatomy.headers.iter().enumerate() {
            for field in &header.fields {
                for owner in owners.get_mut(field.bytes()).into_iter().flatten() {
                    let and = if owner.1.is_empty() { String::new() } else { format!("{}; ", owner.1) };
                    *owner = (index % COLOURS, format!("{and}{} {} {}", header.name, field.name, field.value));
                }
            }
        }
        page.push_str("<pre>");
        for (row, bytes) in self.bytes.chunks(16).enumerate() {
            let _ = write!(page, "{:04x}  ", row * 16);
            for (at, byte) in bytes.iter().enumerate() {
                let (colour, title) = &owners[row * 16 + at];
                let gap = if at == 7 { "  " } else { " " };
                let _ = write!(page, "<span class=\"c{colour}\" title=\"{}\">{byte:02x}</span>{gap}", Escaped(title));
            }
            let missing = 16 - bytes.len();
            let _ = write!(page, "{:1$} ", "", missing * 3 + usize::from(missing > 8));
            for byte in bytes {
                let c = if matches!(byte, 0x20..0x7f) { char::from(*byte) } else { '.' };
                let _ = write!(page, "{}", Escaped(c.encode_utf8(&mut [0; 4])));
            }
            page.push('\n');
        }
        page.push_str("</pre>\n");
    }

    fn page_journey(&self, page: &mut String) {
        page.push_str("<h2>Its journey</h2>\n<table>\n<tr><th>frame</th><th>sent at</th><th>from, to</th><th>what changed</th></tr>\n");
        for hop in &self.journey {
            let Line { number, at, from, to, relation, .. } = &hop.line;
            let class = if hop.is_this { " class=\"this\"" } else { "" };
            let _ = write!(
                page,
                "<tr{class}><td class=\"m\">#{number}</td><td class=\"m\">{at} ms</td><td>{} &gt; {}<br><span class=\"faint\">{}</span></td><td>",
                Escaped(from),
                Escaped(to),
                Escaped(relation),
            );
            if hop.changes.is_empty() && relation.starts_with("forwards") {
                let _ = write!(page, "{} changed nothing", Escaped(from));
            }
            if !hop.changes.is_empty() {
                write_changes(page, &hop.changes);
            }
            if !hop.end.is_empty() {
                let _ = write!(page, "<span class=\"lost\">{}</span>", Escaped(&hop.end));
            }
            page.push_str("</td></tr>\n");
        }
        page.push_str("</table>\n");
        if self.hops_left_out > 0 {
            let _ = writeln!(page, "<p>and {} more frames</p>", self.hops_left_out);
        }
    }
}

fn write_changes(page: &mut String, changes: &[Change]) {
    page.push_str("<table>\n");
    for change in changes {
        let values = match (change.before.as_str(), change.after.as_str()) {
            ("", after) => format!("+ {after}"),
            (before, "") => format!("− {before}"),
            (before, after) => format!("{before} → {after}"),
        };
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td class=\"v\">{}</td><td class=\"faint\">{}</td></tr>",
            Escaped(&change.what),
            Escaped(&values),
            Escaped(change.why),
        );
    }
    page.push_str("</table>\n");
}

fn write_list(page: &mut String, lines: &[String]) {
    page.push_str("<ul>\n");
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", Escaped(line));
    }
    page.push_str("</ul>\n");
}

fn write_lines(page: &mut String, lines: &[Line]) {
    page.push_str("<table>\n");
    for line in lines {
        let _ = writeln!(
            page,
            "<tr><td class=\"m\">#{}</td><td class=\"m\">{} ms</td><td>{} &gt; {}</td><td>{}</td><td class=\"faint\">{}</td></tr>",
            line.number,
            line.at,
            Escaped(&line.from),
            Escaped(&line.to),
            Escaped(&line.what),
            Escaped(&line.relation),
        );
    }
    page.push_str("</table>\n");
}
