//! The language of `that`: what is true, what is said when it is not.

use std::time::Duration;

use proptest::prelude::*;

use super::lexer::Number;
use super::parse::{Expression, FUNCTIONS, Form, Function, Sign, parse};
use super::value::{Term, Trouble, evaluate, truth};
use crate::expect::{Finding, Judge, read};
use crate::network::testing::{Puppet, blob, entries, pair, scope};
use crate::read::{Diagnostic, Source};
use crate::record::Value;
use crate::time::Time;

/// The facts of these tests.
fn fact(path: &str) -> Option<Value> {
    Some(match path {
        "apps.fetch.status" => Value::Integer(404),
        "apps.fetch.elapsed" => Value::Duration(Duration::from_millis(3_200)),
        "apps.fetch.error" => Value::Text("connection refused".into()),
        "apps.fetch.loss" => Value::Float(0.25),
        "apps.fetch.hops" => Value::List(["10.0.0.1", "10.0.1.1"].map(|hop| Value::Text(hop.into())).into()),
        "apps.fetch.done" => Value::Boolean(true),
        _ => return None,
    })
}

fn is(text: &str) -> Result<bool, Trouble> {
    truth(&parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}")), &fact)
}

#[test]
fn facts_compare_with_literals_and_with_each_other() {
    for (text, expected) in [
        ("apps.fetch.status == 200", false),
        ("apps.fetch.status != 200 && apps.fetch.status in [301, 404]", true),
        ("apps.fetch.elapsed < 2s || apps.fetch.done", true),
        ("apps.fetch.elapsed >= 3200ms && apps.fetch.elapsed <= 3.2s", true),
        ("!apps.fetch.done || !(apps.fetch.status == 404)", false),
        ("\"refused\" in apps.fetch.error", true),
        ("apps.fetch.error == 'connection refused'", true),
        ("apps.fetch.loss <= 25% && apps.fetch.loss > 1/5", true),
        ("apps.fetch.hops[1] == \"10.0.1.1\" && len(apps.fetch.hops) == 2", true),
        ("abs(1s - apps.fetch.elapsed) == 2.2s", true),
        ("apps.fetch.elapsed / 2 == 1.6s && apps.fetch.elapsed / 1.6s == 2", true),
        ("max(1, 3, 2) == 3 && min([2s, 1s]) == 1s", true),
        ("1 + 2 * 3 - 4 / 2 == 5", true),
        ("10kB == 10000 && 10Mbit == 10000000 && 64KiB == 65536", true),
        ("-1 < 0 && 2 - -1 == 3", true),
        ("true and not_a_name or false", true),
    ] {
        let text = text.replace("not_a_name", "true");
        assert_eq!(is(&text), Ok(expected), "{text}");
    }
}

#[test]
fn the_side_that_does_not_matter_is_not_looked_at() {
    assert_eq!(is("has(apps.fetch.reply) && apps.fetch.reply == 1"), Ok(false));
    assert_eq!(is("!has(apps.fetch.reply) || apps.fetch.reply == 1"), Ok(true));
    assert_eq!(is("apps.fetch.reply == 1"), Err(Trouble::Missing("apps.fetch.reply".into())));
}

#[test]
fn a_time_is_not_a_number() {
    let Err(Trouble::Unfit { message, .. }) = is("apps.fetch.elapsed < 2") else { panic!() };
    assert_eq!(message, "`<` does not work between a time and a number: a time has a unit, as `2s` has");
}

#[test]
fn what_does_not_go_together_is_told_and_never_panics() {
    for text in [
        "apps.fetch.error < 1",
        "apps.fetch.hops[2] == 1",
        "apps.fetch.hops[-1] == 1",
        "apps.fetch.status && true",
        "min([]) == 1",
        "len(1) == 1",
        "-apps.fetch.error == 1",
        "1s * 1s == 1s",
    ] {
        assert!(matches!(is(text), Err(Trouble::Unfit { .. })), "{text}");
    }
    assert_eq!(is("9223372036854775807 + 1 > 0"), Ok(true));
    assert_eq!(is("1 / 0 > 1000"), Ok(true));
}

