//! From text to a tree that knows where everything stands, with `--set` applied.
//!
//! The text that spans refer to is the file's, followed by one line for each setting, so that a mistake in a setting has
//! a place too. TOML's own parser reports one mistake well and the next ones less so, because it goes on in the middle of
//! a broken line. So a broken line is blanked out, which moves nothing, and the rest is read again.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::read::{Diagnostic, Span, nearest};

/// How many syntax errors are looked for; each costs one more pass over the file.
const SYNTAX_ERRORS_MAX: usize = 20;

/// One `--set`: which key gets which value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// `links.wan.delay`.
    pub(super) path: String,
    /// As typed: `200ms`, `5`, `["a", "b"]`.
    pub(super) value: String,
}

/// Every text that a tree borrows from.
#[derive(Debug)]
pub(super) struct Texts {
    /// The file, then a line for each setting: what spans refer to.
    pub(super) whole: String,
    /// Where the settings begin.
    pub(super) settings_at: usize,
    /// The file with what cannot be read blanked out.
    readable: String,
    /// What was blanked out.
    lost: String,
    /// The settings as TOML, each at the place where it stands in `whole`.
    settings: Vec<(Setting, Option<String>, Span)>,
    problems: Vec<Diagnostic>,
}

impl Texts {
    pub(super) fn new(file: &str, settings: &[Setting]) -> Self {
        let (readable, lost, problems) = readable_part(file);
        let mut whole = file.to_owned();
        let mut settings_at = whole.len();
        if !settings.is_empty() {
            whole.push('\n');
            settings_at += 1;
        }
        let settings = settings.iter().map(|setting| {
            let start = whole.len();
            // A setting is one line: what a line break would do to the places of others is not worth knowing.
            let value = setting.value.replace(['\n', '\r'], " ");
            whole.push_str(&format!("{}={value}\n", setting.path.replace(['\n', '\r'], " ")));
            let value_at = start + setting.path.len() + 1;
            (Setting { path: setting.path.clone(), value: value.clone() }, as_toml(&value, value_at), start..value_at)
        });
        let settings = settings.collect();
        Self { whole, settings_at, readable, lost, settings, problems }
    }

    /// The tree, and what is wrong with the text itself.
    pub(super) fn tree(&self) -> (Spanned<DeTable<'_>>, Vec<Diagnostic>) {
        let (mut tree, _) = DeTable::parse_recoverable(&self.readable);
        let mut problems = self.problems.clone();
        for (setting, toml, place) in &self.settings {
            let value_span = place.end..place.end + setting.value.len();
            let parsed = toml.as_deref().and_then(|toml| DeTable::parse(toml).ok());
            let parsed = parsed.and_then(|table| table.into_inner().remove("v"));
            let value = parsed
                .filter(|value| !matches!(value.get_ref(), DeValue::Datetime(_)))
                .unwrap_or_else(|| Spanned::new(value_span, DeValue::String(setting.value.as_str().into())));
            if let Err(problem) = put(tree.get_mut(), &setting.path, value, place.start) {
                problems.push(problem);
            }
        }
        (tree, problems)
    }

    /// Whether a mistake may be nothing but the consequence of text that could not be read.
    pub(super) fn explains(&self, problem: &Diagnostic) -> bool {
        if self.lost.is_empty() {
            return false;
        }
        let quoted = self.whole.get(problem.span.clone()).unwrap_or("");
        let name = quoted.trim_matches(['"', '\'']).split(':').next().unwrap_or("");
        let missing = problem.title.rsplit_once(" lacks `").map(|(_, key)| key.trim_end_matches('`'));
        missing.is_some_and(|key| self.lost.contains(key))
            || problem.title.starts_with("no ") && !name.is_empty() && self.lost.contains(name)
    }
}

