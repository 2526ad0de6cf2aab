//! The rows of the registries: what a scenario may name, and what each may say.

/// One thing that a scenario can name: an impairment, a program, an action, an expectation, an output, a node kind.
#[derive(Debug)]
pub struct Kind<B: 'static> {
    /// As written in the scenario: `tcp-echo`.
    pub name: &'static str,
    /// One sentence, with a full stop.
    pub doc: &'static str,
    /// A piece of scenario that uses it and parses.
    pub example: &'static str,
    /// What may be said in its table, beside the discriminating key.
    pub fields: &'static [Field],
    /// Makes one from its table.
    pub build: B,
}

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What its value looks like.
    pub form: Form,
    /// Whether it may be left out, and what then.
    pub need: Need,
    /// One sentence, with a full stop.
    pub doc: &'static str,
}

/// Whether a key may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It may; this is what holds then, as it would be written.
    Default(&'static str),
    /// It may, and then the thing it describes is absent.
    Optional,
    /// It may not.
    Required,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// An IP address, or a list of addresses with prefix lengths: whatever the field's doc says, in text.
    Address,
    /// The name of a program of this scenario.
    App,
    /// `true` or `false`.
    Boolean,
    /// `"1%"`, `"1/1000"`.
    Chance,
    /// `"20ms"`.
    Duration,
    /// One of several forms.
    Either(&'static [Self]),
    /// `"server:80"`, `"10.0.0.2:80"`; the port may be optional, as the field's doc says.
    Endpoint,
    /// A match expression: `'tcp.syn && !tcp.ack'`.
    Filter,
    /// A whole number in a range, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// The name of a link of this scenario.
    Link,
    /// Several of one form, in brackets.
    List(&'static Self),
    /// A table from names of the scenario's own choice to values of one form.
    Map(&'static Self),
    /// The name of a node of this scenario.
    Node,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `"10Mbit"`.
    Rate,
    /// `"1400B"`.
    Size,
    /// A table with these keys.
    Table(&'static [Field]),
    /// Anything in quotes.
    Text,
    /// Any TOML value.
    Any,
}
