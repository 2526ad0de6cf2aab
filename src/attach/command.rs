//! What a person may type while a session goes on.
//!
//! | line | |
//! |---|---|
//! | `link wan down`, `link wan down 500ms`, `link wan up` | takes a link down or up |
//! | `set links.wan.loss 5%`, `set links.wan.ab.delay 200ms` | changes a property of a link |
//! | `crash r1`, `restart r1`, `start APP`, `stop APP` | what they say |
//! | `do drop link=wan match='tcp.syn' nth=1` | any timed action of a scenario, with its keys |
//! | `show r1 route` | a part of a node's state |
//! | `get links.wan.dropped` | one outcome or counter |
//! | `status`, `help`, `quit` | |
//!
//! What changes the network becomes an `[[at]]` entry, which is read by who reads a scenario's: the same names, the same
//! mistakes. So a session can do what a scenario can, and a recording says it in the same words.

use toml::Value;

/// How long a line may be.
pub(super) const LINE_BYTES_MAX: usize = 4096;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Have this happen now: an `[[at]]` entry without its time.
    Act(String),
    /// Tell an outcome or counter.
    Get(String),
    /// Tell what there is to type.
    Help,
    /// Nothing was typed.
    Nothing,
    /// End the session.
    Quit,
    /// Show a part of a node's state.
    Show {
        /// The node.
        node: String,
        /// What of it; `None`: what there is.
        what: Option<String>,
    },
    /// Tell how the session goes.
    Status,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(String);

/// What `help` says.
pub(super) const HELP: &str = "\
link NAME down|up [TIME]         take a link down or up, perhaps for a time: link wan down 500ms
set links.NAME.KEY VALUE         change a property of a link: set links.wan.loss 5%, set links.wan.ab.delay 200ms
crash NODE, restart NODE         what they say
start APP, stop APP              programs
do KIND KEY=VALUE ...            any timed action of a scenario: do drop link=wan match='tcp.syn' nth=1
show NODE [WHAT]                 a part of a node's state: show r1 route
get NAME                         an outcome or counter: get links.wan.dropped
status                           time, packets, drops, lag
quit                             end the session
";

impl std::str::FromStr for Command {
    type Err = CommandError;

    fn from_str(line: &str) -> Result<Self, CommandError> {
        let words = words(line).map_err(CommandError)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let entry = |kind: &str, keys: &[(&str, &str)]| Self::Act(entry(kind, keys));
        let wrong = |usage: &str| Err(CommandError(format!("`{}` is written `{usage}`", words[0])));
        Ok(match words[..] {
            [] => Self::Nothing,
            ["help" | "?", ..] => Self::Help,
            ["quit" | "exit"] => Self::Quit,
            ["status"] => Self::Status,
            ["link", link, "down"] => entry("link-down", &[("link", link)]),
            ["link", link, "down", time] => entry("link-down", &[("link", link), ("for", time)]),
            ["link", link, "up"] => entry("link-up", &[("link", link)]),
            ["link", ..] => return wrong("link NAME down [TIME]` or `link NAME up"),
            ["set", path, value] | ["set", path, "=", value] => set(path, value)?,
            ["set", ..] => return wrong("set links.NAME.KEY VALUE"),
            ["crash", node] => entry("crash", &[("node", node)]),
            ["restart", node] => entry("restart", &[("node", node)]),
            ["start", app] => entry("start", &[("app", app)]),
            ["stop", app] => entry("stop", &[("app", app)]),
            ["crash" | "restart" | "start" | "stop", ..] => return wrong(&format!("{} NAME", words[0])),
            ["do", kind, ref keys @ ..] => {
                let keys = keys.iter().map(|key| key.split_once('='));
                let Some(keys) = keys.collect::<Option<Vec<_>>>() else { return wrong("do KIND KEY=VALUE ...") };
                entry(kind, &keys)
            }
            ["do"] => return wrong("do KIND KEY=VALUE ..."),
            ["show", node] => Self::Show { node: node.to_owned(), what: None },
            ["show", node, what] => Self::Show { node: node.to_owned(), what: Some(what.to_owned()) },
            ["show", ..] => return wrong("show NODE WHAT"),
            ["get", name] => Self::Get(name.to_owned()),
            ["get", ..] => return wrong("get NAME"),
            [alone @ ("quit" | "exit" | "status"), ..] => {
                return Err(CommandError(format!("`{alone}` stands alone")));
            }
            [first, ..] => {
                const KNOWN: [&str; 12] =
                    ["crash", "do", "exit", "get", "help", "link", "quit", "restart", "set", "show", "start", "status"];
                let near = crate::read::nearest(first, KNOWN.into_iter().chain(["stop"]));
                let hint = near
                    .map_or_else(|| "`help` lists what there is".to_owned(), |near| format!("did you mean `{near}`?"));
                return Err(CommandError(format!("`{first}` is no command: {hint}")));
            }
        })
    }
}

