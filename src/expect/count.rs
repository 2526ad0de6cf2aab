//! `count`: so many frames that match come by.

use super::frames::{Demand, EXPRESSION, Frames, NUMBER, Scope, fields};
use super::{Builder, Claim};
use crate::read::{Field, Form, Kind, Need, Table};

/// `count = '…'`.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "count",
    doc: "So many frames that match come by.",
    example: "[[expect]]\ncount = 'icmp.type == 11'\non = \"wan\"\nis = 2\n",
    fields: fields!(
        Field { name: "count", form: Form::Filter, need: Need::Required, doc: EXPRESSION },
        Field { name: "is", form: NUMBER, need: Need::Optional, doc: "Exactly so many." },
        Field { name: "min", form: NUMBER, need: Need::Optional, doc: "At least so many." },
        Field { name: "max", form: NUMBER, need: Need::Optional, doc: "At most so many." }
    ),
    build,
};

fn build(table: &Table<'_>) -> Option<Box<dyn Claim>> {
    let (exactly, least, most) = (table.get::<u64>("is"), table.get::<u64>("min"), table.get::<u64>("max"));
    let has_bounds = table.has("min") || table.has("max");
    if table.has("is") && has_bounds {
        table.report("is", "a count cannot have both `is` and `min` or `max`", "one of them says how many");
    }
    if !table.has("is") && !has_bounds {
        let label = "`is = 2`, `min = 1` or `max = 3` is missing";
        table.report("count", "this entry does not say how many frames are expected", label);
    }
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        table.report("max", "no number is that small and that large", format!("at least `min`, which is {least}"));
    }
    let bounds = Demand { least: least.unwrap_or(0), most: most.unwrap_or(u64::MAX) };
    let demand = exactly.map_or(bounds, |exactly| Demand { least: exactly, most: exactly });
    Some(Box::new(Frames { word: "count", scope: Scope::read(table, "count")?, demand }))
}
