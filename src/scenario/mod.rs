//! A file becomes a network, programs, faults, observers.
//!
//! A [`Scenario`] is what somebody wrote: a TOML file, perhaps changed by `--set`, perhaps with programs that are Rust
//! code. Reading it finds every mistake at once ([`Mistakes`]); building it makes a [`Run`]; finishing that makes a
//! [`Report`]. A scenario may be run any number of times, with the same bytes each time.
//!
//! ```
//! use hopwise::Scenario;
//!
//! let scenario = Scenario::new("two hosts")
//!     .host("client")
//!     .host("server")
//!     .link("wire", "client", "server", |link| link.delay("10ms"));
//! assert!(scenario.describe()?.contains("10.0.0.2/24"));
//! # Ok::<(), hopwise::scenario::Mistakes>(())
//! ```
//!
//! What is left out is found: addresses (`addresses`), routes (`routes`), ports. Everything that the file may name is
//! a row of a registry further down; the schema, the reference page and the reader walk the same rows.

mod addresses;
mod attach;
mod beside;
mod build;
mod describe;
mod draft;
mod examples;
mod languages;
mod layout;
mod mistakes;
mod paths;
mod realms;
mod reference;
mod report;
mod routes;
mod run;
mod schema;
mod section;
mod starter;
#[cfg(test)]
mod testing;
pub mod topology;
mod tree;
mod watch;
mod wires;

pub use attach::PlaceError;
pub use draft::Properties;
pub use examples::{Example, examples};
pub use mistakes::{LoadError, Mistakes};
pub use reference::reference;
pub use report::{Outcomes, Report};
pub use run::Run;
pub use schema::schema;
pub use starter::starter;
pub use watch::Asked;

use std::future::Future;
use std::io::Read as _;
use std::path::Path;

use crate::net::{Net, Program, ProgramError};
use crate::output;
use crate::read::{Diagnostic, Source};
use crate::time::Time;
use section::{FILE_BYTES_MAX, Refused};
use tree::Setting;

/// Something that can be run: what a scenario file says, and what Rust code adds.
#[derive(Debug, Clone)]
pub struct Scenario {
    source: Source,
    settings: Vec<Setting>,
    /// Hosts in whose place a real machine is.
    attached: Vec<String>,
    programs: Vec<RustProgram>,
}

/// A program that is Rust code.
#[derive(Debug, Clone)]
struct RustProgram {
    name: String,
    /// One node; or several, and what each of them runs is called `name@node`.
    places: Places,
    program: Program,
    start: Time,
}

/// Where a program runs.
#[derive(Debug, Clone)]
enum Places {
    Each(Vec<String>),
    One(String),
}

impl Scenario {
    /// Reads a scenario from its text. `name` is what messages call it, and what it is called if it does not say itself.
    ///
    /// # Errors
    ///
    /// All mistakes of the text.
    pub fn from_toml(name: impl Into<String>, text: impl Into<String>) -> Result<Self, Mistakes> {
        let source = Source { name: name.into(), text: text.into() };
        let scenario = Self { source, settings: Vec::new(), attached: Vec::new(), programs: Vec::new() };
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads a scenario file, and the zone files that it names.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is too large, or has mistakes: all of them.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let failed = |source| LoadError::Io { path: path.to_owned(), source };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes > FILE_BYTES_MAX {
            return Err(LoadError::TooLarge { path: path.to_owned(), bytes, max: FILE_BYTES_MAX });
        }
        let mut text = String::new();
        // The bound holds for a pipe too, whose length nobody knows.
        (&mut file).take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        let settings = beside::settings(path, &text)?;
        let source = Source { name: path.display().to_string(), text };
        let scenario = Self { source, settings, attached: Vec::new(), programs: Vec::new() };
        scenario.check()?;
        Ok(scenario)
    }

    /// Changes one value of the scenario: `set("links.wan.delay", "200ms")`. A later change of the same value counts.
    ///
    /// # Errors
    ///
    /// All mistakes of the changed scenario; it is then left as it was.
    pub fn set(&mut self, path: impl Into<String>, value: impl Into<String>) -> Result<(), Mistakes> {
        self.settings.push(Setting { path: path.into(), value: value.into() });
        self.check().inspect_err(|_| {
            self.settings.pop();
        })
    }

