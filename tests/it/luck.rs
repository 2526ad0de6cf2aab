//! Luck is local: what is added to a scenario leaves the random outcomes of every link that was there before unchanged.
//!
//! Compared are the records of a link, frame by frame: when each was put in, whether it came out and when, what was done
//! to it. Nothing is averaged, so one draw too many anywhere would show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hopwise::record::{Names, Observer, Place, Record, What};
use hopwise::{Scenario, Time};

/// Two pairs of hosts, each with a link that has every impairment there is, and a stream of datagrams in both directions.
const BASE: &str = r#"
    seed = 11
    stop = "3s"
    [nodes]
    a = { addr = "10.0.1.1/24" }
    b = { addr = "10.0.1.2/24" }
    c = { addr = "10.0.2.1/24" }
    d = { addr = "10.0.2.2/24" }
    [links.first]
    ends = ["a", "b"]
    delay = "5ms"
    rate = "2Mbit"
    loss = { kind = "gilbert-elliott", p = "5%", r = "30%" }
    corrupt = "5%"
    duplicate = "5%"
    jitter = { dist = "normal", mean = "3ms", sd = "1ms", reorder = true }
    reorder = { chance = "5%", by = "4ms" }
    [links.second]
    ends = ["c", "d"]
    delay = "5ms"
    loss = "10%"
    jitter = { dist = "pareto", scale = "1ms" }
    [apps]
    in-b = { on = "b", kind = "udp-sink", port = 9 }
    in-a = { on = "a", kind = "udp-sink", port = 9 }
    in-d = { on = "d", kind = "udp-sink", port = 9 }
    a-to-b = { on = "a", kind = "udp-stream", to = "10.0.1.2:9", rate = "500kbit", size = "500B", for = "2s" }
    b-to-a = { on = "b", kind = "udp-stream", to = "10.0.1.1:9", rate = "300kbit", size = "300B", for = "2s" }
    c-to-d = { on = "c", kind = "udp-stream", to = "10.0.2.2:9", rate = "400kbit", size = "400B", for = "2s" }
"#;

/// What happened on each direction of each link, one line per record.
type Stories = BTreeMap<String, Vec<String>>;

/// Writes down what happens to frames on links, under the links' names.
struct Chronicle(Arc<Mutex<Stories>>);

impl Observer for Chronicle {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        let (pipe, is_end) = match record.place {
            Place::Node(_) => return,
            Place::Pipe(pipe) => (pipe, false),
            Place::Port(node, port) => {
                let from_here = names.pipe_from(node, port).expect("frames pass ports that have a link");
                match record.what {
                    What::Delivered { .. } => {
                        let direction = from_here.direction().reversed();
                        (hopwise::id::PipeId::new(from_here.link(), direction), true)
                    }
                    _ => (from_here, false),
                }
            }
        };
        let what = match &record.what {
            What::Altered { how, .. } => format!("altered {how:?}"),
            What::Delivered { frame } => format!("delivered {} bytes", frame.bytes().len()),
            What::Dropped { cause, frame, .. } => format!("dropped {} bytes: {}", frame.bytes().len(), cause.name()),
            What::LinkIsUp(is_up) => format!("up {is_up}"),
            What::Note { .. } | What::Secret { .. } => return,
            What::Sent { frame } => format!("sent {} bytes", frame.bytes().len()),
        };
        // Frame ids hold the sender's place in the file: the same story may have other ids.
        let what = what.split("copy: ").next().unwrap_or_default().to_owned();
        let way = format!("{}/{:?}", names.link(pipe.link()), pipe.direction());
        let line = format!("{} {}{what}", record.at.as_nanos(), if is_end { "" } else { "  " });
        self.0.lock().unwrap().entry(way).or_default().push(line);
    }
}

