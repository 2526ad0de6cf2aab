//! What iperf3's client and server say to each other.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::STREAMS_MAX;
use crate::time::Time;

/// The length of a cookie, the zero at its end included.
pub(super) const COOKIE_BYTES: usize = 37;

/// How long a message in JSON may be: 128 streams' results are some 30 kB.
const JSON_MAX: u32 = 64 * 1024;

/// The header of a datagram: seconds, microseconds, number, counted from 1.
pub(super) const UDP_HEADER_BYTES: usize = 12;

/// The largest block that is written at once.
const BLOCK_MAX: u64 = 1024 * 1024;

/// What opens a UDP stream, and what answers it, as little-endian machines write iperf3's two numbers.
pub(super) const UDP_HELLO: &[u8; 4] = b"9876";
pub(super) const UDP_WELCOME: &[u8; 4] = b"6789";

/// How long a test may be: a day.
const TIME_MAX: Duration = Duration::from_secs(86_400);

/// What is said on the control connection, in one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    TestStart = 1,
    TestRunning = 2,
    TestEnd = 4,
    ParamExchange = 9,
    CreateStreams = 10,
    ServerTerminate = 11,
    ClientTerminate = 12,
    ExchangeResults = 13,
    DisplayResults = 14,
    IperfDone = 16,
    AccessDenied = 255,
    ServerError = 254,
}

impl State {
    fn of(byte: u8) -> Option<Self> {
        const ALL: [State; 12] = [
            State::TestStart,
            State::TestRunning,
            State::TestEnd,
            State::ParamExchange,
            State::CreateStreams,
            State::ServerTerminate,
            State::ClientTerminate,
            State::ExchangeResults,
            State::DisplayResults,
            State::IperfDone,
            State::AccessDenied,
            State::ServerError,
        ];
        ALL.into_iter().find(|state| *state as u8 == byte)
    }
}

/// Says a state.
pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), state: State) -> io::Result<()> {
    stream.write_all(&[state as u8]).await
}

/// Hears a state.
pub(super) async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<State> {
    let mut byte = [0];
    stream.read_exact(&mut byte).await?;
    State::of(byte[0]).ok_or_else(|| nonsense("a state that nobody knows"))
}

/// What does not fit the protocol.
pub(super) fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the other side said {what}"))
}

/// Says something in JSON, its length in front.
pub(super) async fn say_json(stream: &mut (impl AsyncWrite + Unpin), value: &Value) -> io::Result<()> {
    let text = value.to_string().into_bytes();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    // In one piece: two small writes would wait for each other (Nagle's algorithm).
    stream.write_all(&[&length.to_be_bytes(), &text[..]].concat()).await
}

/// Hears something in JSON.
pub(super) async fn hear_json(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Value> {
    let length = stream.read_u32().await?;
    if length > JSON_MAX {
        return Err(nonsense("more than anybody has to say"));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text).await?;
    serde_json::from_slice(&text).map_err(|_| nonsense("what is no JSON"))
}

/// What a test is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Params {
    pub(super) is_udp: bool,
    /// How long; `None`: until `bytes` have been sent.
    pub(super) time: Option<Duration>,
    /// How much over all streams; `None`: as much as goes.
    pub(super) bytes: Option<u64>,
    pub(super) streams: u64,
    /// The server sends.
    pub(super) is_reverse: bool,
    /// How much is written at once; a datagram's length.
    pub(super) block: usize,
    /// Bits per second for each stream; `None`: as fast as it goes.
    pub(super) rate: Option<u64>,
}

impl Params {
    /// As a client says them.
    pub(super) fn to_json(self) -> Value {
        let mut params = json!({
            "omit": 0,
            "time": self.time.map_or(0, |time| time.as_secs() + u64::from(time.subsec_nanos() > 0)),
            "num": self.bytes.unwrap_or(0),
            "blockcount": 0,
            "parallel": self.streams,
            "len": self.block,
            "bandwidth": self.rate.unwrap_or(0),
            "pacing_timer": 1000,
            "client_version": "3.12",
        });
        params[if self.is_udp { "udp" } else { "tcp" }] = true.into();
        if self.is_reverse {
            params["reverse"] = true.into();
        }
        params
    }

    /// As a server hears them; `None` for what it cannot do.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
        let is = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        let is_udp = is("udp");
        let streams = number("parallel").max(1);
        let block = number("len");
        let block_range = if is_udp { UDP_HEADER_BYTES as u64..=65_507 } else { 1..=BLOCK_MAX };
        let is_possible = streams <= STREAMS_MAX
            && block_range.contains(&block)
            && number("time") <= TIME_MAX.as_secs()
            && number("blockcount") == 0
            && number("omit") == 0
            && !is("bidirectional")
            && !is("sctp");
        is_possible.then(|| Self {
            is_udp,
            time: (number("time") > 0).then(|| Duration::from_secs(number("time"))),
            bytes: (number("num") > 0).then(|| number("num")),
            streams,
            is_reverse: is("reverse"),
            block: usize::try_from(block).unwrap_or(1460),
            rate: (number("bandwidth") > 0).then(|| number("bandwidth")),
        })
    }
}

/// What one side has to say of one stream in the end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct StreamResult {
    pub(super) bytes: u64,
    /// Of a TCP sender.
    pub(super) retransmits: u64,
    /// Of a UDP receiver, in seconds.
    pub(super) jitter: f64,
    pub(super) lost: u64,
    pub(super) packets: u64,
    /// How long it took, in seconds.
    pub(super) end: f64,
}

/// iperf3's numbers of streams: 1, 3, 4, 5.
fn stream_id(index: usize) -> usize {
    if index == 0 { 1 } else { index + 2 }
}

