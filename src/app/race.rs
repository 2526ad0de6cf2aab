//! Waiting for whichever comes first, under the name that programs here use.

pub(super) use crate::net::{First, race};