/// A value as a TOML document that has it, under the key `v`, at byte `at`; `None` if it is not a TOML value.
fn as_toml(value: &str, at: usize) -> Option<String> {
    let document = format!("{}v={value}", " ".repeat(at.saturating_sub(2)));
    DeTable::parse(&document).is_ok().then_some(document)
}

/// The file with every broken line blanked out; what was blanked out; and what was wrong.
fn readable_part(file: &str) -> (String, String, Vec<Diagnostic>) {
    let (mut readable, mut lost, mut problems) = (file.to_owned(), String::new(), Vec::new());
    for _ in 0..SYNTAX_ERRORS_MAX {
        let (_, errors) = DeTable::parse_recoverable(&readable);
        let Some(first) = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start)) else {
            return (readable, lost, problems);
        };
        let span = first.span().unwrap_or(0..0);
        problems.push(syntax_error(span.clone(), first.message()));
        let broken = broken_lines(&readable, span.start);
        if readable[broken.clone()].trim().is_empty() {
            break;
        }
        lost.push_str(&readable[broken.clone()]);
        let blank: String =
            readable[broken.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        readable.replace_range(broken, &blank);
    }
    // What is left cannot be told apart from its consequences: nothing of the file is read.
    if !DeTable::parse_recoverable(&readable).1.is_empty() {
        lost.push_str(&readable);
        readable.clear();
    }
    (readable, lost, problems)
}

/// The lines that a syntax error makes unreadable: its own, and if that is a header, the table below it.
fn broken_lines(text: &str, at: usize) -> Span {
    let at = text.floor_char_boundary(at);
    let mut start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end_of = |from: usize| text[from..].find('\n').map_or(text.len(), |newline| from + newline);
    let mut end = end_of(start);
    // An error on an empty line or at the end of the file is about what stands above.
    if text[start..end].trim().is_empty() {
        let above = text[..start].trim_end();
        start = above.rfind('\n').map_or(0, |newline| newline + 1);
        end = end_of(start).max(above.len());
    }
    if text[start..end].trim_start().starts_with('[') {
        while end < text.len() {
            let next = end_of(end + 1);
            if text[end + 1..next].trim_start().starts_with('[') {
                break;
            }
            end = next;
        }
    }
    start..end
}

fn syntax_error(span: Span, message: &str) -> Diagnostic {
    match message.split_once(", expected ") {
        Some((what, expected)) => {
            Diagnostic::new(span, format!("this is not TOML: {what}")).label(format!("expected {expected}"))
        }
        None => Diagnostic::new(span, format!("this is not TOML: {message}")),
    }
}

/// The sections that are tables, and those of them whose entries have names that are known beforehand: what is not there
/// yet can be made, because whoever reads it knows a misspelled name. In the others a new name may be a misspelled one.
const SECTIONS: [(&str, bool); 5] =
    [("apps", false), ("links", false), ("nodes", false), ("record", true), ("topology", false)];

