//! Faults: `drop`, `delay`, `duplicate`, `corrupt`, each for exactly the frames that are meant.

use std::time::Duration;

use super::outage::find;
use super::way::{DIR, Way};
use super::{Action, ActionBuilder, Occasion, Plan};
use crate::filter::Filter;
use crate::id::PipeId;
use crate::link::{FaultRule, Ordinal, Verb};
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Need, Table};
use crate::time::Time;
