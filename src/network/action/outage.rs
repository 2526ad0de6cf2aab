//! Outages: `link-down`, `link-up`, `flap`.

use std::time::Duration;

use super::{Action, ActionBuilder, Occasion, Plan};
use crate::id::LinkId;
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Need, Table};
use crate::time::Time;

const LINK: Field =
    Field { name: "link", form: Form::Link, need: Need::Required, doc: "The link, in both of its directions." };

/// `do = "link-down"`.
pub(super) const LINK_DOWN: Kind<ActionBuilder> = Kind {
    name: "link-down",
    doc: "Takes a link down: what is on it is lost, and so is what is sent until it comes up.",
    example: "[[at]]\nt = \"12s\"\ndo = \"link-down\"\nlink = \"wan\"\nfor = \"500ms\"\n",
    fields: &[
        LINK,
        Field {
            name: "for",
            form: Form::Duration,
            need: Need::Optional,
            doc: "It comes up again this much later; if left out, it stays down.",
        },
    ],
    build: |table, occasion| {
        let lasts_for = table.has("for").then(|| table.get("for"));
        let link = table.link("link")?;
        Some(Box::new(Outage {
            occasion,
            link,
            is_up: false,
            lasts_for: lasts_for.map_or(Some(None), |d| d.map(Some))?,
        }))
    },
};

/// `do = "link-up"`.
pub(super) const LINK_UP: Kind<ActionBuilder> = Kind {
    name: "link-up",
    doc: "Takes a link up that was down.",
    example: "[[at]]\nt = \"13s\"\ndo = \"link-up\"\nlink = \"wan\"\n",
    fields: &[LINK],
    build: |table, occasion| {
        Some(Box::new(Outage { occasion, link: table.link("link")?, is_up: true, lasts_for: None }))
    },
};

/// `do = "flap"`.
pub(super) const FLAP: Kind<ActionBuilder> = Kind {
    name: "flap",
    doc: "Takes a link down and up again, several times.",
    example: "[[at]]\nt = \"5s\"\ndo = \"flap\"\nlink = \"wan\"\ndown = \"200ms\"\nup = \"1s\"\ntimes = 3\n",
    fields: &[
        LINK,
        Field { name: "down", form: Form::Duration, need: Need::Required, doc: "How long it is down each time." },
        Field { name: "up", form: Form::Duration, need: Need::Required, doc: "How long it is up in between." },
        Field {
            name: "times",
            form: Form::Integer { min: 1, max: u32::MAX as i64 },
            need: Need::Required,
            doc: "How many times it goes down.",
        },
    ],
    build: build_flap,
};

fn build_flap(table: &Table<'_>, occasion: Occasion) -> Option<Box<dyn Plan>> {
    let link = table.link("link");
    let (down, up) = (table.get::<Duration>("down"), table.get::<Duration>("up"));
    let times = table.get::<u32>("times");
    for (key, value) in [("down", down), ("up", up)] {
        if value == Some(Duration::ZERO) {
            table.report(key, format!("`{key}` must be longer than no time at all"), "such as \"200ms\"");
        }
    }
    if times == Some(0) {
        table.report("times", "a link that flaps no times does not flap", "from 1");
    }
    Some(Box::new(FlapPlan { occasion, link: link?, down: down?, up: up?, times: times? }))
}

#[derive(Debug)]
struct Outage {
    occasion: Occasion,
    link: String,
    is_up: bool,
    lasts_for: Option<Duration>,
}

impl Plan for Outage {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let link = find(network, &self.link);
        network.plan(self.occasion.at, Box::new(SetLinkUp { link, is_up: self.is_up }));
        if let Some(lasts_for) = self.lasts_for {
            network.plan(self.occasion.at + lasts_for, Box::new(SetLinkUp { link, is_up: !self.is_up }));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let word = if self.is_up { "link-up" } else { "link-down" };
        let lasts = self.lasts_for.map(|lasts_for| format!(" for {}", crate::units::format_duration(lasts_for)));
        format!("{word} {}{}", self.link, lasts.unwrap_or_default())
    }
}

#[derive(Debug)]
struct FlapPlan {
    occasion: Occasion,
    link: String,
    down: Duration,
    up: Duration,
    times: u32,
}

impl Plan for FlapPlan {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let link = find(network, &self.link);
        let (down, up, times) = (self.down, self.up, self.times);
        network.plan(self.occasion.at, Box::new(Flap { link, down, up, times, next_at: self.occasion.at }));
        Ok(())
    }

    fn describe(&self) -> String {
        format!("flap {} {} times", self.link, self.times)
    }
}

/// Takes a link up or down.
#[derive(Debug, Clone)]
pub struct SetLinkUp {
    /// Which link.
    pub link: LinkId,
    /// Up rather than down.
    pub is_up: bool,
}

impl Action for SetLinkUp {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.set_link_up(self.link, self.is_up);
        Ok(())
    }

    fn describe(&self) -> String {
        format!("link-{} (link {})", if self.is_up { "up" } else { "down" }, self.link.0)
    }
}

/// Takes a link down, up again later, and so on. Plans its own next turn.
#[derive(Debug, Clone)]
pub struct Flap {
    /// Which link.
    pub link: LinkId,
    /// How long it is down each time.
    pub down: Duration,
    /// How long it is up in between.
    pub up: Duration,
    /// How many times it still goes down.
    pub times: u32,
    /// When it next goes down: when the action is planned.
    pub next_at: Time,
}

impl Action for Flap {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        let Some(left) = self.times.checked_sub(1) else { return Ok(()) };
        network.set_link_up(self.link, false);
        let up_at = self.next_at + self.down;
        network.plan(up_at, Box::new(SetLinkUp { link: self.link, is_up: true }));
        if left > 0 {
            let next_at = up_at + self.up;
            network.plan(next_at, Box::new(Self { times: left, next_at, ..self.clone() }));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("flap (link {})", self.link.0)
    }
}

/// The link of a name that the reader has checked.
pub(super) fn find(network: &Network, link: &str) -> LinkId {
    network.find_link(link).expect("the reader checked the name, and the scenario made the link")
}
