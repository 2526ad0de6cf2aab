//! `hopwise attach`: this machine in a simulated network.

use std::fs::File;
use std::path::Path;

use ipnet::IpNet;

use super::Verdict;
use super::arguments;
use super::load::{load, show, with_source};
use super::outputs::{Outputs, check_written, is_same_file, print, read_time};
use super::screen::Screen;
use super::terminal::Terminal;
use crate::attach::{Control, End, Place, Recorder, Session, Speed, Status, Watcher};
use crate::id::NodeId;
use crate::record::Value;
use crate::scenario::{PlaceError, Run, Scenario};
use crate::time::Time;

/// Attaches, runs until somebody ends it, and tells what came of it.
pub(super) fn attach(arguments: &arguments::Attach, terminal: &Terminal) -> Verdict {
    match try_attach(arguments, terminal) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn try_attach(arguments: &arguments::Attach, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let mut scenario = load(&arguments.which, terminal)?;
    let speed: Speed = arguments.speed.parse().map_err(|error| terminal.complain(&format!("`--speed`: {error}")))?;
    let until = arguments.until.as_deref().map(|text| read_time("--until", text, terminal)).transpose()?;
    let from = read_time("--warm-up", &arguments.warm_up, terminal)?;
    let routes = read_routes(&arguments.route, terminal)?;
    let places = find_places(&arguments.at, &mut scenario, terminal)?;
    if let Some(path) = arguments.record.as_ref().filter(|path| is_same_file(path, Path::new(scenario.source_name()))) {
        return Err(terminal.complain(&format!("{} is the scenario; the recording would overwrite it", path.display())));
    }
    let is_quiet = arguments.outputs.quiet;
    let screen = Screen::new(is_quiet);
    let by_default: &[&str] = if arguments.outputs.trace.is_some() { &["text"] } else { &[] };
    let outputs = Outputs { said: &arguments.outputs, by_default, screen: Some(&screen), records: false };
    let wanted = outputs.wanted(&scenario, terminal)?;
    let asked = outputs.asked(&wanted, terminal)?;
    let mut run = scenario.build_with(&asked).map_err(|mistakes| show(&mistakes, terminal))?;
    run.set_stop(until.unwrap_or(Time::MAX));
    let mut control = Control::open(true, arguments.control.as_deref());
    let control = control.as_mut().map_err(|error| terminal.complain(&with_source(error)))?;
    let mut session =
        Session::open(&mut run, &places, &routes).map_err(|error| terminal.complain(&with_source(&error)))?;
    if let Some(path) = &arguments.record {
        let file = File::create(path);
        let recorder = file.and_then(|file| Recorder::begin(file, &session.header(&run, &scenario)));
        let recorder =
            recorder.map_err(|error| terminal.complain(&format!("cannot write {}: {error}", path.display())))?;
        session.record(recorder);
    }
    if !is_quiet {
        tell_beginning(&session, &mut run, terminal);
    }
    let mut live = Live { screen: screen.clone(), terminal, last: None };
    let end = session.go(&mut run, from, speed, control, &mut live);
    // The devices go first: whatever is still to be printed, nobody shall wait for a network that stands.
    drop(session);
    screen.clear();
    if let Some(status) = live.last.filter(|_| !is_quiet) {
        terminal.tell(&status.to_string());
    }
    let verdict = tell_end(&end, &run, terminal);
    if !is_quiet {
        tell_drops(&run, terminal);
    }
    if let Some(path) = arguments.record.as_ref().filter(|_| !is_quiet) {
        let path = path.display();
        terminal.tell(&format!("recorded {path}; repeat it: hopwise replay {path}"));
    }
    run.set_repeat_command("hopwise replay FILE, had it been recorded (`--record FILE`)");
    let report = run.finish();
    let is_printed = print(None, &report, &wanted, terminal);
    let are_written = check_written(&report, &wanted, is_quiet, terminal);
    Ok(if is_printed && are_written { verdict } else { Verdict::Wrong })
}

/// Finds the gateway that each place means; without any, those of the scenario.
fn find_places(at: &[String], scenario: &mut Scenario, terminal: &Terminal) -> Result<Vec<Place>, Verdict> {
    let mut places = Vec::new();
    for text in at {
        let mut place: Place = text.parse().map_err(|error| terminal.complain(&format!("`--at`: {error}")))?;
        place.at = scenario.attach(&place.at).map_err(|error| match error {
            PlaceError::Mistakes(mistakes) => show(&mistakes, terminal),
            PlaceError::NoPlace(message) => terminal.complain(&format!("`--at`: {message}")),
        })?;
        places.push(place);
    }
    if places.is_empty() {
        let mut run = scenario.build().map_err(|mistakes| show(&mistakes, terminal))?;
        let gateways: Vec<NodeId> = run.network.gateways();
        let names = gateways.iter().map(|node| run.network.names().node(*node).to_owned());
        places.extend(names.map(|at| Place { at, layer: None, device: None, namespace: None }));
    }
    if places.is_empty() {
        let hint = "name a node or link with `--at NODE`; `hopwise check` lists them";
        return Err(terminal.complain(&format!("{} has no gateway: {hint}", scenario.source_name())));
    }
    Ok(places)
}

fn read_routes(routes: &[String], terminal: &Terminal) -> Result<Vec<IpNet>, Verdict> {
    let read = |route: &String| {
        let net = route.parse::<IpNet>().map(|net| net.trunc());
        net.map_err(|_| terminal.complain(&format!("`--route`: `{route}` is not a range of addresses (10.0.0.0/8)")))
    };
    routes.iter().map(read).collect()
}

fn tell_beginning(session: &Session, run: &mut Run, terminal: &Terminal) {
    for (node, device) in session.devices() {
        let name = run.network.names().node(node).to_owned();
        let Some(machine) = run.network.machine(node) else { continue };
        let interfaces = machine.spec().interfaces.iter();
        let addresses: Vec<String> = interfaces.flat_map(|one| &one.addresses).map(ToString::to_string).collect();
        let subnets = machine.gateway().map_or(0, |gateway| gateway.spec().reach.len());
        let plural = if subnets == 1 { "" } else { "s" };
        let addresses = addresses.join(", ");
        terminal.tell(&format!("{device} is {name}: {addresses}; {subnets} simulated subnet{plural} behind it"));
        if device.is_left_alone() {
            let name = device.name();
            terminal
                .tell(&format!("{name} was there before and is left as it is: its owner sees to addresses and routes"));
        }
    }
    terminal.tell("`help` lists what can be typed; Ctrl-C ends the session");
}

fn tell_end(end: &End, run: &Run, terminal: &Terminal) -> Verdict {
    match end {
        End::Interrupted | End::Over | End::Unread => Verdict::Met,
        End::DeviceGone(name) => terminal.complain(&format!("{name} is gone: somebody has deleted it")),
        End::Poll(error) => terminal.complain(&format!("cannot wait for the devices: {error}")),
        End::Failed => {
            let why = run.failure().map_or_else(|| "for no known reason".to_owned(), ToString::to_string);
            terminal.complain(&format!("the run was given up: {why}"));
            Verdict::NotMet
        }
    }
}

/// Tells what was dropped in nodes and why, and how much on links, if anything was.
fn tell_drops(run: &Run, terminal: &Terminal) {
    let names = run.network.names();
    for (index, node) in names.nodes.iter().enumerate() {
        let drops = run.network.drops(NodeId(u32::try_from(index).unwrap_or(u32::MAX)));
        let causes = drops.filter(|(_, count)| *count > 0).map(|(cause, count)| format!("{cause} {count}"));
        let causes: Vec<String> = causes.collect();
        if !causes.is_empty() {
            terminal.tell(&format!("  dropped in {}: {}", node.name, causes.join(", ")));
        }
    }
    for link in &names.links {
        if let Some(Value::Integer(count @ 1..)) = run.network.fact(&format!("links.{}.dropped", link.name)) {
            terminal.tell(&format!("  dropped on {}: {count}", link.name));
        }
    }
}

/// Shows a session on the terminal while it goes on.
struct Live<'t> {
    screen: Screen,
    terminal: &'t Terminal,
    last: Option<Status>,
}

impl Watcher for Live<'_> {
    fn status(&mut self, status: &Status) {
        self.screen.status(&status.to_string());
        self.last = Some(*status);
    }

    fn tell(&mut self, text: &str) {
        self.screen.clear();
        self.terminal.tell(text);
    }
}
