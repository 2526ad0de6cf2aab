//! Where commands come from: the terminal, and a socket for scripts.
//!
//! A script talks to the socket line by line and reads until the answer's last line, a full stop:
//! `echo 'link wan down' | socat - UNIX-CONNECT:hop.sock`. Clients are few, their lines short, and one that does not read
//! is let go, so that nobody holds up the session.

use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

use super::command::LINE_BYTES_MAX;

/// How many may be connected to the socket at once.
const CLIENTS_MAX: usize = 8;

/// The last line of an answer.
const FULL_STOP: &str = ".\n";

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A session listens there already.
    #[error("{} is the control socket of another session", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// It could not be made.
    #[error("cannot make the control socket {}", path.display())]
    Make {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Who has typed a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody at the terminal.
    Person,
    /// A client of the socket, by its number.
    Client(u64),
}

/// Reads commands. Its socket is removed when it is dropped.
#[derive(Debug, Default)]
pub struct Control {
    /// The standard input and what was read of it; `None` if it is not read, or is at its end.
    typed: Option<(io::Stdin, Vec<u8>)>,
    socket: Option<(UnixListener, PathBuf)>,
    clients: Vec<Client>,
    clients_seen: u64,
}

#[derive(Debug)]
struct Client {
    number: u64,
    stream: UnixStream,
    typed: Vec<u8>,
    /// How many of its lines are still to be answered.
    unanswered: usize,
    /// It has said all that it will say.
    has_ended: bool,
}

impl Control {
    /// Reads the standard input if asked to, and listens at a path if there is one.
    ///
    /// # Errors
    ///
    /// When the socket cannot be made.
    pub fn open(reads_input: bool, socket: Option<&Path>) -> Result<Self, ControlError> {
        let socket = socket.map(|path| Ok((listen(path)?, path.to_owned()))).transpose()?;
        let typed = reads_input.then(|| (io::stdin(), Vec::new()));
        Ok(Self { typed, socket, clients: Vec::new(), clients_seen: 0 })
    }

    /// What to poll.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let input = self.typed.as_ref().map(|(input, _)| input.as_fd()).filter(|input| may_read(*input));
        let socket = self.socket.as_ref().map(|(socket, _)| socket.as_fd());
        input
            .into_iter()
            .chain(socket)
            .chain(self.clients.iter().filter(|client| !client.has_ended).map(|client| client.stream.as_fd()))
            .collect()
    }

    /// Takes what has been typed, once something can be read.
    pub(super) fn lines(&mut self) -> Vec<(Who, String)> {
        let mut lines = self.read_input();
        self.welcome();
        let mut clients = std::mem::take(&mut self.clients);
        clients.retain_mut(|client| client.read(&mut lines));
        self.clients = clients;
        lines
    }

    fn read_input(&mut self) -> Vec<(Who, String)> {
        let mut lines = Vec::new();
        let Some((input, typed)) = &mut self.typed else { return lines };
        if !may_read(input.as_fd()) || !has_something(input.as_fd()) {
            return lines;
        }
        let mut bytes = [0; 1024];
        match rustix::io::read(input.as_fd(), &mut bytes) {
            Ok(0) => self.typed = None,
            Ok(length) => {
                typed.extend(&bytes[..length]);
                take_lines(typed, Who::Person, &mut lines);
                // Nobody types that much.
                if typed.len() > LINE_BYTES_MAX {
                    typed.clear();
                }
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => self.typed = None,
        }
        lines
    }

    /// Lets new clients in, up to the limit.
    fn welcome(&mut self) {
        let Some((socket, _)) = &self.socket else { return };
        while let Ok((mut stream, _)) = socket.accept() {
            self.clients_seen += 1;
            if self.clients.len() >= CLIENTS_MAX {
                let _ = stream.write_all(b"too many clients\n.\n");
            } else if stream.set_nonblocking(true).is_ok() {
                let number = self.clients_seen;
                self.clients.push(Client { number, stream, typed: Vec::new(), unanswered: 0, has_ended: false });
            }
        }
    }

    /// Answers a client; a person is answered by who watches the session.
    pub(super) fn answer(&mut self, number: u64, text: &str) {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let answer = format!("{text}{gap}{FULL_STOP}");
        self.clients.retain_mut(|client| {
            if client.number != number {
                return true;
            }
            client.unanswered = client.unanswered.saturating_sub(1);
            // Who does not read what it has asked for is let go, and who has nothing more to ask.
            let is_heard = client.stream.write_all(answer.as_bytes()).is_ok();
            is_heard && !(client.has_ended && client.unanswered == 0)
        });
    }
}

/// Whether reading is harmless: a process in the background that reads from its terminal is stopped.
fn may_read(input: BorrowedFd<'_>) -> bool {
    !input.is_terminal() || tcgetpgrp(input).is_ok_and(|group| group == getpgrp())
}

