//! Outcomes and counters by name: what expectations and summaries read.
//!
//! ```text
//! apps.fetch.elapsed          what the program `fetch` reported
//! apps.fetch@h1.elapsed       the same of one that runs on several nodes
//! apps.fetch@*.elapsed        all that were reported, a list
//! links.wan.dropped           both directions of the link `wan` together
//! links.wan.ab.queue_max      one direction
//! nodes.r1.ip.forwarded       a counter of the node `r1`
//! ```

use super::Network;
use crate::id::{AppId, Direction, LinkId, NodeId, PipeId};
use crate::read::fits;
use crate::record::{Cause, Value};

impl Network {
    /// One outcome or counter; `None` if there is nothing of that name, or nothing was reported under it.
    #[must_use]
    pub fn fact(&self, path: &str) -> Option<Value> {
        let (section, rest) = path.split_once('.')?;
        match section {
            "apps" => {
                let (name, key) = rest.split_once('.')?;
                if name.contains('*') {
                    return Some(self.outcomes_like(name, key));
                }
                let app = self.find_app(name)?;
                self.node(self.names.apps[app.0 as usize].node).outcome(app, key)
            }
            "links" => {
                let (name, key) = rest.split_once('.')?;
                let link = self.find_link(name)?;
                let [there, back] = Direction::BOTH.map(|way| self.counters(PipeId::new(link, way)));
                let (counters, key) = match key.split_once('.') {
                    Some(("ab", key)) => (there, key),
                    Some(("ba", key)) => (back, key),
                    _ => (there.together(&back), key),
                };
                counters.rows().into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
            }
            "nodes" => {
                let (name, key) = rest.split_once('.')?;
                let node = self.find_node(name)?;
                match key.strip_prefix("dropped") {
                    Some("") => Some(self.drops(node).map(|(_, count)| count).sum::<u64>().into()),
                    Some(cause) if cause.starts_with('.') => {
                        let mut drops = self.drops(node);
                        drops.find(|(known, _)| known.name() == &cause[1..]).map(|(_, count)| count.into())
                    }
                    _ => self.node(node).counter(key),
                }
            }
            "run" => match rest {
                "events" => Some(self.events.into()),
                "time" => Some(self.now.since(crate::time::Time::ZERO).into()),
                _ => None,
            },
            _ => None,
        }
    }

    /// What all programs have reported under `key` whose names are like `pattern`, in their order.
    fn outcomes_like(&self, pattern: &str, key: &str) -> Value {
        let apps = self.names.apps.iter().enumerate().filter(|(_, app)| fits(pattern, &app.name));
        let outcomes = apps.filter_map(|(index, app)| {
            self.node(app.node).outcome(AppId(u32::try_from(index).unwrap_or(u32::MAX)), key)
        });
        Value::List(outcomes.collect())
    }

    /// The names of all facts there are now, in a fixed order.
    #[must_use]
    pub fn fact_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (index, app) in self.names.apps.iter().enumerate() {
            let id = AppId(u32::try_from(index).unwrap_or(u32::MAX));
            let outcomes = self.node(app.node).outcomes(id);
            names.extend(outcomes.into_iter().map(|(key, _)| format!("apps.{}.{key}", app.name)));
        }
        for (index, link) in self.names.links.iter().enumerate() {
            let pipe = PipeId::new(LinkId(u32::try_from(index).unwrap_or(u32::MAX)), Direction::AToB);
            let rows = self.counters(pipe).rows();
            names.extend(
                rows.iter()
                    .flat_map(|(key, _)| ["", "ab.", "ba."].map(|way| format!("links.{}.{way}{key}", link.name))),
            );
        }
        for (index, node) in self.names.nodes.iter().enumerate() {
            let counters = self.node(NodeId(u32::try_from(index).unwrap_or(u32::MAX))).counters();
            names.extend(counters.into_iter().map(|(key, _)| format!("nodes.{}.{key}", node.name)));
            names.push(format!("nodes.{}.dropped", node.name));
            names.extend(Cause::ALL.iter().map(|cause| format!("nodes.{}.dropped.{cause}", node.name)));
        }
        names.extend(["run.events".to_owned(), "run.time".to_owned()]);
        names
    }

    /// What has been dropped inside a node, by cause: by the node itself, its sockets, or for want of a link.
    pub fn drops(&self, node: NodeId) -> impl Iterator<Item = (Cause, u64)> {
        let counts = self.nodes[node.0 as usize].drops.as_deref();
        Cause::ALL.into_iter().map(move |cause| (cause, counts.map_or(0, |counts| counts[cause as usize])))
    }
}