/// All results of one side.
pub(super) fn results_to_json(results: &[StreamResult], knows_retransmits: bool) -> Value {
    let streams = results.iter().enumerate().map(|(index, result)| {
        json!({
            "id": stream_id(index),
            "bytes": result.bytes,
            "retransmits": if knows_retransmits { i64::try_from(result.retransmits).unwrap_or(i64::MAX) } else { -1 },
            "jitter": result.jitter,
            "errors": result.lost,
            "packets": result.packets,
            "start_time": 0,
            "end_time": result.end,
        })
    });
    json!({
        "cpu_util_total": 0.0,
        "cpu_util_user": 0.0,
        "cpu_util_system": 0.0,
        "sender_has_retransmits": i64::from(knows_retransmits) * 2 - 1,
        "streams": streams.collect::<Vec<Value>>(),
    })
}

/// The other side's results, in the order of streams; nothing is said of a stream that it does not know.
pub(super) fn results_from_json(value: &Value, streams: usize) -> Vec<StreamResult> {
    let listed: &[Value] = value.get("streams").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let of = |index: usize| {
        let id = stream_id(index) as u64;
        let stream = listed.iter().find(|stream| stream.get("id").and_then(Value::as_u64) == Some(id));
        let number = |key: &str| stream.and_then(|stream| stream.get(key)).and_then(Value::as_i64).unwrap_or(0);
        let count = |key: &str| u64::try_from(number(key)).unwrap_or(0);
        let float = |key: &str| {
            let value = stream.and_then(|stream| stream.get(key)).and_then(Value::as_f64).unwrap_or(0.0);
            if value.is_finite() && value >= 0.0 { value.min(1e9) } else { 0.0 }
        };
        StreamResult {
            bytes: count("bytes"),
            retransmits: count("retransmits"),
            jitter: float("jitter"),
            lost: count("errors"),
            packets: count("packets"),
            end: float("end_time"),
        }
    };
    (0..streams).map(of).collect()
}

/// Writes the header of a datagram, its number counted from 1.
pub(super) fn write_udp_header(datagram: &mut [u8], number: u32, now: Time) {
    let microseconds = now.as_nanos() / 1_000;
    if let Some((header, _)) = datagram.split_first_chunk_mut::<UDP_HEADER_BYTES>() {
        header[..4].copy_from_slice(&((microseconds / 1_000_000) as u32).to_be_bytes());
        header[4..8].copy_from_slice(&((microseconds % 1_000_000) as u32).to_be_bytes());
        header[8..].copy_from_slice(&number.to_be_bytes());
    }
}

/// The number of a datagram and when it was sent, by the sender's clock.
pub(super) fn read_udp_header(datagram: &[u8]) -> Option<(u32, Time)> {
    let header = datagram.first_chunk::<UDP_HEADER_BYTES>()?;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let nanoseconds = u64::from(word(0)) * 1_000_000_000 + u64::from(word(4)) * 1_000;
    Some((word(8), Time::from_nanos(nanoseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARAMS: Params = Params {
        is_udp: true,
        time: Some(Duration::from_secs(2)),
        bytes: None,
        streams: 2,
        is_reverse: true,
        block: 1460,
        rate: Some(1_000_000),
    };

    #[test]
    fn what_a_client_says_a_server_understands() {
        assert_eq!(Params::from_json(&PARAMS.to_json()), Some(PARAMS));
        let tcp = Params { is_udp: false, is_reverse: false, bytes: Some(7), time: None, rate: None, ..PARAMS };
        assert_eq!(Params::from_json(&tcp.to_json()), Some(tcp));
    }

    #[test]
    fn what_a_real_client_says_is_understood() {
        // As iperf3 3.12 with `-t 1 -b 5M` sends it.
        let said = r#"{"tcp":true,"omit":0,"time":1,"num":0,"blockcount":0,"parallel":1,"len":131072,"bandwidth":5000000,"pacing_timer":1000,"client_version":"3.12"}"#;
        let params = Params::from_json(&serde_json::from_str(said).unwrap()).unwrap();
        assert_eq!((params.block, params.rate, params.time), (131_072, Some(5_000_000), Some(Duration::from_secs(1))));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (key, value) in
            [("parallel", json!(129)), ("len", json!(0)), ("time", json!(90_000)), ("bidirectional", json!(true))]
        {
            let mut params = PARAMS.to_json();
            params[key] = value;
            assert_eq!(Params::from_json(&params), None, "{key}");
        }
        assert_eq!(Params::from_json(&json!([])), None);
    }

    #[test]
    fn results_find_their_streams() {
        let mine = [1_u64, 2, 3].map(|bytes| StreamResult { bytes, end: 2.0, ..StreamResult::default() });
        assert_eq!(results_from_json(&results_to_json(&mine, true), 3), mine);
        assert_eq!(results_from_json(&json!({"streams": 7}), 2), [StreamResult::default(); 2]);
    }

    #[test]
    fn a_datagram_says_its_number_and_its_time_to_a_microsecond() {
        let mut datagram = [0; 20];
        write_udp_header(&mut datagram, 7, Time::from_nanos(3_000_001_999));
        assert_eq!(read_udp_header(&datagram), Some((7, Time::from_nanos(3_000_001_000))));
        assert_eq!(read_udp_header(&datagram[..11]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_json_is_too_strange(text in "[\\[\\]{}\",:0-9a-z.-]{0,80}", key in "streams|parallel|len|id", number in any::<f64>()) {
            let mut values = vec![json!({ key.clone(): number }), json!({ "streams": [{ "id": 1, "bytes": number, "jitter": number }] })];
            values.extend(serde_json::from_str::<Value>(&text).ok());
            for value in values {
                let _ = Params::from_json(&value);
                prop_assert!(results_from_json(&value, 2).iter().all(|result| result.jitter.is_finite()));
            }
        }
    }
}
