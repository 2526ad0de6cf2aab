//! What is written is read back; what is too long says so; nonsense ends in an error.

use domain::base::Ttl;
use domain::base::iana::OptRcode;
use domain::rdata::{A, Ns};
use proptest::prelude::*;

use super::*;

pub(crate) fn name(text: &str) -> Name {
    Name::bytes_from_str(text).unwrap()
}

fn record(owner: &str, data: Data) -> Record {
    Record::new(name(owner), Class::IN, Ttl::from_secs(300), data)
}

fn address(owner: &str, last: u8) -> Record {
    record(owner, A::from_octets(10, 0, 0, last).into())
}

fn answer(count: u8, edns: Option<Edns>) -> Message {
    let query = Message::query(7, Question::new(name("www.example.com"), Rtype::A), true, edns);
    let mut message = query.answer(OptRcode::NOERROR);
    message.answers = (0..count).map(|last| address("www.example.com", last)).collect();
    message.authority = vec![record("example.com", Ns::new(name("ns.example.com")).into())];
    message.additional = vec![address("ns.example.com", 53)];
    message
}

struct Line<'a>(&'a [u8], bool);

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.1 { write_short(f, self.0) } else { write_long(f, self.0) }
    }
}

#[test]
fn what_is_written_is_read_back() {
    for edns in [None, Some(Edns { payload: 4096, version: 0, dnssec_ok: true })] {
        let query = Message::query(7, Question::new(name("WwW.example.com"), Rtype::A), true, edns);
        assert_eq!(Message::parse(&query.write(512)), Ok(query));
        let message = answer(2, edns);
        assert_eq!(Message::parse(&message.write(512)), Ok(message));
    }
}

#[test]
fn an_extended_code_is_split_over_header_and_opt_record() {
    let mut message = answer(0, Some(Edns::default()));
    message.rcode = OptRcode::BADVERS;
    let bytes = message.write(512);
    assert_eq!(bytes[3] & 0x0f, 0);
    assert_eq!(Message::parse(&bytes).unwrap().rcode, OptRcode::BADVERS);
}

#[test]
fn names_are_compressed_and_the_question_keeps_its_case() {
    let mut message = answer(1, None);
    message.questions[0].name = name("wWw.ExAmPlE.com");
    let bytes = message.write(512);
    // Header 12, question 17 + 4; each record a pointer, or labels and one, then 10, then its data.
    assert!(bytes.len() < 110, "{}", bytes.len());
    assert!(bytes.windows(17).any(|part| part == b"\x03wWw\x07ExAmPlE\x03com\x00"));
}

#[test]
fn a_set_that_does_not_fit_is_left_out_whole_and_the_tc_bit_says_so() {
    // 12 + 21 + 16 bytes for each address: 29 of them take 497 bytes, and 30 are one byte more than fits.
    assert_eq!(answer(29, None).write(512).len(), 497);
    let fits = Message::parse(&answer(29, None).write(512)).unwrap();
    assert_eq!(
        (fits.answers.len(), fits.is_truncated),
        (29, true),
        "the authority section is part of what was to be said"
    );
    let cut = Message::parse(&answer(30, None).write(512)).unwrap();
    assert_eq!((cut.answers.len(), cut.authority.len(), cut.is_truncated), (0, 0, true));
    let whole = Message::parse(&answer(30, None).write(TCP_BYTES_MAX)).unwrap();
    assert_eq!((whole.answers.len(), whole.is_truncated), (30, false));
}

#[test]
fn room_is_kept_for_the_opt_record() {
    for count in 20..32 {
        let bytes = answer(count, Some(Edns::default())).write(512);
        assert!(bytes.len() <= 512);
        assert!(Message::parse(&bytes).unwrap().edns.is_some());
    }
}