    /// Changes several values, and checks once: `["links.wan.delay=200ms", "seed=7"]`.
    ///
    /// # Errors
    ///
    /// All mistakes of the changed scenario; it is then left as it was.
    pub fn set_all(&mut self, settings: &[impl AsRef<str>]) -> Result<(), Mistakes> {
        if settings.is_empty() {
            return Ok(());
        }
        let before = self.settings.len();
        for setting in settings {
            let (path, value) = setting.as_ref().split_once('=').unwrap_or_else(|| (setting.as_ref(), ""));
            self.settings.push(Setting { path: path.trim().to_owned(), value: value.trim().to_owned() });
        }
        self.check().inspect_err(|_| self.settings.truncate(before))
    }

    /// The same scenario with another seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.with("seed", seed.to_string())
    }

    /// The same scenario with one value changed, as [`set`](Self::set) does it. Whether that is right shows when it is
    /// made into something to run.
    pub(crate) fn with(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push(Setting { path: path.into(), value: value.into() });
        self
    }

    /// The same scenario with one more program, an async function, which starts when the run does.
    ///
    /// Its outcomes are `apps.NAME.…`, as those of any other program.
    #[must_use]
    pub fn program<F, Fut>(self, name: impl Into<String>, node: impl Into<String>, main: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        self.program_at(Time::ZERO, name, node, main)
    }

    /// The same, for a program that starts at `start`.
    #[must_use]
    pub fn program_at<F, Fut>(mut self, start: Time, name: impl Into<String>, node: impl Into<String>, main: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        let (name, places) = (name.into(), Places::One(node.into()));
        self.programs.push(RustProgram { name, places, program: Program::new(main), start });
        self
    }

    /// The same scenario with one more program on each of several nodes. A node may be a pattern: `*` stands for any
    /// letters, and means hosts and routers.
    ///
    /// On each node it is called `NAME@NODE`, and so are its outcomes: `apps.NAME@NODE.…`, or `apps.NAME@*.…` for the list
    /// of them all.
    ///
    /// ```
    /// use hopwise::Scenario;
    ///
    /// let scenario = Scenario::from_toml("star", r#"
    ///     topology.star = { kind = "star", hosts = 3 }
    /// "#)?;
    /// let report = scenario
    ///     .program_on_each("greet", ["h*"], |net| async move {
    ///         net.report("name", net.host_name());
    ///         Ok(())
    ///     })
    ///     .run()?;
    /// assert_eq!(report.outcome("greet@h2", "name").map(ToString::to_string), Some("\"h2\"".to_owned()));
    /// # Ok::<(), hopwise::scenario::Mistakes>(())
    /// ```
    #[must_use]
    pub fn program_on_each<F, Fut>(
        mut self,
        name: impl Into<String>,
        nodes: impl IntoIterator<Item = impl Into<String>>,
        main: F,
    ) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProgramError>> + Send + 'static,
    {
        let (name, places) = (name.into(), Places::Each(nodes.into_iter().map(Into::into).collect()));
        self.programs.push(RustProgram { name, places, program: Program::new(main), start: Time::ZERO });
        self
    }

    /// Finds every mistake, without making anything to run.
    ///
    /// # Errors
    ///
    /// All of them.
    pub fn check(&self) -> Result<(), Mistakes> {
        self.build_with(&[]).map(drop)
    }

    /// Makes the network, its programs, faults and expectations, with no output watching.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn build(&self) -> Result<Run, Mistakes> {
        self.build_with(&[])
    }

    /// Makes the network, watched by these outputs.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn build_with(&self, asked: &[Asked]) -> Result<Run, Mistakes> {
        let plan = match section::read(&self.source, &self.settings, &self.attached, asked) {
            Ok(plan) => plan,
            Err(Refused { mut mistakes, rest }) => {
                let shown_by_network = rest.and_then(|plan| build::build(*plan, &self.programs).err());
                mistakes.diagnostics.extend(shown_by_network.unwrap_or_default());
                mistakes.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
                return Err(mistakes);
            }
        };
        let (name, about, stop) = (plan.name.clone(), plan.about.clone(), plan.stop);
        let built = build::build(plan, &self.programs).map_err(|diagnostics| self.mistakes(diagnostics))?;
        Ok(Run::new(built, name, about, stop, self.repeat_command()))
    }

    /// The certificate authority that clients of this scenario trust unless they are told otherwise: a PEM file for
    /// `curl --cacert` on a machine that is attached. It depends on the seed alone.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    #[cfg(feature = "tls")]
    pub fn authority(&self) -> Result<crate::app::tls::Authority, Mistakes> {
        Ok(crate::app::tls::Authority::of_run(self.build()?.seed()))
    }

    /// Runs to the end, with every output kept in the report.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario. That an expectation is not met, or that the run was given up, is told by the report.
    pub fn run(&self) -> Result<Report, Mistakes> {
        let asked: Vec<Asked> = output::KINDS.iter().map(|kind| Asked::kept(kind.name)).collect();
        Ok(self.build_with(&asked)?.finish())
    }

    /// Runs to the end as fast as it goes: expectations and outcomes only, no output.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn judge(&self) -> Result<Report, Mistakes> {
        Ok(self.build()?.finish())
    }

    /// Makes the network, watched by a [`Story`](output::Story), which explains the frames of the run when it is over.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn build_with_story(&self) -> Result<(Run, output::Story), Mistakes> {
        let story = output::Story::new(watch::addresses_of(&self.plan(&[])?.layout));
        story.set_source(&self.source.name, &self.source.text);
        let mut run = self.build()?;
        run.network.observe(Box::new(story.clone()));
        Ok((run, story))
    }

    /// Runs to the end, for whoever wants to know about single frames.
    ///
    /// ```
    /// use hopwise::Scenario;
    /// use hopwise::output::Style;
    ///
    /// let story = Scenario::from_toml("ping", r#"
    ///     nodes = { a = {}, b = {} }
    ///     links = { wire = { ends = ["a", "b"] } }
    ///     apps  = { ask = { on = "a", kind = "ping", to = "b", count = 1 } }
    /// "#)?
    /// .story()?;
    /// let explanation = story.explain(2)?;
    /// assert!(explanation.text(Style::Plain, false).contains("that is me, here is my hardware address"));
    /// assert_eq!(explanation.anatomy.headers[1].reference, "RFC 826");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn story(&self) -> Result<output::Story, Mistakes> {
        let (run, story) = self.build_with_story()?;
        drop(run.finish());
        Ok(story)
    }

    /// What the scenario makes: nodes with all their addresses and routes, links, programs, what will happen, what is
    /// expected.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn describe(&self) -> Result<String, Mistakes> {
        Ok(describe::describe(&self.plan(&[])?))
    }

    /// The kinds of output that the scenario's own `[record]` asks for.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn recorded(&self) -> Result<Vec<&'static str>, Mistakes> {
        Ok(self.plan(&[])?.watching.recorded)
    }

    /// The names of its programs, those that are Rust code included.
    ///
    /// # Errors
    ///
    /// All mistakes of the scenario.
    pub fn program_names(&self) -> Result<Vec<String>, Mistakes> {
        Ok(self.build()?.network().names().apps.iter().map(|app| app.name.clone()).collect())
    }

    /// What messages call the scenario: a path, or the name of an example.
    #[must_use]
    pub fn source_name(&self) -> &str {
        &self.source.name
    }

    /// The scenario as TOML, without what `set` has changed.
    #[must_use]
    pub fn to_toml(&self) -> &str {
        &self.source.text
    }

    /// The command that repeats a run of this scenario.
    #[must_use]
    pub fn repeat_command(&self) -> String {
        let mut command = format!("hopwise run {}", quoted(&self.source.name));
        for setting in &self.settings {
            match setting.path.as_str() {
                "seed" => command.push_str(&format!(" --seed {}", quoted(&setting.value))),
                path => command.push_str(&format!(" --set {}", quoted(&format!("{path}={}", setting.value)))),
            }
        }
        command
    }

    fn plan(&self, asked: &[Asked]) -> Result<section::Plan, Mistakes> {
        section::read(&self.source, &self.settings, &self.attached, asked).map_err(|refused| refused.mistakes)
    }

    /// Mistakes that were found after the text had been read.
    fn mistakes(&self, mut diagnostics: Vec<Diagnostic>) -> Mistakes {
        let texts = tree::Texts::new(&self.source.text, &self.settings);
        diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
        let source = Source { name: self.source.name.clone(), text: texts.whole };
        Mistakes { source, diagnostics, settings_at: texts.settings_at }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
