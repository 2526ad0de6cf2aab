//! `never`: no frame that matches comes by.

use super::Builder;
use super::frames::{Demand, EXPRESSION, Frames, Scope, fields};
use crate::read::{Field, Form, Kind, Need};

/// `never = '…'`.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "never",
    doc: "No frame that matches comes by.",
    example: "[[expect]]\nnever = 'tcp.rst'\non = \"wan\"\n",
    fields: fields!(Field { name: "never", form: Form::Filter, need: Need::Required, doc: EXPRESSION }),
    build: |table| {
        let scope = Scope::read(table, "never")?;
        Some(Box::new(Frames { word: "never", scope, demand: Demand { least: 0, most: 0 } }))
    },
};
