//! Traces of small stories, as they are read.

use super::*;
use crate::output::testing::*;

fn told(options: TextOptions, story: fn(&mut dyn Observer)) -> String {
    let sink = Sink::memory();
    story(&mut Text::new(options, sink.clone()));
    sink.close().unwrap();
    sink.take_text()
}

#[test]
fn a_lost_syn_is_told_from_its_departure_to_its_retransmission() {
    insta::assert_snapshot!(told(TextOptions::default(), lossy_handshake), @r"
    # `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`
    #   no          ms  where         > sent   < received   x dropped   ~ altered   * note

                 0.000  client        *  fetch: connecting to server:80
        #1       0.000  client        >  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0

        #1       1.004  r1:lan        <  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #2       1.004  r1:wan        >  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0  (forwards #1)
        #2       1.004  wan           x  lose-first-syn (fault): 10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
                                         (fault: a fault rule of the scenario drops it)

        #3    1000.000  client        >  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0  (resends #1)

        #3    1001.004  r1:lan        <  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #4    1001.004  r1:wan        >  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0  (forwards #3)
        #4    1001.004  wan           ~  copied as #5 by wan/ab/duplicate

        #4    1021.004  server        <  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #6    1021.004  server        >  10.0.2.80.80 > 10.0.1.10.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0  (answers #4)
        #5    1021.004  server        <  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #5    1021.004  server        x  stale-segment: 10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
                                         (stale-segment: no connection can use it in its state; RFC 9293 §3.10.7)

        #6    1041.004  r1:wan        <  10.0.2.80.80 > 10.0.1.10.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0
        #7    1041.004  r1:lan        >  10.0.2.80.80 > 10.0.1.10.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0  (forwards #6)

        #7    1042.008  client        <  10.0.2.80.80 > 10.0.1.10.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0
              1042.008  client        *  fetch: connected
        #8    1042.008  client        >  10.0.1.10.49152 > 10.0.2.80.80: Flags [P.], seq 1:6, ack 1, win 64240, length 5  (answers #7)

    # the run ends at 1043.000 ms
    ");
}

#[test]
fn each_misfortune_is_told_with_its_cause() {
    insta::assert_snapshot!(told(TextOptions::default(), misfortunes), @r"
    # `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`
    #   no          ms  where         > sent   < received   x dropped   ~ altered   * note

        #1       0.000  client        >  arp who-has 10.0.1.1 tell 10.0.1.10

        #1       0.500  r1:lan        <  arp who-has 10.0.1.1 tell 10.0.1.10
        #2       0.500  r1:lan        >  arp 10.0.1.1 is-at 02:00:00:00:00:01  (answers #1)

        #2       1.000  client        <  arp 10.0.1.1 is-at 02:00:00:00:00:01
        #3       1.000  client        >  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]

        #3       1.500  r1:lan        <  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]
        #3       1.500  r1            x  ttl-expired: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]
                                         (ttl-expired: its time to live has reached zero; RFC 791 §3.2)

        #4       2.000  r1:wan        >  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5
        #4       2.000  wan           ~  bit 3 of byte 42 flipped by wan/ab/duplicate

        #4      22.000  server        <  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 (bad udp cksum)  (damaged)
        #4      22.000  server        x  bad-checksum: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 (bad udp cksum)
                                         (bad-checksum: a checksum is wrong, so the contents cannot be trusted; RFC 1122 §3.2.1.2, §4.2.2.7)

        #5      30.000  r1:wan        >  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5
        #5      30.000  wan           ~  held back for 30ms by wan/ab/duplicate

                40.000  wan           *  link is down
        #5      40.000  wan           x  link-down: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5
                                         (link-down: the link is down)

               540.000  wan           *  link is up
               540.000  r1            x  no-route: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 1  (forwards #3)
                                         (no-route: no route leads to its destination; RFC 1812 §5.2.7.1)

    # the run ends at 541.000 ms
    ");
}

#[test]
fn names_stand_for_addresses_and_received_frames_are_left_out_on_request() {
    let options =
        TextOptions { hosts: hosts(), shows_received: false, gap: Duration::from_millis(100), ..Default::default() };
    insta::assert_snapshot!(told(options, lossy_handshake), @r"
    # `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`
    #   no          ms  where         > sent   < received   x dropped   ~ altered   * note

                 0.000  client        *  fetch: connecting to server:80
        #1       0.000  client        >  client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #2       1.004  r1:wan        >  client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0  (forwards #1)
        #2       1.004  wan           x  lose-first-syn (fault): client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
                                         (fault: a fault rule of the scenario drops it)

        #3    1000.000  client        >  client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0  (resends #1)
        #4    1001.004  r1:wan        >  client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0  (forwards #3)
        #4    1001.004  wan           ~  copied as #5 by wan/ab/duplicate
        #6    1021.004  server        >  server.80 > client.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0  (answers #4)
        #5    1021.004  server        x  stale-segment: client.49152 > server.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
                                         (stale-segment: no connection can use it in its state; RFC 9293 §3.10.7)
        #7    1041.004  r1:lan        >  server.80 > client.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0  (forwards #6)
              1042.008  client        *  fetch: connected
        #8    1042.008  client        >  client.49152 > server.80: Flags [P.], seq 1:6, ack 1, win 64240, length 5  (answers #7)

    # the run ends at 1043.000 ms
    ");
}

#[test]
fn a_filter_leaves_out_frames_and_what_happens_to_them_but_keeps_their_numbers() {
    let options = TextOptions { filters: vec![Filter::parse("udp").unwrap()], ..Default::default() };
    insta::assert_snapshot!(told(options, misfortunes), @r"
    # `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`
    #   no          ms  where         > sent   < received   x dropped   ~ altered   * note

        #3       1.000  client        >  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]

        #3       1.500  r1:lan        <  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]
        #3       1.500  r1            x  ttl-expired: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 [ttl 1]
                                         (ttl-expired: its time to live has reached zero; RFC 791 §3.2)

        #4       2.000  r1:wan        >  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5
        #4       2.000  wan           ~  bit 3 of byte 42 flipped by wan/ab/duplicate

        #4      22.000  server        <  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 (bad udp cksum)  (damaged)
        #4      22.000  server        x  bad-checksum: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5 (bad udp cksum)
                                         (bad-checksum: a checksum is wrong, so the contents cannot be trusted; RFC 1122 §3.2.1.2, §4.2.2.7)

        #5      30.000  r1:wan        >  10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5
        #5      30.000  wan           ~  held back for 30ms by wan/ab/duplicate

                40.000  wan           *  link is down
        #5      40.000  wan           x  link-down: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 5
                                         (link-down: the link is down)

               540.000  wan           *  link is up
               540.000  r1            x  no-route: 10.0.1.10.5000 > 10.0.2.80.9: UDP, length 1  (forwards #3)
                                         (no-route: no route leads to its destination; RFC 1812 §5.2.7.1)

    # the run ends at 541.000 ms
    ");
}

#[test]
fn only_the_named_places_are_told_of() {
    let options = TextOptions { places: Places::new(vec!["server:eth0".into()]), ..Default::default() };
    insta::assert_snapshot!(told(options, lossy_handshake), @r"
    # `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`
    #   no          ms  where         > sent   < received   x dropped   ~ altered   * note

                 0.000  client        *  fetch: connecting to server:80

        #2       1.004  wan           x  lose-first-syn (fault): 10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
                                         (fault: a fault rule of the scenario drops it)

        #4    1021.004  server        <  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #6    1021.004  server        >  10.0.2.80.80 > 10.0.1.10.49152: Flags [S.], seq 0, ack 1, win 64240, options [mss 1460], length 0  (answers #4)
        #5    1021.004  server        <  10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
        #5    1021.004  server        x  stale-segment: 10.0.1.10.49152 > 10.0.2.80.80: Flags [S], seq 0, win 64240, options [mss 1460], length 0
                                         (stale-segment: no connection can use it in its state; RFC 9293 §3.10.7)

              1042.008  client        *  fetch: connected

    # the run ends at 1043.000 ms
    ");
}

#[test]
fn a_place_that_does_not_exist_is_told_at_the_end() {
    let sink = Sink::memory();
    let options = TextOptions { places: Places::new(vec!["moon".into()]), ..Default::default() };
    lossy_handshake(&mut Text::new(options, sink.clone()));
    let error = sink.close().unwrap_err().to_string();
    assert_eq!(error, "cannot watch `moon`: no link and no `node:port` is called that");
}

#[test]
fn a_damaged_sequence_number_does_not_change_how_later_ones_are_counted() {
    use smoltcp::wire::TcpControl;
    let text = told(TextOptions::default(), |observer| {
        let mut teller = Teller::new(observer);
        let syn = frame(&tcp_out(TcpControl::Syn, 1000, None, b"", 64), id(CLIENT, 0), None);
        teller.sent(0, CLIENT, ETH0, &syn);
        let mut damaged = frame(&tcp_out(TcpControl::Syn, 5000, None, b"", 64), id(CLIENT, 0), None);
        damaged.damaged = true;
        teller.delivered(1, R1, LAN, &damaged);
        let data = frame(&tcp_out(TcpControl::Psh, 1001, Some(1), b"hello", 64), id(CLIENT, 1), None);
        teller.sent(2, CLIENT, ETH0, &data);
        teller.finish(1);
    });
    assert!(text.contains("seq 4000, win") && text.contains("seq 1:6, ack 1,"), "{text}");
}

#[test]
fn a_view_of_a_nodes_state_stands_below_its_heading() {
    let text = told(TextOptions::default(), views);
    insta::assert_snapshot!(text, @"
    # `#7` is a frame on one link; whoever passes it on makes it a new frame, which `forwards #7`
    #   no          ms  where         > sent   < received   x dropped   ~ altered   * note

        #1       0.000  client        >  arp who-has 10.0.1.1 tell 10.0.1.10

                 0.250  r1            *  show route
                                           default via 10.0.2.254 dev wan
                                           10.0.1.0/24 dev lan

        #1       0.500  r1:lan        <  arp who-has 10.0.1.1 tell 10.0.1.10
                 0.500  client        *  show neigh: nothing

    # the run ends at 1.000 ms
    ");
}