fn problems(that: &str) -> Vec<Diagnostic> {
    entries(&format!("[[expect]]\nthat = '{that}'\n"), "expect", scope(), read).1
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let rendered: Vec<String> = [
        "apps.fetch.status = 200",
        "apps.fecth.status == 200",
        "links.wann.sent == links.wan",
        "nodes == 1",
        "status == 200",
        "links.wan.sent + 1",
        "1 < links.wan.sent < 3",
        "abz(links.wan.sent) == 1",
        "has(1)",
        "links.wan.sent == 2 fortnights",
        "links.wan.sent == 2fortnights",
        "(links.wan.sent == 2",
        "links.wan.sent == ",
        "links.wan.sent == \"2",
        "links.wan.sent == 2 & true",
    ]
    .iter()
    .flat_map(|that| {
        let source = Source { name: "x.toml".into(), text: format!("[[expect]]\nthat = '{that}'\n") };
        problems(that).into_iter().map(move |problem| problem.render(&source, false))
    })
    .collect();
    insta::assert_snapshot!(rendered.join("\n\n"));
}

/// Judges an expression after a run in which three frames crossed `wan`.
fn judge(that: &str) -> Result<Finding, Vec<Diagnostic>> {
    let frames = (0..3).map(|at| (Time::from_millis(at), blob("x")));
    let (mut network, _) = pair(Puppet::sending(frames), Puppet::default());
    let (expected, problems) = entries(&format!("[[expect]]\nthat = '{that}'\n"), "expect", scope(), read);
    assert_eq!(problems, []);
    let judge = Judge::new(&expected, &mut network)?;
    network.run_until(Time::from_secs(1)).unwrap();
    Ok(judge.conclude(&network).remove(0))
}

#[test]
fn a_finding_says_what_the_facts_are() {
    let finding = judge("links.wan.sent == 3 && links.wan.ab.delivered == 3 && run.time < 1s").unwrap();
    assert!(finding.is_met);
    assert_eq!(finding.detail, "links.wan.sent = 3, links.wan.ab.delivered = 3, run.time = 12ms");
    let finding =
        judge("links.wan.sent == 3 && (links.wan.ba.sent > 0 || links.wan.dropped > links.wan.sent)").unwrap();
    assert!(!finding.is_met);
    assert_eq!(
        finding.detail,
        "links.wan.ba.sent > 0: links.wan.ba.sent is 0\n\
         links.wan.dropped > links.wan.sent: links.wan.dropped is 0, links.wan.sent is 3"
    );
}

#[test]
fn a_node_counts_nothing_of_an_unknown_name() {
    let mistakes = judge("nodes.server.diary.line > 1").unwrap_err();
    assert_eq!(mistakes[0].label, "did you mean `nodes.server.diary.lines`?");
    assert_eq!(mistakes[0].notes, ["known of `nodes.server.diary`: lines"]);
    // A cause that does not exist would never drop anything: the expectation would be met in vain.
    let mistakes = judge("nodes.server.dropped.ttl-expird == 0").unwrap_err();
    assert_eq!(mistakes[0].label, "did you mean `nodes.server.dropped.ttl-expired`?");
}

#[test]
fn a_link_counts_nothing_of_an_unknown_name() {
    let mistakes = judge("links.wan.send == 3").unwrap_err();
    assert_eq!(mistakes[0].label, "did you mean `links.wan.sent`?");
    let mistakes = judge("links.wan.sent-links.wan.delivered == 0").unwrap_err();
    assert!(mistakes[0].notes[0].contains("blanks"));
}

