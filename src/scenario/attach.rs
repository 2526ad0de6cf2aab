//! Where a real machine takes its place in a scenario, without an edit of the file.
//!
//! | the place | what becomes of it |
//! |---|---|
//! | a gateway | it is what it is |
//! | a host | it becomes a gateway; its programs stay where they are and never run |
//! | a switch or a router | a new gateway is linked to it |
//! | a link | whichever of its two ends is a gateway or a host |

use super::layout::{Layout, NodePlan};
use super::{Mistakes, Scenario};
use crate::node::Role;
use crate::read::nearest;

/// Why a real machine cannot be attached there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The scenario itself, or what became of it, is wrong.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// There is no such place, or none for a kernel.
    #[error("{0}")]
    NoPlace(String),
}

impl Scenario {
    /// Has a real machine take its place at a node or link, and says which gateway that is.
    ///
    /// # Errors
    ///
    /// When the scenario is wrong, or that is no place for a kernel.
    pub fn attach(&mut self, place: &str) -> Result<String, PlaceError> {
        let layout = self.plan(&[])?.layout;
        if let Some(node) = layout.nodes.iter().find(|node| node.name == place) {
            return self.attach_at_node(node, &layout);
        }
        let Some(link) = layout.links.iter().find(|link| link.name == place) else {
            let nodes = layout.nodes.iter().map(|node| node.name.as_str());
            let known = nodes.chain(layout.links.iter().map(|link| link.name.as_str()));
            let near = nearest(place, known).map(|near| format!(": did you mean `{near}`?"));
            return Err(PlaceError::NoPlace(format!(
                "no node and no link is called `{place}`{}",
                near.unwrap_or_default()
            )));
        };
        let ends = link.ends.iter().map(|end| &layout.nodes[end.node]);
        let fitting: Vec<&NodePlan> = ends.filter(|node| matches!(node.role, Role::Gateway | Role::Host)).collect();
        let [node] = fitting[..] else {
            let [a, b] = [0, 1].map(|end| layout.nodes[link.ends[end].node].name.as_str());
            let count = if fitting.is_empty() { "none of its ends is" } else { "both of its ends are" };
            let message =
                format!("the link `{place}` does not say where: {count} a host (name a node, `{a}` or `{b}`)");
            return Err(PlaceError::NoPlace(message));
        };
        self.attach_at_node(node, &layout)
    }

    fn attach_at_node(&mut self, node: &NodePlan, layout: &Layout) -> Result<String, PlaceError> {
        match node.role {
            Role::Gateway => Ok(node.name.clone()),
            Role::Host => {
                self.attached.push(node.name.clone());
                if let Err(mistakes) = self.check() {
                    self.attached.pop();
                    return Err(mistakes.into());
                }
                Ok(node.name.clone())
            }
            Role::Bridge | Role::Router => {
                let is_free = |name: &String| {
                    layout.nodes.iter().all(|node| node.name != *name)
                        && layout.links.iter().all(|link| link.name != *name)
                };
                let names = std::iter::once("outside".to_owned()).chain((2..).map(|number| format!("outside{number}")));
                let name = names.into_iter().find(is_free).expect("there are more numbers than nodes");
                let (gateway, link) = (format!("nodes.{name}={{ kind = \"gateway\" }}"), format!("links.{name}="));
                self.set_all(&[gateway, format!("{link}{{ ends = [\"{name}\", \"{}\"] }}", node.name)])?;
                Ok(name)
            }
            Role::Outside => {
                let message =
                    format!("`{}` is a bare port; a kernel takes the place of a host or a gateway", node.name);
                Err(PlaceError::NoPlace(message))
            }
        }
    }

    /// What a recording keeps of a scenario beside its text: the values that were changed, and the hosts that became
    /// gateways.
    #[must_use]
    pub fn changes(&self) -> (Vec<(String, String)>, Vec<String>) {
        let settings = self.settings.iter().map(|setting| (setting.path.clone(), setting.value.clone()));
        (settings.collect(), self.attached.clone())
    }

