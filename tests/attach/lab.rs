//! A network namespace for one test, what runs in it, and a session attached there.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A home with a silent router and a small link on the way to a server: 2 + 10 + 3 + 3 ms there, as much back.
pub(crate) const LINE: &str = r#"
ipv6 = true
[nodes]
access = { kind = "gateway" }
r1 = { kind = "router" }
mute = { kind = "router", icmp_errors = false }
r2 = { kind = "router" }
server = {}
[links]
home = { ends = ["access", "r1"], delay = "2ms" }
wan = { ends = ["r1", "mute"], delay = "10ms" }
core = { ends = ["mute", "r2"], delay = "3ms" }
small = { ends = ["r2", "server"], delay = "3ms", mtu = 1400 }
[apps]
echo = { on = "server", kind = "tcp-echo", port = 7 }
second = { on = "server", kind = "tcp-echo", port = 80 }
"#;

/// The server of [`LINE`].
pub(crate) const SERVER: &str = "10.0.3.2";
pub(crate) const SERVER6: &str = "2001:db8:3::2";
/// The round trip to it.
pub(crate) const RTT_MS: f64 = 36.0;

/// A namespace with a temporary directory. Both go with it.
pub(crate) struct Lab {
    holder: Child,
    pub(crate) folder: PathBuf,
}

impl Lab {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        assert!(
            Path::new("/dev/net/tun").exists(),
            "there is no /dev/net/tun: this machine cannot run the attach tests (`modprobe tun`; in a container, --device /dev/net/tun)"
        );
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("hopwise-attach-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let binary = folder.join("hopwise");
        fs::copy(env!("CARGO_BIN_EXE_hopwise"), &binary).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        // A device node that anybody may open, as on any desktop, seen in this namespace alone.
        let setup = format!(
            "mknod {0}/tun c 10 200 && chmod 666 {0}/tun && mount --bind {0}/tun /dev/net/tun; ip link set lo up && echo ready && exec cat",
            folder.display()
        );
        let mut holder = Command::new("unshare")
            .args(if is_root() {
                &["--net", "--mount"][..]
            } else {
                &["--user", "--map-root-user", "--net", "--mount"]
            })
            .args(["sh", "-c", &setup])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) is there");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.trim() != "ready" {
            let mut error = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("cannot make a network namespace for the test: {error}");
        }
        Self { holder, folder }
    }

    fn id(&self) -> String {
        self.holder.id().to_string()
    }

    /// The namespace as `--at` takes it.
    pub(crate) fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.id())
    }

    /// Writes a scenario.
    pub(crate) fn scenario(&self, text: &str) -> String {
        let path = self.folder.join("scenario.toml");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A command inside, ended after a while however it goes.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let id = self.id();
        command.args(["--target", &id, "--net", "--mount"]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        let seconds = PATIENCE.as_secs().to_string();
        command.args(["timeout", "--kill-after=1", &seconds]).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command inside to its end; what it prints.
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(code != Some(127) && code != Some(126), "{words:?} cannot be run: {text}");
        text
    }

    /// Does something inside, with sockets of this process.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = fs::File::open(self.namespace()).unwrap();
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                act()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The program, inside.
    pub(crate) fn hopwise(&self, words: &[&str]) -> Command {
        let program = self.path("hopwise");
        let words: Vec<&str> = std::iter::once(program.as_str()).chain(words.iter().copied()).collect();
        self.command(&words)
    }

    /// Attaches to a scenario and waits until that is done.
    pub(crate) fn attach(&self, scenario: &str, words: &[&str]) -> Session {
        let path = self.scenario(scenario);
        // Addresses have been checked for duplicates, programs run.
        let words: Vec<&str> = ["attach", &path, "--warm-up", "3s"].into_iter().chain(words.iter().copied()).collect();
        Session::begin(self.hopwise(&words))
    }

    /// Whatever a session might leave behind: links, addresses, routes.
    pub(crate) fn traces(&self) -> String {
        ["link", "addr", "route", "-6 route"]
            .map(|what| {
                let words: Vec<&str> = ["ip", "-o"].into_iter().chain(what.split(' ')).collect();
                self.run(&words)
            })
            .concat()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The namespace ends when nothing is in it any more.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A session that goes on. Killed if the test fails.
pub(crate) struct Session {
    child: Child,
    input: Option<ChildStdin>,
    told: Arc<Mutex<String>>,
    shown: Arc<Mutex<Vec<u8>>>,
    is_over: bool,
}

/// What a session came to.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Session {
    pub(crate) fn begin(command: Command) -> Self {
        let session = Self::start(command);
        session.wait_for("Ctrl-C ends the session");
        session
    }

    pub(crate) fn start(mut command: Command) -> Self {
        // The session itself, not nsenter or timeout, is to be signalled: they pass on their own end.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (told, shown) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let (errors, into) = (child.stderr.take().unwrap(), Arc::clone(&told));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                let Ok(line) = line else { return };
                into.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let (mut output, into) = (child.stdout.take().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                into.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        Self { input: child.stdin.take(), child, told, shown, is_over: false }
    }

    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn shown(&self) -> Vec<u8> {
        self.shown.lock().unwrap().clone()
    }

    /// Waits until something is told or shown.
    #[track_caller]
    pub(crate) fn wait_for(&self, words: &str) {
        let begun = Instant::now();
        while !self.told().contains(words) && !String::from_utf8_lossy(&self.shown()).contains(words) {
            assert!(begun.elapsed() < PATIENCE / 3, "`{words}` was never told:\n{}", self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.input.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The process of the session, below nsenter and timeout.
    pub(crate) fn process(&self) -> u32 {
        let mut process = self.child.id();
        loop {
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
            match children.split_whitespace().next() {
                Some(child) => process = child.parse().unwrap(),
                None => return process,
            }
        }
    }

    /// Clock ticks of processor time that the session has used.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let process = self.process().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Presses Ctrl-C.
    pub(crate) fn end(self) -> Ended {
        self.signal("-INT");
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Ended {
        self.input = None;
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE / 3, "the session hangs:\n{}", self.told()),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.is_over = true;
        // The readers are a moment behind.
        std::thread::sleep(Duration::from_millis(50));
        Ended { code: status.code(), out: self.shown(), err: self.told() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_over {
            let process = self.process().to_string();
            let _ = Command::new("kill").args(["-KILL", &process]).status();
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    pub(crate) fn tells(self, words: &str) -> Self {
        assert!(self.err.contains(words), "`{words}` was not told:\n{}", self.err);
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// All numbers behind `key` in a text: `time=36.1`.
pub(crate) fn numbers_behind(text: &str, key: &str) -> Vec<f64> {
    let ends = text.split(key).skip(1);
    ends.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse().ok()).collect()
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    assert!(!numbers.is_empty(), "there is nothing to take the median of");
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