/// Whether reading would not wait. The terminal is shared with the shell, which would not like it to be non-blocking.
fn has_something(input: BorrowedFd<'_>) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(input, PollFlags::IN)], Some(&at_once)).is_ok_and(|count| count > 0)
}

impl Client {
    /// Reads what there is; whether it is still to be heard or answered.
    fn read(&mut self, lines: &mut Vec<(Who, String)>) -> bool {
        if self.has_ended {
            return true;
        }
        let before = lines.len();
        let is_there = self.read_all(lines);
        self.unanswered += lines.len() - before;
        is_there && (!self.has_ended || self.unanswered > 0)
    }

    fn read_all(&mut self, lines: &mut Vec<(Who, String)>) -> bool {
        let mut bytes = [0; 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    // A last line without an end is a line; whoever sent it may still read the answer.
                    self.has_ended = true;
                    let rest = String::from_utf8_lossy(&std::mem::take(&mut self.typed)).trim().to_owned();
                    lines.extend((!rest.is_empty()).then_some((Who::Client(self.number), rest)));
                    return true;
                }
                Ok(length) => self.typed.extend(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
            take_lines(&mut self.typed, Who::Client(self.number), lines);
            if self.typed.len() > LINE_BYTES_MAX {
                return false;
            }
        }
    }
}

/// Takes the whole lines out of what was typed.
fn take_lines(typed: &mut Vec<u8>, who: Who, lines: &mut Vec<(Who, String)>) {
    while let Some(end) = typed.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = typed.drain(..=end).collect();
        lines.push((who, String::from_utf8_lossy(&line).trim().to_owned()));
    }
}

fn listen(path: &Path) -> Result<UnixListener, ControlError> {
    let cannot = |source| ControlError::Make { path: path.to_owned(), source };
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket {
        if UnixStream::connect(path).is_ok() {
            return Err(ControlError::InUse { path: path.to_owned() });
        }
        // Left behind by a session that was killed.
        std::fs::remove_file(path).map_err(cannot)?;
    }
    let socket = UnixListener::bind(path).map_err(cannot)?;
    socket.set_nonblocking(true).map_err(cannot)?;
    Ok(socket)
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead as _;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("hopwise-{}-{name}.sock", std::process::id()))
    }

    #[test]
    fn a_client_is_heard_line_by_line_and_answered_with_a_full_stop() {
        let path = path("heard");
        let mut control = Control::open(false, Some(&path)).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"link wan down\nshow").unwrap();
        let lines = control.lines();
        assert_eq!(lines, [(Who::Client(1), "link wan down".to_owned())]);
        client.write_all(b" r1 route\n").unwrap();
        assert_eq!(control.lines(), [(Who::Client(1), "show r1 route".to_owned())]);
        control.answer(1, "default via 10.0.0.1");
        let mut reader = io::BufReader::new(client).lines();
        assert_eq!([reader.next().unwrap().unwrap(), reader.next().unwrap().unwrap()], ["default via 10.0.0.1", "."]);
        drop(control);
        assert!(!path.exists(), "the socket is gone with its session");
    }

    #[test]
    fn what_a_script_pipes_in_without_a_last_newline_counts() {
        let path = path("piped");
        let mut control = Control::open(false, Some(&path)).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"status\nhelp").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(control.lines(), [(Who::Client(1), "status".to_owned()), (Who::Client(1), "help".to_owned())]);
        control.answer(1, "ok");
        assert!(control.lines().is_empty() && control.fds().len() == 1, "it has ended, but waits for an answer");
        control.answer(1, "so");
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "ok\n.\nso\n.\n");
    }

    #[test]
    fn there_are_few_clients_and_no_endless_lines() {
        let path = path("few");
        let mut control = Control::open(false, Some(&path)).unwrap();
        let mut clients: Vec<UnixStream> = (0..CLIENTS_MAX + 1).map(|_| UnixStream::connect(&path).unwrap()).collect();
        control.lines();
        assert_eq!(control.clients.len(), CLIENTS_MAX);
        clients[0].write_all(&[b'x'; LINE_BYTES_MAX + 1]).unwrap();
        control.lines();
        assert_eq!(control.clients.len(), CLIENTS_MAX - 1, "the one without an end was let go");
    }

    #[test]
    fn a_second_session_at_the_same_socket_is_refused_and_what_a_dead_one_left_is_replaced() {
        let path = path("second");
        let first = Control::open(false, Some(&path)).unwrap();
        assert!(matches!(Control::open(false, Some(&path)), Err(ControlError::InUse { .. })));
        std::mem::forget(first);
        // The forgotten listener still listens: what is left behind by a killed process does not.
        std::fs::remove_file(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        let again = Control::open(false, Some(&path));
        assert!(again.is_ok(), "{again:?}");
    }
}
