//! Scenarios written in Rust.
//!
//! Each call writes the lines that a person would write into the file, and everything is read by the one reader: there
//! is nothing that can be said here and not there, and [`Scenario::to_toml`] is the file.

use toml::Value;

use super::Scenario;
use crate::read::Source;

/// The keys of a table that is being written.
#[derive(Debug, Default)]
pub struct Properties {
    lines: String,
}

impl Properties {
    /// Says something: any key that the table may have, see the reference page.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.lines.push_str(&format!("{} = {}\n", word(key), value.into()));
        self
    }

    /// A link's propagation delay: `"10ms"`.
    #[must_use]
    pub fn delay(self, delay: &str) -> Self {
        self.set("delay", delay)
    }

    /// A link's rate: `"10Mbit"`.
    #[must_use]
    pub fn rate(self, rate: &str) -> Self {
        self.set("rate", rate)
    }

    /// A link's MTU in bytes.
    #[must_use]
    pub fn mtu(self, mtu: u16) -> Self {
        self.set("mtu", i64::from(mtu))
    }

    /// How likely a link loses a frame: `"1%"`.
    #[must_use]
    pub fn loss(self, chance: &str) -> Self {
        self.set("loss", chance)
    }

    /// A node's addresses, all on its only interface: `"10.0.1.10/24"`.
    #[must_use]
    pub fn addr(self, address: &str) -> Self {
        self.set("addr", address)
    }

    /// A node's default gateway: `"10.0.1.1"`.
    #[must_use]
    pub fn gateway(self, address: &str) -> Self {
        self.set("gateway", address)
    }
}

impl Scenario {
    /// A scenario with nothing in it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let text = format!("name = {}\n", Value::from(name.as_str()));
        Self { source: Source { name, text }, settings: Vec::new(), attached: Vec::new(), programs: Vec::new() }
    }

    /// The same scenario with one more host, whose addresses are found.
    #[must_use]
    pub fn host(self, name: &str) -> Self {
        self.node(name, "host", |node| node)
    }

    /// The same scenario with one more router, whose addresses are found.
    #[must_use]
    pub fn router(self, name: &str) -> Self {
        self.node(name, "router", |node| node)
    }

    /// The same scenario with one more switch.
    #[must_use]
    pub fn switch(self, name: &str) -> Self {
        self.node(name, "switch", |node| node)
    }

    /// The same scenario with one more node of a kind.
    #[must_use]
    pub fn node(self, name: &str, kind: &str, properties: impl FnOnce(Properties) -> Properties) -> Self {
        self.table(&format!("[nodes.{}]", word(name)), properties(Properties::default().set("kind", kind)))
    }

    /// The same scenario with one more link, between two nodes or interfaces: `"client"`, `"r1:lan"`.
    #[must_use]
    pub fn link(self, name: &str, a: &str, b: &str, properties: impl FnOnce(Properties) -> Properties) -> Self {
        let ends = Properties::default().set("ends", vec![a, b]);
        self.table(&format!("[links.{}]", word(name)), properties(ends))
    }

    /// The same scenario with one more built-in program.
    #[must_use]
    pub fn app(self, name: &str, on: &str, kind: &str, properties: impl FnOnce(Properties) -> Properties) -> Self {
        let common = Properties::default().set("on", on).set("kind", kind);
        self.table(&format!("[apps.{}]", word(name)), properties(common))
    }

    /// The same scenario with something that happens at a time: `at("2s", "link-down", |it| it.set("link", "wire"))`.
    #[must_use]
    pub fn at(self, time: &str, action: &str, properties: impl FnOnce(Properties) -> Properties) -> Self {
        self.table("[[at]]", properties(Properties::default().set("t", time).set("do", action)))
    }

    /// The same scenario with one more expectation: `expect(|it| it.set("that", "apps.talk.reply == \"hello\""))`.
    #[must_use]
    pub fn expect(self, properties: impl FnOnce(Properties) -> Properties) -> Self {
        self.table("[[expect]]", properties(Properties::default()))
    }

    /// The same scenario, ended at a time: `"30s"`.
    #[must_use]
    pub fn stop(mut self, time: &str) -> Self {
        self.settings.push(super::Setting { path: "stop".into(), value: time.to_owned() });
        self
    }

    fn table(mut self, header: &str, properties: Properties) -> Self {
        self.source.text.push_str(&format!("\n{header}\n{}", properties.lines));
        self
    }
}

/// A key as TOML takes it.
fn word(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { key.to_owned() } else { Value::from(key).to_string() }
}
