//! `set`: other properties for a link.

use super::outage::find;
use super::way::{DIR, Way};
use super::{Action, ActionBuilder, Occasion, Plan};
use crate::id::PipeId;
use crate::link::{PIPE_FIELDS, Property};
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Need, Table};

/// `do = "set"`.
pub(super) const SET: Kind<ActionBuilder> = Kind {
    name: "set",
    doc: "Changes properties of a link: any that a link's table can have.",
    example: "[[at]]\nt = \"2s\"\ndo = \"set\"\nlink = \"wan\"\ndir = \"ab\"\ndelay = \"200ms\"\nloss = \"5%\"\n",
    fields: FIELDS,
    build,
};

/// `link`, `dir`, and all properties.
static FIELDS: &[Field] = &fields();

const OWN: usize = 2;

/// How many properties a link has.
const PROPERTIES: usize = PIPE_FIELDS.len();

const fn fields() -> [Field; OWN + PROPERTIES] {
    const LINK: Field = Field { name: "link", form: Form::Link, need: Need::Required, doc: "Which link." };
    let mut fields = [LINK; OWN + PROPERTIES];
    fields[1] = DIR;
    let mut index = 0;
    while index < PROPERTIES {
        fields[OWN + index] = Field { need: Need::Optional, ..PIPE_FIELDS[index] };
        index += 1;
    }
    fields
}

fn build(table: &Table<'_>, occasion: Occasion) -> Option<Box<dyn Plan>> {
    let link = table.link("link");
    let way = table.get_or("dir", Way::Both);
    let before = table.reader.problem_count();
    let mut properties = Vec::new();
    for (key, item) in table.entries() {
        if Property::is_one(key.value) {
            properties.extend(Property::read(&key, &item));
        }
    }
    if properties.is_empty() && table.reader.problem_count() == before {
        let known: Vec<&str> = PIPE_FIELDS.iter().map(|field| field.name).collect();
        let diagnostic = Diagnostic::new(table.span.clone(), "this entry does not say what is set");
        let diagnostic = diagnostic.label("such as `delay = \"200ms\"`").note(format!("known: {}", known.join(", ")));
        table.report_lack(diagnostic, &known);
    }
    Some(Box::new(Set { occasion, link: link?, way, properties }))
}

#[derive(Debug)]
struct Set {
    occasion: Occasion,
    link: String,
    way: Way,
    properties: Vec<Property>,
}

impl Plan for Set {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let pipes = self.way.pipes(find(network, &self.link), network)?;
        network.plan(self.occasion.at, Box::new(SetProperties { pipes, properties: self.properties.clone() }));
        Ok(())
    }

    fn describe(&self) -> String {
        format!("set {}{}: {}", self.link, self.way.suffix(), list(&self.properties))
    }
}

/// Sets properties of one or both directions of a link.
#[derive(Debug, Clone)]
pub struct SetProperties {
    /// Which directions.
    pub pipes: Vec<PipeId>,
    /// What.
    pub properties: Vec<Property>,
}

impl Action for SetProperties {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        for pipe in &self.pipes {
            self.properties.iter().for_each(|property| network.set(*pipe, property));
            let (source, link) = (network.names().source(*pipe).0, network.names().link(pipe.link()).to_owned());
            let to = network.names().node(network.names().destination(*pipe).0).to_owned();
            network.note(source, || format!("{link} towards {to}: {}", list(&self.properties)));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!("set {}", list(&self.properties))
    }
}

fn list(properties: &[Property]) -> String {
    let words: Vec<String> = properties.iter().map(ToString::to_string).collect();
    words.join(", ")
}