#[test]
fn only_additional_records_may_be_missing_without_the_tc_bit() {
    let mut message = answer(26, None);
    message.is_authoritative = true;
    message.additional = (0..30).map(|last| address("ns.example.com", last)).collect();
    let cut = Message::parse(&message.write(512)).unwrap();
    assert_eq!((cut.answers.len(), cut.authority.len(), cut.additional.len(), cut.is_truncated), (26, 1, 0, false));
    // But a delegation whose addresses do not fit is of no use.
    message.is_authoritative = false;
    message.answers.clear();
    message.additional = (0..40).map(|last| address("ns.example.com", last)).collect();
    assert!(Message::parse(&message.write(512)).unwrap().is_truncated);
}

#[test]
fn a_payload_of_less_than_512_bytes_is_512() {
    let room = |payload| {
        let edns = Some(Edns { payload, ..Edns::default() });
        Message::query(7, Question::new(name("a"), Rtype::A), false, edns).udp_room()
    };
    assert_eq!((room(0), room(511), room(513)), (512, 512, 513));
}

#[test]
fn two_opt_records_are_one_too_many() {
    let query = Message::query(7, Question::new(name("a"), Rtype::A), false, Some(Edns::default()));
    let mut bytes = query.write(512);
    let opt = bytes[bytes.len() - OPT_BYTES..].to_vec();
    bytes.extend(opt);
    bytes[11] = 2;
    let wrong = Malformed::Rest { id: 7, is_response: false, opcode: Opcode::QUERY, wants_recursion: false };
    assert_eq!(Message::parse(&bytes), Err(wrong));
}

#[test]
fn a_name_that_points_at_itself_is_an_error_and_not_a_loop() {
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for pointers in [vec![0xc0, 12], vec![0xc0, 14, 0xc0, 12], vec![1, b'a', 0xc0, 12]] {
        bytes.truncate(12);
        bytes.extend(pointers);
        bytes.extend([0, 1, 0, 1]);
        assert!(matches!(Message::parse(&bytes), Err(Malformed::Rest { id: 7, .. })), "{bytes:?}");
    }
    assert_eq!(Message::parse(&bytes[..11]), Err(Malformed::Header));
}

#[test]
fn a_message_is_one_line() {
    let query = Message::query(7, Question::new(name("www.example.com"), Rtype::A), true, Some(Edns::default()));
    assert_eq!(Line(&query.write(512), false).to_string(), "7+ [1au] A? www.example.com. (44)");
    assert_eq!(Line(&query.write(512), true).to_string(), "DNS A? www.example.com.");
    let message = answer(1, None);
    assert_eq!(Line(&message.write(512), false).to_string(), "7- 1/1/1 A 10.0.0.0 (82)");
    assert_eq!(Line(&message.write(512), true).to_string(), "DNS A 10.0.0.0");
    let referral = answer(0, None);
    assert_eq!(Line(&referral.write(512), false).to_string(), "7- 0/1/1, ns: NS ns.example.com. (66)");
    assert_eq!(Line(&referral.write(512), true).to_string(), "DNS example.com. ask ns.example.com.");
    let mut nothing = query.answer(OptRcode::NXDOMAIN);
    (nothing.is_authoritative, nothing.offers_recursion) = (true, true);
    assert_eq!(Line(&nothing.write(512), false).to_string(), "7 NXDomain* 0/0/1 (44)");
    assert_eq!(Line(&nothing.write(512), true).to_string(), "DNS NXDomain");
    assert_eq!(Line(&[0; 5], false).to_string(), "[truncated domain] (5)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes off a wire is read, or refused, and told in a line; what was read can be written.
    #[test]
    fn nonsense_neither_panics_nor_loops(
        counts in proptest::array::uniform8(0_u8..3),
        body in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xc0), Just(12), Just(0), Just(1), Just(41)], 0..200),
    ) {
        let mut bytes = vec![0, 7, 0, 0];
        bytes.extend(counts);
        bytes.extend(body);
        if let Ok(message) = Message::parse(&bytes) {
            let written = message.write(TCP_BYTES_MAX);
            prop_assert!(Message::parse(&written).is_ok());
            prop_assert!(message.write(512).len() <= 512.max(12 + message.questions.len() * 259 + OPT_BYTES));
        }
        let _ = (Line(&bytes, false).to_string(), Line(&bytes, true).to_string());
    }
}