    /// A scenario from its text and its [`changes`](Self::changes).
    ///
    /// # Errors
    ///
    /// All mistakes of it.
    pub fn from_changes(
        name: impl Into<String>,
        text: impl Into<String>,
        settings: &[(String, String)],
        attached: &[String],
    ) -> Result<Self, Mistakes> {
        let mut scenario = Self::from_toml(name, text)?;
        let settings = settings.iter().map(|(path, value)| super::Setting { path: path.clone(), value: value.clone() });
        scenario.settings = settings.collect();
        scenario.attached = attached.to_vec();
        scenario.check()?;
        Ok(scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAFE: &str = r#"
[nodes]
laptop = {}
phone = {}
server = {}
sw = { kind = "switch" }
r = { kind = "router" }
bare = { kind = "port" }
[links]
a = { ends = ["laptop", "sw"] }
b = { ends = ["phone", "sw"] }
up = { ends = ["sw", "r"] }
far = { ends = ["r", "server"] }
odd = { ends = ["bare", "sw"] }
[apps]
talk = { on = "laptop", kind = "tcp-send", to = "server:7", text = "hello" }
echo = { on = "server", kind = "tcp-echo", port = 7 }
"#;

    fn attach(place: &str) -> (Scenario, Result<String, String>) {
        let mut scenario = Scenario::from_toml("cafe", CAFE).unwrap();
        let result = scenario.attach(place).map_err(|error| error.to_string());
        (scenario, result)
    }

    #[test]
    fn a_host_becomes_a_gateway_with_the_same_addresses_and_its_programs_do_not_run() {
        let (scenario, name) = attach("laptop");
        assert_eq!(name, Ok("laptop".into()));
        let (before, after) = (attach("server").0.describe().unwrap(), scenario.describe().unwrap());
        let line = |text: &str| text.lines().find(|line| line.contains("10.0.0.2/24")).map(str::to_owned);
        assert!(line(&before).is_some() && line(&before) == line(&after), "{before}\n{after}");
        let report = scenario.run().unwrap();
        assert_eq!((report.text().contains("[S]"), report.outcome("talk", "started").is_some()), (false, false));
    }

    #[test]
    fn a_switch_and_a_router_get_a_new_neighbor() {
        for (place, address) in [("sw", "10.0.0.4/24"), ("r", "10.0.2.2/24")] {
            let (scenario, name) = attach(place);
            assert_eq!(name, Ok("outside".into()));
            let text = scenario.describe().unwrap();
            assert!(text.contains("outside (gateway)") && text.contains(address), "{text}");
        }
    }

    #[test]
    fn a_link_means_its_end_that_is_a_host() {
        assert_eq!(attach("far").1, Ok("server".into()));
        assert_eq!(
            attach("up").1.unwrap_err(),
            "the link `up` does not say where: none of its ends is a host (name a node, `sw` or `r`)"
        );
    }

    #[test]
    fn what_is_no_place_for_a_kernel_is_told() {
        assert_eq!(attach("lapdog").1.unwrap_err(), "no node and no link is called `lapdog`: did you mean `laptop`?");
        assert!(attach("bare").1.unwrap_err().contains("bare port"));
    }

    #[test]
    fn a_scenario_is_made_again_from_its_text_and_what_was_changed() {
        let mut scenario = attach("laptop").0;
        scenario.attach("r").unwrap();
        scenario.set("links.far.delay", "7ms").unwrap();
        let (settings, attached) = scenario.changes();
        let again = Scenario::from_changes("cafe", scenario.to_toml(), &settings, &attached).unwrap();
        assert_eq!(again.describe().unwrap(), scenario.describe().unwrap());
    }

    #[test]
    fn a_gateway_reaches_every_subnet_to_which_there_is_a_way() {
        let (scenario, _) = attach("laptop");
        let mut run = scenario.build().unwrap();
        let node = run.network.find_node("laptop").unwrap();
        let reach: Vec<String> =
            run.network.gateway(node).unwrap().spec().reach.iter().map(ToString::to_string).collect();
        assert_eq!(reach, ["10.0.0.0/24", "10.0.1.0/24"]);
    }

    #[test]
    fn what_is_behind_an_address_translator_is_not_within_reach() {
        let mut scenario = Scenario::from_toml(
            "nat",
            "[nodes]\na = {}\nr = { kind = \"router\", nat = { outside = \"wan\" } }\nme = {}\n[links]\n\
             lan = { ends = [\"a\", \"r\"] }\nwan = { ends = [\"r:wan\", \"me\"] }\n",
        )
        .unwrap();
        let reach = |scenario: &Scenario, name: &str| {
            let mut run = scenario.build().unwrap();
            let node = run.network.find_node(name).unwrap();
            run.network.gateway(node).unwrap().spec().reach.clone()
        };
        let mut inside = scenario.clone();
        scenario.attach("me").unwrap();
        assert_eq!(reach(&scenario, "me"), ["10.0.1.0/24".parse().unwrap()]);
        inside.attach("a").unwrap();
        assert_eq!(reach(&inside, "a"), ["10.0.0.0/24".parse().unwrap(), "10.0.1.0/24".parse().unwrap()]);
    }

    #[test]
    fn what_a_gateway_cannot_be_is_told_where_it_stands() {
        let text = r#"
[nodes]
access = { kind = "gateway", ipv6 = "slaac", device = "tub", behind = ["192.0.2.0/24", "here"], ttl = 3 }
a = {}
[links]
x = { ends = ["access", "a"] }
y = { ends = ["access:eth1", "a:eth1"] }
[apps]
echo = { on = "access", kind = "tcp-echo", port = 7 }
"#;
        let found = super::super::testing::mistakes(text);
        for wanted in [
            "ttl: unknown key `ttl` in `nodes.access`",
            "access: a gateway has one link; `access` has 2",
            "the kernel behind `access` is given its addresses",
            "`here` is not a range of addresses",
            "no program runs on `access`",
            "tub",
        ] {
            assert!(found.iter().any(|mistake| mistake.contains(wanted)), "{wanted}\n{found:#?}");
        }
    }

    #[test]
    fn a_host_that_is_attached_leaves_its_firewall_and_programs_behind() {
        let text = CAFE.replace(
            "laptop = {}",
            "laptop = { tcp = { nagle = false }, ttl = 9, firewall = { rules = [{ do = \"drop\" }] } }",
        );
        let mut scenario = Scenario::from_toml("cafe", &text).unwrap();
        scenario.attach("laptop").unwrap();
        let mut run = scenario.build().unwrap();
        let node = run.network.find_node("laptop").unwrap();
        assert!(run.network.machine(node).unwrap().spec().firewall.is_none());
    }
}
