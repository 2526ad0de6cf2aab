//! `chat`: joins a chat, says its lines, prints what it hears, and leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, split};

use super::room::{NAME_CHARS_MAX, is_name};
use crate::app::fields::{self, Target};
use crate::app::lines::Lines;
use crate::app::script::{self, Line};
use crate::app::tally::Tally;
use crate::app::unix::strerror;
use crate::app::{AppBuilder, Outcome};
use crate::net::{First, Local, Net, Program, ProgramError, TcpStream, race};
use crate::read::{Field, Form, Kind, Need, Table};
use crate::record::Value;

/// How many lines are kept as an outcome.
const LINES_MAX: usize = 100;

pub(crate) const KIND: Kind<AppBuilder> = Kind {
    name: "chat",
    doc: "Joins a chat, says what its script says, and prints what it hears.",
    example: "alice = { on = \"client\", kind = \"chat\", to = \"server:6667\" }",
    fields: &[
        fields::TO,
        fields::FAMILY,
        Field {
            name: "name",
            form: Form::Text,
            need: Need::Optional,
            doc: "What it calls itself: one word; its machine's name where this is absent.",
        },
        script::SCRIPT,
        Field {
            name: "stay",
            form: Form::Duration,
            need: Need::Default("1s"),
            doc: "How long it stays after its last line.",
        },
        Field {
            name: "deaf_after",
            form: Form::Duration,
            need: Need::Optional,
            doc: "When it stops to read what comes, counted from its start: a program that hangs.",
        },
    ],
    build,
};

pub(crate) const OUTCOMES: &[Outcome] = &[
    ("joined", "Whether it was connected."),
    ("said", "How many lines it said, its name not counted."),
    ("heard", "How many lines it heard."),
    ("lines", "List of texts: the first 100 of them."),
];

#[derive(Debug)]
struct Plan {
    to: Target,
    name: Option<String>,
    script: Vec<Line>,
    stay: Duration,
    deaf_after: Option<Duration>,
}

fn build(table: &Table<'_>) -> Option<Program> {
    let (to, name, script) = (Target::read(table), table.get::<String>("name"), script::read(table));
    if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
        let label = format!("one word of up to {NAME_CHARS_MAX} letters, digits and `-`");
        table.report("name", format!("a chat server lets nobody in who is called `{name}`"), label);
    }
    let (stay, deaf_after) = (table.get_or("stay", Duration::from_secs(1)), table.get("deaf_after"));
    let plan = Arc::new(Plan { to: to?, name, script: script?, stay, deaf_after });
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

async fn run(net: Net, plan: Arc<Plan>) -> Result<(), ProgramError> {
    net.report("joined", false);
    let (said, heard) = (Tally::new(&net, "said"), Tally::new(&net, "heard"));
    net.report("lines", Value::List(Vec::new()));
    let begun = net.now();
    let peers = plan.to.resolve_both(&net).await?;
    let stream = TcpStream::connect_first(&net, Local::ANY, &peers).await.map_err(|error| strerror(&error))?;
    net.report("joined", true);
    let (mut reader, mut writer) = split(stream);
    let name = plan.name.clone().unwrap_or_else(|| net.host_name());
    let saying = async {
        writer.write_all(format!("{name}\n").as_bytes()).await?;
        for line in &plan.script {
            net.sleep_until(begun + line.at).await;
            writer.write_all(format!("{}\n", line.say).as_bytes()).await?;
            said.add(1);
        }
        net.sleep(plan.stay).await;
        writer.write_all(b"/quit\n").await
    };
    let hearing = async {
        let (mut lines, mut kept, mut buffer) = (Lines::default(), Vec::new(), [0; 2048]);
        loop {
            let reading = reader.read(&mut buffer);
            let count = match plan.deaf_after {
                None => reading.await?,
                Some(deaf_after) => match net.timeout((begun + deaf_after).since(net.now()), reading).await {
                    Ok(count) => count?,
                    Err(_) => std::future::pending().await,
                },
            };
            if count == 0 {
                return Ok::<_, std::io::Error>(());
            }
            lines.push(&buffer[..count], |line| {
                heard.add(1);
                if kept.len() < LINES_MAX {
                    kept.push(Value::Text(line.clone()));
                    net.report("lines", Value::List(kept.clone()));
                }
                net.log(|| line);
            });
        }
    };
    match race(saying, hearing).await {
        First::One(said) => said.map_err(|error| strerror(&error).into()),
        First::Other(Ok(())) => Err("the server has closed the connection".into()),
        First::Other(Err(error)) => Err(strerror(&error).into()),
    }
}