/// `set links.wan.ab.delay 200ms`.
fn set(path: &str, value: &str) -> Result<Command, CommandError> {
    let keys: Vec<&str> = path.split('.').collect();
    match keys[..] {
        ["links", link, key] => Ok(Command::Act(entry("set", &[("link", link), (key, value)]))),
        ["links", link, way @ ("ab" | "ba"), key] => {
            Ok(Command::Act(entry("set", &[("link", link), ("dir", way), (key, value)])))
        }
        _ => Err(CommandError(format!(
            "`{path}` cannot be set while the session goes on; properties of links can: `set links.NAME.KEY VALUE`"
        ))),
    }
}

/// An `[[at]]` entry without its time.
fn entry(kind: &str, keys: &[(&str, &str)]) -> String {
    let mut text = format!("do = {}\n", Value::from(kind));
    for (key, value) in keys {
        let key = if key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && !key.is_empty() {
            (*key).to_owned()
        } else {
            Value::from(*key).to_string()
        };
        let is_name = matches!(key.as_str(), "app" | "link" | "node");
        let value = if is_name { Value::from(*value).to_string() } else { toml_value(value) };
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

/// A number, a truth value, a list or a table as it is; anything else as text.
fn toml_value(text: &str) -> String {
    let is_plain = text.parse::<i64>().is_ok() || text == "true" || text == "false";
    if is_plain || text.starts_with(['[', '{']) { text.to_owned() } else { Value::from(text).to_string() }
}

/// Splits a line at blanks, but not within quotes, which are taken off.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.trim().chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(quote) => Err(format!("a {quote} is missing")),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::time::Time;
    use proptest::prelude::*;

    fn act(line: &str) -> String {
        match line.parse() {
            Ok(Command::Act(entry)) => entry,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn short_commands_become_entries_of_a_scenario() {
        assert_eq!(act("link wan down"), "do = \"link-down\"\nlink = \"wan\"\n");
        assert_eq!(act("link wan down 500ms"), "do = \"link-down\"\nlink = \"wan\"\nfor = \"500ms\"\n");
        assert_eq!(act("set links.wan.loss 5%"), "do = \"set\"\nlink = \"wan\"\nloss = \"5%\"\n");
        assert_eq!(act("set links.wan.ab.mtu 1280"), "do = \"set\"\nlink = \"wan\"\ndir = \"ab\"\nmtu = 1280\n");
        let drop = act("do drop link=wan match='tcp.syn && !tcp.ack' nth=1");
        assert_eq!(drop, "do = \"drop\"\nlink = \"wan\"\nmatch = \"tcp.syn && !tcp.ack\"\nnth = 1\n");
    }

    #[test]
    fn every_command_of_the_help_can_be_read() {
        for line in
            ["link wan down 500ms", "set links.wan.ab.delay 200ms", "crash r1", "restart r1", "start a", "stop a"]
        {
            act(line);
        }
        assert_eq!("show r1 route".parse(), Ok(Command::Show { node: "r1".into(), what: Some("route".into()) }));
        assert_eq!("get links.wan.dropped".parse(), Ok(Command::Get("links.wan.dropped".into())));
        assert_eq!(("quit".parse(), "  ".parse()), (Ok(Command::Quit), Ok(Command::Nothing)));
        assert_eq!(("status".parse(), "help".parse()), (Ok(Command::Status), Ok(Command::Help)));
    }

    #[test]
    fn what_is_no_command_is_told_with_what_would_be() {
        let error = |line: &str| line.parse::<Command>().unwrap_err().to_string();
        assert_eq!(error("lnk wan down"), "`lnk` is no command: did you mean `link`?");
        assert_eq!(error("link wan sideways"), "`link` is written `link NAME down [TIME]` or `link NAME up`");
        assert_eq!(error("do drop link"), "`do` is written `do KIND KEY=VALUE ...`");
        assert_eq!(error("show 'r1"), "a ' is missing");
        assert_eq!(error("quit now"), "`quit` stands alone");
        assert!(error("set nodes.r1.ttl 3").contains("properties of links can"));
    }

    #[test]
    fn a_command_is_carried_out_by_a_run_and_its_mistakes_are_those_of_a_scenario() {
        let text = "[nodes]\na = {}\nb = {}\n[links]\nwan = { ends = [\"a\", \"b\"] }\n[apps]\n\
                    ping = { on = \"a\", kind = \"ping\", to = \"b\", count = 3, interval = \"1s\" }\n";
        let mut run = Scenario::from_toml("x", text).unwrap().build().unwrap();
        run.until(Time::from_millis(1_500));
        run.act(Time::from_millis(1_600), &act("set links.wan.delay 40ms")).unwrap();
        let mistakes = run.act(Time::from_millis(1_600), &act("link wam down")).unwrap_err();
        assert!(mistakes.to_string().contains("did you mean `wan`?"), "{mistakes}");
        let report = run.finish();
        let rtt = report.outcome("ping", "rtt_max").unwrap().to_string();
        assert_eq!(rtt, "80ms");
    }

    proptest! {
        #[test]
        fn whatever_is_typed_nothing_panics_and_what_becomes_an_entry_is_toml(line in "\\PC{0,60}") {
            if let Ok(Command::Act(entry)) = line.parse::<Command>() {
                let has_own_syntax = entry.lines().any(|line| line.contains("= [") || line.contains("= {"));
                prop_assert!(has_own_syntax || entry.parse::<toml::Table>().is_ok() || entry.matches("do =").count() > 1, "{entry}");
            }
        }
    }
}