#[test]
fn it_is_judged_at_its_own_time_before_anything_else_happens_then() {
    let text = "[[expect]]\nt = '10ms'\nthat = 'links.wan.delivered == 0'\n[[expect]]\nt = '10001us'\nthat = 'links.wan.delivered == 1'\n\
                [[expect]]\nt = '5s'\nthat = 'links.wan.delivered == 1'\n";
    let frames = (0..3).map(|at| (Time::from_millis(at), blob("x")));
    let (mut network, _) = pair(Puppet::sending(frames), Puppet::default());
    let (expected, problems) = entries(text, "expect", scope(), read);
    assert_eq!(problems, []);
    let judge = Judge::new(&expected, &mut network).unwrap();
    network.run_until(Time::from_secs(1)).unwrap();
    let findings = judge.conclude(&network);
    assert_eq!(findings.iter().map(|finding| finding.is_met).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(findings[2].detail, "the run was over at 1.000 s, before 5s");
}

fn expression() -> impl Strategy<Value = Expression> {
    let make = |form| Expression { form, span: 0..0 };
    let leaf = prop_oneof![
        any::<bool>().prop_map(Form::Boolean),
        (0..1_000_000_i64).prop_map(|value| Form::Number(Number::Integer(value))),
        (0.0..1e6_f64).prop_map(|value| Form::Number(Number::Float(value))),
        (0..10_000_000_000_u64).prop_map(|value| Form::Number(Number::Time(Duration::from_nanos(value)))),
        "[a-z ']{0,5}".prop_map(Form::Text),
        prop_oneof![Just("apps.fetch.status"), Just("links.a-b.ab.sent"), Just("run.time")]
            .prop_map(|path| Form::Fact(path.to_owned())),
    ]
    .prop_map(make);
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let signs = prop::sample::select(vec![
            Sign::Add,
            Sign::And,
            Sign::Divide,
            Sign::Equal,
            Sign::In,
            Sign::Less,
            Sign::LessOrEqual,
            Sign::More,
            Sign::MoreOrEqual,
            Sign::Multiply,
            Sign::NotEqual,
            Sign::Or,
            Sign::Subtract,
        ]);
        let functions = FUNCTIONS.map(|(_, function)| function).to_vec();
        let functions: Vec<Function> =
            functions.into_iter().filter(|function| matches!(function, Function::Least | Function::Most)).collect();
        prop_oneof![
            (signs, boxed.clone(), boxed.clone()).prop_map(|(sign, left, right)| Form::Binary { sign, left, right }),
            boxed.clone().prop_map(Form::Not),
            boxed.clone().prop_map(Form::Minus),
            (boxed.clone(), boxed.clone()).prop_map(|(list, index)| Form::Index { list, index }),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Form::List),
            (prop::sample::select(functions), prop::collection::vec(inner, 1..3))
                .prop_map(|(function, arguments)| Form::Call { function, arguments }),
        ]
        .prop_map(make)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_printed_reads_back_as_the_same(inner in expression()) {
        // Any expression may stand in a comparison; not every one is a claim by itself.
        let whole = Expression {
            form: Form::Binary {
                sign: Sign::Equal,
                left: Box::new(inner),
                right: Box::new(Expression { form: Form::Boolean(true), span: 0..0 }),
            },
            span: 0..0,
        };
        let text = whole.to_string();
        let again = parse(&text);
        prop_assert!(again.is_ok(), "{}: {:?}", text, again);
        prop_assert_eq!(again.unwrap().to_string(), text);
    }

    #[test]
    fn what_is_printed_comes_to_the_same(inner in expression()) {
        let text = format!("[{inner}] == 1");
        let again = parse(&text).unwrap();
        let Form::Binary { left, .. } = again.form else { panic!() };
        let plain = |term: Result<Term, Trouble>| term.map_err(|_| ()).map(|term| term.to_string());
        let once = evaluate(&inner, &fact).map(|term| Term::List(vec![term]));
        prop_assert_eq!(plain(once), plain(evaluate(&left, &fact)));
    }

    #[test]
    fn random_text_never_panics(text in "[ -~é\\n]{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn random_words_never_panic(words in prop::collection::vec(prop::sample::select(vec![
        "apps.fetch.status", "links.", "&&", "||", "!", "(", ")", "[", "]", ",", "-", "1", "2s", "1%", "'a'", "has", "min", "in", "==", "<", "1.2.3", "9e", "\"",
    ]), 0..20)) {
        if let Ok(expression) = parse(&words.join(" ")) {
            let _ = evaluate(&expression, &fact);
        }
    }
}

#[test]
fn nesting_has_a_bound() {
    let deep = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(64)).is_ok());
    assert!(parse(&deep(65)).unwrap_err().title.contains("64"));
    assert!(parse(&"!".repeat(100_000)).is_err());
}
