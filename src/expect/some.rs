//! `some`: at least one frame that matches comes by, perhaps in time.

use std::time::Duration;

use super::frames::{Demand, EXPRESSION, Frames, Scope, fields};
use super::{Builder, Claim};
use crate::read::{Field, Form, Kind, Need, Table};

/// `some = '…'`.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "some",
    doc: "At least one frame that matches comes by, perhaps within a time.",
    example: "[[expect]]\nsome = 'icmp.type == 11'\non = \"wan\"\nwithin = \"2s\"\n",
    fields: fields!(
        Field { name: "some", form: Form::Filter, need: Need::Required, doc: EXPRESSION },
        Field {
            name: "within",
            form: Form::Duration,
            need: Need::Optional,
            doc: "How long after `from` the first one may take; exactly so long is too late.",
        }
    ),
    build,
};

fn build(table: &Table<'_>) -> Option<Box<dyn Claim>> {
    let within = table.get::<Duration>("within");
    let mut scope = Scope::read(table, "some")?;
    if let Some(within) = within {
        if table.has("until") {
            table.report(
                "within",
                "an expectation cannot have both `until` and `within`",
                "one of them says until when",
            );
        }
        scope.until = Some(scope.from + within);
    }
    Some(Box::new(Frames { word: "some", scope, demand: Demand { least: 1, most: u64::MAX } }))
}