/// Puts `value` where `path` says. The thing whose property is set must be there; the property need not be.
fn put<'t>(tree: &mut DeTable<'t>, path: &'t str, value: Spanned<DeValue<'t>>, at: usize) -> Result<(), Diagnostic> {
    let span_of = |key: &str| {
        let offset = key.as_ptr() as usize - path.as_ptr() as usize;
        at + offset..at + offset + key.len()
    };
    let keys: Vec<&str> = path.split('.').collect();
    let Some((last, above)) = keys.split_last().filter(|_| keys.iter().all(|key| !key.is_empty())) else {
        return Err(Diagnostic::new(at..at + path.len().max(1), "this is not a key")
            .label("such as `seed` or `links.wan.delay`"));
    };
    let mut here = tree;
    for (depth, key) in above.iter().enumerate() {
        // The first two keys name a section and a thing in it; what is below may come into being.
        let section = SECTIONS.iter().find(|(section, _)| *section == keys[0]);
        let may_be_made = match depth {
            0 => section.is_some(),
            1 => section.is_some_and(|(_, is_closed)| *is_closed),
            _ => true,
        };
        // `record.text = true` is a table of which nothing is said.
        let says_nothing = depth == 1
            && section.is_some_and(|(_, is_closed)| *is_closed)
            && here.get(*key).is_some_and(|value| value.get_ref().as_bool() == Some(true));
        if may_be_made && !here.contains_key(*key) || says_nothing {
            let empty = Spanned::new(span_of(key), DeValue::Table(DeTable::new()));
            here.insert(Spanned::new(span_of(key), (*key).into()), empty);
        }
        let mut known: Vec<String> = here.keys().map(|key| key.get_ref().to_string()).collect();
        let Some(next) = here.get_mut(*key) else {
            let diagnostic = if depth == 0 {
                known.extend(SECTIONS.iter().map(|(section, _)| (*section).to_owned()));
                Diagnostic::new(span_of(key), format!("the scenario has no section `{key}`"))
            } else {
                Diagnostic::new(span_of(key), format!("nothing is called `{}`", keys[..=depth].join(".")))
            };
            let diagnostic = diagnostic.not_among(key, known.iter().map(String::as_str));
            return Err(match depth {
                1 => diagnostic.note(format!("a new one is set whole: `{}={{ … }}`", keys[..=1].join("."))),
                _ => diagnostic,
            });
        };
        if depth == 0 && next.get_ref().is_array() {
            return put_in_list(next.get_mut(), &keys, path, value, at);
        }
        let DeValue::Table(table) = next.get_mut() else {
            let title = format!("`{}` has no keys of its own", keys[..=depth].join("."));
            return Err(Diagnostic::new(span_of(key), title).label("it is a value"));
        };
        here = table;
    }
    here.insert(Spanned::new(span_of(last), (*last).into()), value);
    Ok(())
}

