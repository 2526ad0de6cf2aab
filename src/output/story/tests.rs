//! What a story says, and what it survives.

use proptest::prelude::*;

use super::super::testing::*;
use super::*;
use crate::output::Style;

fn story() -> Story {
    let story = Story::default();
    let mut watching = story.clone();
    lossy_handshake(&mut watching);
    story
}

#[test]
fn every_frame_of_a_run_is_explained_and_others_are_refused() {
    let story = story();
    assert!(story.count() > 3);
    for number in 1..=story.count() {
        let explanation = story.explain(number).unwrap();
        assert!(explanation.journey.iter().any(|hop| hop.is_this), "{number}");
        assert!(!explanation.became.is_empty(), "{number}");
        let (text, html) = (explanation.text(Style::Plain, true), explanation.html());
        assert!(text.starts_with(&format!("#{number}  ")) && html.ends_with("</html>\n"));
        assert_eq!(explanation.json()["number"], number);
    }
    let last = story.count();
    assert_eq!(story.explain(0), Err(NoSuchFrame::NeverSent { number: 0, last }));
    assert_eq!(story.explain(last + 1), Err(NoSuchFrame::NeverSent { number: last + 1, last }));
    assert_eq!(story.near(last + 100).lines().count(), 3);
    assert_eq!(story.list().lines().count() as u64, last);
}

#[test]
fn the_oldest_frames_go_but_what_was_asked_for_stays_with_what_led_to_it() {
    let story = Story::default();
    story.keep(2);
    let mut kept = story.lock();
    let sighting = |number: u64, origin: Option<u64>| Sighting {
        number,
        sent_at: Time::ZERO,
        sent_by: None,
        pipe: None,
        layer: Layer::Ethernet,
        bytes: vec![0; BYTES_REMEMBERED / 4],
        damaged: None,
        relative: Relative::default(),
        line: String::new(),
        origin: origin.map(|number| Origin { relation: crate::output::Relation::Forwards, number }),
        events: Vec::new(),
        is_listed: true,
    };
    for number in 1..=6 {
        kept.insert(sighting(number, (number == 2).then_some(1)));
    }
    assert_eq!(kept.frames.keys().copied().collect::<Vec<_>>(), [1, 2, 5, 6]);
}

#[test]
fn a_page_has_no_markup_but_its_own() {
    let story = story();
    let mut explanation = story.explain(1).unwrap();
    explanation.line = "<script>alert('x')</script>&\"\u{0}".to_owned();
    explanation.from = "<b>".to_owned();
    let page = explanation.html();
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\u{fffd}"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "it stands alone");
}

/// A frame that somebody sends, and perhaps what becomes of it.
#[derive(Debug, Clone)]
struct Act {
    node: NodeId,
    bytes: Vec<u8>,
    cause: Option<u32>,
    end: u8,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        (any::<u8>(), any::<[u8; 2]>(), prop::sample::select(vec![udp(b"<script>&", 3), arp_request()])).prop_map(
            |(at, change, mut bytes)| {
                let at = usize::from(at) % (bytes.len() - 1);
                bytes[at..at + 2].copy_from_slice(&change);
                bytes
            }
        ),
    ];
    let node = prop::sample::select(vec![CLIENT, R1, SERVER]);
    let act = (node, bytes, prop::option::of(0_u32..12), 0_u8..4);
    prop::collection::vec(act.prop_map(|(node, bytes, cause, end)| Act { node, bytes, cause, end }), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_frame_is_too_strange_to_be_explained(acts in acts()) {
        let (story, names) = (Story::default(), names());
        let mut watching = story.clone();
        let mut ids = Vec::new();
        for (count, act) in (0..).zip(&acts) {
            let cause = act.cause.and_then(|cause| ids.get(cause as usize).copied());
            let frame = frame(&act.bytes, id(act.node, count), cause);
            ids.push(id(act.node, count));
            let place = Place::Port(act.node, ETH0);
            let mut tell = |what: What<'_>| {
                watching.record(&Record { at: Time::ZERO, place, what }, &names);
            };
            tell(What::Sent { frame: &frame });
            match act.end {
                0 => tell(What::Delivered { frame: &frame }),
                1 => tell(What::Dropped { frame: &frame, cause: Cause::Malformed, rule: None }),
                2 => {
                    let mut damaged = same(&frame);
                    if let Some(byte) = damaged.bytes_mut().last_mut() {
                        *byte ^= 1;
                    }
                    damaged.damaged = true;
                    tell(What::Delivered { frame: &damaged });
                }
                _ => {}
            }
        }
        watching.finish(Time::ZERO, &names);
        prop_assert_eq!(story.count() as usize, acts.len());
        for number in 1..=story.count() {
            let explanation = story.explain(number).unwrap();
            let covered: usize = explanation.anatomy.headers.iter().map(|header| header.bytes().len()).sum();
            prop_assert_eq!(covered, explanation.bytes.len());
            let page = explanation.html();
            prop_assert!(!page.contains("<script"));
            let _ = (explanation.text(Style::Coloured, true), explanation.json());
        }
    }
}