fn stories(text: &str, settings: &[&str]) -> Stories {
    let mut scenario = Scenario::from_toml("luck", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    scenario.set_all(settings).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut run = scenario.build().unwrap();
    let shared = Arc::new(Mutex::new(Stories::new()));
    run.network.observe(Box::new(Chronicle(Arc::clone(&shared))));
    let report = run.finish();
    assert!(report.failure.is_none() && report.ended_at > Time::from_secs(2), "{:?}", report.failure);
    drop(report);
    std::mem::take(&mut *shared.lock().unwrap())
}

/// Puts tables of nodes and links in front of the others, and further sections at the end.
fn crowded(nodes: &str, links: &str, rest: &str) -> String {
    let text = BASE.replacen("[nodes]\n", &format!("[nodes]\n{nodes}\n"), 1);
    let text = text.replacen("    [links.first]", &format!("{links}\n    [links.first]"), 1);
    format!("{text}\n{rest}\n")
}

/// Every link of `before` has the same story in `after`.
#[track_caller]
fn assert_untouched(before: &Stories, after: &Stories, links: &[&str]) {
    for (way, story) in before.iter().filter(|(way, _)| links.iter().any(|link| way.starts_with(link))) {
        let other = &after[way];
        let differs = story.iter().zip(other).position(|(a, b)| a != b);
        if let Some(index) = differs {
            panic!("{way} differs at its record {index}:\n  {}\n  {}", story[index], other[index]);
        }
        assert_eq!(story.len(), other.len(), "{way}");
    }
}

#[test]
fn the_test_scenario_has_luck_of_every_sort() {
    let stories = stories(BASE, &[]);
    let all = stories.values().flatten().fold(String::new(), |all, line| all + line + "\n");
    for sort in ["Corrupted", "Delayed", "Duplicated", "loss", "delivered", "sent"] {
        assert!(all.contains(sort), "no {sort}");
    }
    assert_eq!(stories.len(), 4);
    assert!(["first/AToB", "first/BToA", "second/AToB"].iter().all(|way| stories[*way].len() > 100));
}

#[test]
fn two_more_nodes_and_a_link_change_no_other_link() {
    let with = crowded(
        "x = { addr = \"10.0.9.1/24\" }\ny = { addr = \"10.0.9.2/24\" }",
        "[links.between]\nends = [\"x\", \"y\"]\nloss = \"50%\"\njitter = \"1ms\"",
        "[apps.in-y]\non = \"y\"\nkind = \"udp-sink\"\nport = 9\n\
         [apps.x-to-y]\non = \"x\"\nkind = \"udp-stream\"\nto = \"10.0.9.2:9\"\nfor = \"2s\"",
    );
    let after = stories(&with, &[]);
    assert_untouched(&stories(BASE, &[]), &after, &["first", "second"]);
    assert!(after["between/AToB"].iter().any(|line| line.contains("dropped")), "the newcomer has luck of its own");
}

#[test]
fn two_more_faults_on_a_link_change_no_other_link() {
    let fault = |name: &str, verb: &str, nth: &str| {
        format!(
            "[[at]]\nt = \"0s\"\ndo = \"{verb}\"\nname = \"{name}\"\nlink = \"first\"\nmatch = 'udp'\nnth = \"{nth}\"\n"
        )
    };
    let rest = fault("every-fourth", "drop", "every 4th") + &fault("every-fifth", "duplicate", "every 5th");
    let (before, after) = (stories(BASE, &[]), stories(&crowded("", "", &rest), &[]));
    assert_untouched(&before, &after, &["second"]);
    assert_ne!(before["first/AToB"], after["first/AToB"], "the faults do something");
}

#[test]
fn a_fault_that_never_strikes_changes_nothing_at_all() {
    let rest = "[[at]]\nt = \"0s\"\ndo = \"drop\"\nlink = \"first\"\nmatch = 'tcp.syn'\n";
    assert_eq!(stories(BASE, &[]), stories(&crowded("", "", rest), &[]));
}

#[test]
fn the_two_directions_of_a_link_have_separate_luck() {
    let before = stories(BASE, &[]);
    // Another impairment, and twice the traffic, from a to b only.
    let after = stories(BASE, &["links.first.ab.loss=40%", "apps.a-to-b.rate=1Mbit"]);
    assert_ne!(before["first/AToB"], after["first/AToB"]);
    assert_untouched(&before, &after, &["first/BToA", "second"]);
}

#[test]
fn an_impairment_more_leaves_the_luck_of_the_others_on_the_same_link() {
    let lost = |stories: &Stories| -> Vec<String> {
        let story = stories["second/AToB"].iter();
        story.filter(|line| line.contains("dropped") && line.contains("loss")).cloned().collect()
    };
    let (before, after) = (stories(BASE, &[]), stories(BASE, &["links.second.corrupt=30%"]));
    assert!(after["second/AToB"].iter().any(|line| line.contains("Corrupted")));
    assert!(lost(&before).len() > 5);
    assert_eq!(lost(&before), lost(&after));
}

#[test]
fn another_seed_changes_every_link() {
    let (before, after) = (stories(BASE, &[]), stories(BASE, &["seed=12"]));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for way in ["first/AToB", "first/BToA", "second/AToB"] {
        assert_ne!(before[way], after[way], "{way}");
    }
}

#[test]
fn the_same_seed_changes_none() {
    assert_eq!(stories(BASE, &[]), stories(BASE, &["seed=11"]));
}

#[test]
fn the_order_of_the_file_is_no_source_of_luck() {
    // The links change places; nodes too, so that their numbers differ.
    let (head, rest) = BASE.split_once("    [links.first]").unwrap();
    let (first, rest) = rest.split_once("    [links.second]").unwrap();
    let (second, apps) = rest.split_once("    [apps]").unwrap();
    let (head, nodes) = head.split_once("    [nodes]\n").unwrap();
    let nodes = nodes.lines().rev().fold(String::new(), |all, line| all + line + "\n");
    let turned = format!("{head}[nodes]\n{nodes}\n[links.second]{second}[links.first]{first}[apps]{apps}");
    assert_untouched(&stories(BASE, &[]), &stories(&turned, &[]), &["first", "second"]);
}
