//! `chat-server`: everybody hears what anybody says.
//!
//! It runs until it is stopped, and fails only if it cannot listen.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, split};

use super::room::{MemberId, Reason, Room, Shared, closed, lock, next_line};
use crate::app::lines::Lines;
use crate::app::tally::Tally;
use crate::app::unix::strerror;
use crate::app::{AppBuilder, Outcome, fields};
use crate::net::{First, Net, Program, ProgramError, TcpListener, TcpStream, race};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::units::Size;

/// How long somebody may take to say a name.
const NAME_PATIENCE: Duration = Duration::from_secs(30);

const MEMBERS_MAX: u64 = 10_000;

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "chat-server",
    doc: "A chat room: tells everybody what anybody says, and drops who does not keep up.",
    example: "room = { on = \"server\", kind = \"chat-server\", port = 6667 }",
    fields: &[
        fields::PORT,
        Field {
            name: "clients",
            form: Form::Integer { min: 1, max: MEMBERS_MAX as i64 },
            need: Need::Default("100"),
            doc: "How many clients have room.",
        },
        Field {
            name: "mailbox",
            form: Form::Size,
            need: Need::Default("16KiB"),
            doc: "How much may wait for a client, beside what TCP holds; who has more waiting is dropped.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("joined", "How many clients came in."),
    ("left", "How many went by themselves."),
    ("dropped", "How many had to go because they were too slow."),
    ("refused", "How many were not let in: no name, somebody else's name, no room."),
    ("here", "How many are there now."),
    ("messages", "How many lines were said."),
];

#[derive(Debug, Clone, Copy)]
struct Plan {
    port: u16,
    clients: usize,
    mailbox: usize,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let port = fields::port_needed(table);
    let clients = fields::integer(table, "clients", 1, MEMBERS_MAX).unwrap_or(100);
    let mailbox = table.get_or("mailbox", Size::from_bytes(16 * 1024)).bytes();
    let most = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let plan = Plan { port: port?, clients: most(clients), mailbox: most(mailbox) };
    Some(Program::new(move |net| serve(net, plan)))
}

#[derive(Debug, Clone)]
struct Server {
    net: Net,
    room: Shared,
    joined: Tally,
    left: Tally,
    dropped: Tally,
    refused: Tally,
    messages: Tally,
}

async fn serve(net: Net, plan: Plan) -> Result<(), ProgramError> {
    let tally = |key| Tally::new(&net, key);
    let server = Server {
        net: net.clone(),
        room: Room::new(plan.clients, plan.mailbox),
        joined: tally("joined"),
        left: tally("left"),
        dropped: tally("dropped"),
        refused: tally("refused"),
        messages: tally("messages"),
    };
    net.report("here", 0_u64);
    let listener = TcpListener::bind(&net, plan.port, 128)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let server = server.clone();
        net.spawn(async move { server.attend(stream, peer).await });
    }
}

impl Server {
    /// Attends to a client from its first line to its last.
    async fn attend(&self, mut stream: TcpStream, peer: SocketAddr) {
        let net = &self.net;
        let mut lines = Lines::default();
        let mut said = Vec::new();
        let name = net.timeout(NAME_PATIENCE, first_line(&mut stream, &mut lines, &mut said)).await;
        let Ok(Ok(Some(name))) = name else { return };
        let joined = lock(&self.room).join(&name);
        let id = match joined {
            Ok(id) => id,
            Err(reason) => {
                self.refused.add(1);
                net.log(|| format!("{peer} is not let in: {}", reason.text()));
                let _ = stream.write_all(format!("* {}\n", reason.text()).as_bytes()).await;
                return;
            }
        };
        self.joined.add(1);
        net.log(|| format!("{peer} is {name}"));
        let here = lock(&self.room).count();
        self.tell_all(&format!("* {name} has joined, {here} here"));
        let (mut reader, mut writer) = split(stream);
        for line in std::mem::take(&mut said) {
            self.say(id, &name, &line);
        }
        let reading = async {
            let mut buffer = [0; 2048];
            loop {
                let count = reader.read(&mut buffer).await?;
                let mut is_over = count == 0;
                lines.push(&buffer[..count], |line| is_over |= !self.say(id, &name, &line));
                if is_over {
                    return Ok::<_, io::Error>(());
                }
            }
        };
        let writing = async {
            while let Some(line) = next_line(&self.room, id).await {
                // While the connection takes nothing the mailbox may fill, and be closed.
                let text = format!("{line}\n");
                let write = writer.write_all(text.as_bytes());
                match race(write, closed(&self.room, id)).await {
                    First::One(written) => written?,
                    First::Other(()) => break,
                }
            }
            Ok::<_, io::Error>(())
        };
        let ended = race(reading, writing).await;
        let is_slow = matches!(ended, First::Other(Ok(())));
        let went = lock(&self.room).leave(id);
        let stream = reader.unsplit(writer);
        if is_slow {
            // What waits in the connection would keep it open for as long as the client does not read.
            stream.abort();
            return;
        }
        if went {
            self.left.add(1);
            if let First::One(Err(error)) | First::Other(Err(error)) = ended {
                net.log(|| format!("{name}: {}", strerror(&error)));
            }
            let here = lock(&self.room).count();
            self.tell_all(&format!("* {name} has left, {here} here"));
        }
    }

    /// Somebody has typed a line. False if it was a goodbye.
    fn say(&self, id: MemberId, name: &str, line: &str) -> bool {
        match line.trim() {
            "" => {}
            "/quit" => return false,
            "/who" => {
                let names = lock(&self.room).names();
                let slow = lock(&self.room).tell(id, &format!("* here: {names}"));
                self.drop_slow(slow.into_iter().collect());
            }
            said => {
                self.messages.add(1);
                self.tell_all(&format!("<{name}> {said}"));
            }
        }
        true
    }

    fn tell_all(&self, line: &str) {
        self.net.log(|| line.to_owned());
        let slow = lock(&self.room).tell_all(line);
        self.drop_slow(slow);
        self.net.report("here", lock(&self.room).count() as u64);
    }

    /// Tells of those who had to go, which may be too much for others.
    fn drop_slow(&self, mut slow: Vec<String>) {
        while let Some(name) = slow.pop() {
            self.dropped.add(1);
            let here = lock(&self.room).count();
            let line = format!("* {name} was dropped: {}, {here} here", Reason::TooSlow.text());
            self.net.log(|| line.clone());
            slow.extend(lock(&self.room).tell_all(&line));
        }
        self.net.report("here", lock(&self.room).count() as u64);
    }
}

/// The first line; what comes with it is kept. `None`: it went without one.
async fn first_line(stream: &mut TcpStream, lines: &mut Lines, said: &mut Vec<String>) -> io::Result<Option<String>> {
    let mut buffer = [0; 512];
    while said.is_empty() {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(None);
        }
        lines.push(&buffer[..count], |line| said.push(line));
    }
    Ok(Some(said.remove(0).trim().to_owned()))
}
