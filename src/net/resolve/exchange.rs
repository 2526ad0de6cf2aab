//! One query to one server, and which answers count.
//!
//! Whoever can make a resolver believe an answer that was never given owns the name. So an answer counts only if it comes
//! from whom was asked, to the port that asked, with the id of the question and the question itself (RFC 5452 §9.1);
//! everything else is as if it had not come, and is counted by who cares.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use domain::base::iana::OptRcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{Local, Net, TcpStream, UdpSocket};
use crate::wire::dns::Message;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) message: Message,
    /// How long it was on the wire.
    pub(crate) length: usize,
}

/// Whether a message answers this query.
pub(crate) fn is_answer_to(query: &Message, reply: &Message) -> bool {
    let is_same_question = match reply.questions.as_slice() {
        // Who could not read the question cannot repeat it.
        [] => matches!(reply.rcode, OptRcode::FORMERR | OptRcode::NOTIMP | OptRcode::SERVFAIL | OptRcode::REFUSED),
        questions => questions == query.questions,
    };
    // RFC 5452 §9.1: "A resolver implementation MUST match responses to all of the following attributes of the query" …
    // "Query ID", "Query name", "Query class and type".
    reply.is_response && reply.id == query.id && reply.opcode == query.opcode && is_same_question
}

/// Asks by UDP, from a port of its own unless one is given, and waits no longer than `limit`. `stray` is told of every
/// datagram that does not count.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`]; what ICMP says: [`io::ErrorKind::ConnectionRefused`] and the like; what the IP layer says
/// at once.
pub(crate) async fn ask_by_udp(
    net: &Net,
    local: Local,
    server: SocketAddr,
    query: &Message,
    limit: Duration,
    mut stray: impl FnMut(SocketAddr),
) -> io::Result<Reply> {
    let socket = UdpSocket::bind(net, local)?;
    socket.send_to(&query.write(usize::MAX), server).await?;
    let exchange = async {
        loop {
            let (datagram, from) = next(&socket).await?;
            let message = Message::parse(&datagram).ok().filter(|reply| from == server && is_answer_to(query, reply));
            match message {
                Some(message) => return Ok(Reply { message, length: datagram.len() }),
                None => stray(from),
            }
        }
    };
    net.timeout(limit, exchange).await?
}

/// The next datagram of a socket, or what ICMP says of what it has sent.
async fn next(socket: &UdpSocket) -> io::Result<(Vec<u8>, SocketAddr)> {
    let (mut datagram, mut error) = (pin!(socket.recv_datagram()), pin!(socket.recv_error()));
    poll_fn(|context| {
        if let Poll::Ready(datagram) = datagram.as_mut().poll(context) {
            return Poll::Ready(datagram.map(|datagram| (datagram.payload, datagram.from)));
        }
        match error.as_mut().poll(context) {
            Poll::Ready(error) => {
                Poll::Ready(Err(error?.kind.error_kind().unwrap_or(io::ErrorKind::ConnectionRefused).into()))
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Asks by TCP (RFC 7766): one connection for one query.
///
/// # Errors
///
/// Those of a connection; [`io::ErrorKind::InvalidData`] for what is no answer to this query;
/// [`io::ErrorKind::TimedOut`].
pub(crate) async fn ask_by_tcp(net: &Net, server: SocketAddr, query: &Message, limit: Duration) -> io::Result<Reply> {
    let exchange = async {
        let mut stream = TcpStream::connect(net, server).await?;
        stream.set_nodelay(true);
        let bytes = query.write(usize::MAX);
        let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        stream.write_all(&[&length.to_be_bytes(), &bytes[..]].concat()).await?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let mut bytes = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut bytes).await?;
        let message = Message::parse(&bytes).ok().filter(|reply| is_answer_to(query, reply));
        let message = message.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Reply { message, length: bytes.len() })
    };
    net.timeout(limit, exchange).await?
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::base::Name;
    use domain::base::iana::{Opcode, Rtype};

    use super::*;
    use crate::wire::dns::Question;

    fn question(name: &str, rtype: Rtype) -> Question {
        Question::new(Name::<Bytes>::bytes_from_str(name).unwrap(), rtype)
    }

    #[test]
    fn only_an_answer_with_the_id_and_the_question_counts() {
        let query = Message::query(7, question("www.example", Rtype::A), true, None);
        let right = query.answer(OptRcode::NOERROR);
        assert!(is_answer_to(&query, &right));
        let other_case = Message { questions: vec![question("WWW.example", Rtype::A)], ..right.clone() };
        assert!(is_answer_to(&query, &other_case));
        for wrong in [
            Message { id: 8, ..right.clone() },
            Message { is_response: false, ..right.clone() },
            Message { opcode: Opcode::NOTIFY, ..right.clone() },
            Message { questions: vec![question("web.example", Rtype::A)], ..right.clone() },
            Message { questions: vec![question("www.example", Rtype::AAAA)], ..right.clone() },
            Message { questions: Vec::new(), ..right.clone() },
        ] {
            assert!(!is_answer_to(&query, &wrong), "{wrong:?}");
        }
        // Who could not read the question cannot repeat it.
        let unread = Message { questions: Vec::new(), rcode: OptRcode::FORMERR, ..right };
        assert!(is_answer_to(&query, &unread));
    }
}