/// The same for a list of tables: `at.lose-first-syn.nth`, `at.0.t`.
fn put_in_list<'t>(
    list: &mut DeValue<'t>,
    keys: &[&'t str],
    path: &'t str,
    value: Spanned<DeValue<'t>>,
    at: usize,
) -> Result<(), Diagnostic> {
    let section = keys[0];
    let which = keys.get(1).copied().unwrap_or("");
    let place = at + section.len() + 1..at + section.len() + 1 + which.len();
    let DeValue::Array(entries) = list else { return Ok(()) };
    let name_of = |entry: &Spanned<DeValue<'t>>| {
        let name = entry.get_ref().as_table().and_then(|table| table.get("name"));
        name.and_then(|name| name.get_ref().as_str()).map(str::to_owned)
    };
    let names: Vec<String> = entries.iter().filter_map(name_of).collect();
    let by_name = entries.iter().position(|entry| name_of(entry).as_deref() == Some(which));
    let index = by_name.or_else(|| which.parse().ok()).filter(|index| *index < entries.len());
    let entry = index.and_then(|index| entries.get_mut(index)).map(Spanned::get_mut);
    let Some(DeValue::Table(entry)) = entry else {
        let near = nearest(which, names.iter().map(String::as_str));
        let label =
            near.map_or_else(|| "a name, or a number from 0".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Diagnostic::new(place, format!("no entry of `{section}` is called `{which}`")).label(label));
    };
    if keys.len() < 3 {
        return Err(Diagnostic::new(place, format!("`{path}` names an entry, not a key of it"))
            .label(format!("such as `{path}.t`")));
    }
    let rest_at = section.len() + which.len() + 2;
    put(entry, &path[rest_at..], value, at + rest_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(file: &str) -> Vec<String> {
        let texts = Texts::new(file, &[]);
        texts.tree().1.iter().map(|problem| format!("{:?} {}", problem.span, problem.title)).collect()
    }

    fn set(file: &str, path: &str, value: &str) -> Result<String, String> {
        let texts = Texts::new(file, &[Setting { path: path.into(), value: value.into() }]);
        let (tree, problems) = texts.tree();
        match problems.first() {
            Some(problem) => Err(format!("{}: {}", &texts.whole[problem.span.clone()], problem.title)),
            None => {
                let mut here = tree.get_ref().get(path.split('.').next().unwrap()).unwrap();
                for key in path.split('.').skip(1) {
                    here = here.get_ref().get(key).unwrap();
                }
                Ok(format!("{} {}", here.get_ref().type_str(), &texts.whole[here.span()]))
            }
        }
    }

    #[test]
    fn each_broken_line_is_one_mistake_and_the_rest_is_read() {
        let file =
            "[nodes]\na = {}\nb = { addr = \"1.2.3.4 }\n[links]\nw = { ends = [\"a\" \"b\"] }\nc = \n[apps]\nok = 1\n";
        assert_eq!(problems(file).len(), 3, "{:#?}", problems(file));
        let texts = Texts::new(file, &[]);
        let (tree, _) = texts.tree();
        assert!(tree.get_ref()["apps"].get_ref().get("ok").is_some());
        assert!(tree.get_ref()["nodes"].get_ref().get("a").is_some());
    }

    #[test]
    fn a_setting_is_typed_as_toml_where_it_can_be_and_text_otherwise() {
        let file = "[links.wan]\ndelay = \"1ms\"\n[nodes.a]\n";
        assert_eq!(set(file, "links.wan.delay", "200ms"), Ok("string 200ms".into()));
        assert_eq!(set(file, "links.wan.mtu", "1400"), Ok("integer 1400".into()));
        assert_eq!(set(file, "links.wan.ab.loss", "1%"), Ok("string 1%".into()));
        assert_eq!(set(file, "links.wan.delay", "\"5ms\""), Ok("string \"5ms\"".into()));
        assert_eq!(set(file, "stop", "3s"), Ok("string 3s".into()));
    }

    #[test]
    fn a_setting_of_a_thing_that_is_not_there_is_a_mistake_at_its_name() {
        let file = "[links.wan]\ndelay = \"1ms\"\n[nodes.a]\n";
        assert_eq!(set(file, "links.wam.delay", "1ms"), Err("wam: nothing is called `links.wam`".into()));
        assert_eq!(set(file, "link.wan.delay", "1ms"), Err("link: the scenario has no section `link`".into()));
        assert_eq!(set(file, "links.wan.delay.x", "1"), Err("delay: `links.wan.delay` has no keys of its own".into()));
        assert_eq!(set(file, "apps.ping.count", "1"), Err("ping: nothing is called `apps.ping`".into()));
    }

    #[test]
    fn what_cannot_be_misspelled_unnoticed_comes_into_being() {
        for file in ["", "[record]\n", "[record]\nladder = true\n", "[record]\nladder = { gap = \"1s\" }\n"] {
            assert_eq!(set(file, "record.ladder.ascii", "true"), Ok("boolean true".into()), "{file}");
        }
        assert_eq!(set("", "record.text", "true"), Ok("boolean true".into()));
        assert_eq!(set("", "links.new", "{ mtu = 576 }"), Ok("table { mtu = 576 }".into()));
    }

    #[test]
    fn an_entry_of_a_list_is_found_by_name_or_number() {
        let file = "[[at]]\nname = \"lose\"\nt = \"1s\"\n[[at]]\nt = \"2s\"\n";
        let read = |path: &str, index: usize| {
            let texts = Texts::new(file, &[Setting { path: path.into(), value: "9s".into() }]);
            let (tree, problems) = texts.tree();
            assert!(problems.is_empty(), "{problems:?}");
            let entry =
                tree.get_ref()["at"].get_ref().get(index).unwrap().get_ref().get("t").unwrap().get_ref().as_str();
            assert_eq!(entry, Some("9s"));
        };
        read("at.lose.t", 0);
        read("at.1.t", 1);
        assert!(set(file, "at.loose.t", "1s").is_err_and(|error| error.starts_with("loose: ")));
    }
}
