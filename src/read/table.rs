//! A table of the file, with its place.

use toml::de::DeTable;

use super::{Diagnostic, Field, Item, Located, Need, Read, Reader, Span, nearest};

/// A TOML table that knows where everything in it stands.
#[derive(Debug, Clone)]
pub struct Table<'d> {
    table: &'d DeTable<'d>,
    /// Where it stands: its header, or its braces.
    pub span: Span,
    /// What to call it in messages: `links.wan`.
    pub path: String,
    /// The pass that it belongs to.
    pub reader: &'d Reader,
}

impl<'d> Table<'d> {
    /// Wraps a parsed table.
    #[must_use]
    pub fn new(table: &'d DeTable<'d>, span: Span, path: String, reader: &'d Reader) -> Self {
        Self { table, span, path, reader }
    }

    /// All keys with their places and values, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> Vec<(Located<&'d str>, Item<'d>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let located = Located { value: key.get_ref().as_ref(), span: key.span() };
                (located, self.item_of(key.get_ref(), value))
            })
            .collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
    }

    /// Whether the key is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of a key as it stands.
    #[must_use]
    pub fn item(&self, key: &str) -> Option<Item<'d>> {
        self.table.get(key).map(|value| self.item_of(key, value))
    }

    /// The place of a key itself.
    #[must_use]
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.table.get_key_value(key).map(|(key, _)| key.span())
    }

    /// What a key holds; `None` if it is absent, or wrong, which has then been reported.
    #[must_use]
    pub fn get<T: Read<'d>>(&self, key: &str) -> Option<T> {
        T::read(&self.item(key)?)
    }

    /// What a key holds; its absence is reported as a mistake.
    #[must_use]
    pub fn need<T: Read<'d>>(&self, key: &str) -> Option<T> {
        match self.item(key) {
            Some(item) => T::read(&item),
            None => {
                self.report_missing(key);
                None
            }
        }
    }

    /// What a key holds, or `default` if it is absent or wrong.
    #[must_use]
    pub fn get_or<T: Read<'d>>(&self, key: &str, default: T) -> T {
        self.get(key).unwrap_or(default)
    }

    /// The name of a node of this scenario.
    #[must_use]
    pub fn node(&self, key: &str) -> Option<String> {
        self.reference(key, ("node", "nodes"), Reader::knows_node, |reader| &reader.scope.nodes)
    }

    /// The name of a link of this scenario.
    #[must_use]
    pub fn link(&self, key: &str) -> Option<String> {
        self.reference(key, ("link", "links"), Reader::knows_link, |reader| &reader.scope.links)
    }

    /// The name of a program of this scenario.
    #[must_use]
    pub fn app(&self, key: &str) -> Option<String> {
        self.reference(key, ("app", "apps"), Reader::knows_app, |reader| &reader.scope.apps)
    }

    /// One of these words.
    #[must_use]
    pub fn one_of(&self, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let located: Located<String> = self.get(key)?;
        let found = words.iter().find(|word| **word == located.value).copied();
        if found.is_none() {
            self.reader.report(
                Diagnostic::new(located.span, format!("`{}` cannot be `{}`", key, located.value))
                    .not_among(&located.value, words.iter().copied()),
            );
        }
        found
    }

    /// Reports a mistake at a key's value, or at the table if the key is absent.
    pub fn report(&self, key: &str, title: impl Into<String>, label: impl Into<String>) {
        let span = self.item(key).map_or_else(|| self.span.clone(), |item| item.span);
        self.reader.report(Diagnostic::new(span, title).label(label));
    }

    /// Reports every key that is not among the fields, and every required field that is absent.
    ///
    /// `extra` are keys that the caller handles itself, such as `kind`.
    pub fn check(&self, fields: &[&[Field]], extra: &[&str]) {
        let known: Vec<&str> =
            extra.iter().copied().chain(fields.iter().flat_map(|list| list.iter().map(|field| field.name))).collect();
        for (key, _) in self.entries() {
            if !known.contains(&key.value) {
                let title = if self.path.is_empty() {
                    format!("unknown key `{}`", key.value)
                } else {
                    format!("unknown key `{}` in `{}`", key.value, self.path)
                };
                self.reader.report(Diagnostic::new(key.span, title).not_among(key.value, known.iter().copied()));
                if let Some(meant) = nearest(key.value, known.iter().copied()).filter(|meant| !self.has(meant)) {
                    self.reader.distrust(&self.path, meant);
                }
            }
        }
        self.check_required(fields);
    }

    /// Reports every required field that is absent, and no unknown key.
    pub fn check_required(&self, fields: &[&[Field]]) {
        for field in fields.iter().flat_map(|list| list.iter()) {
            if field.need == Need::Required && !self.has(field.name) {
                self.report_missing(field.name);
            }
        }
    }

    fn report_missing(&self, key: &str) {
        let here = if self.path.is_empty() { "the scenario".to_owned() } else { format!("`{}`", self.path) };
        let diagnostic = Diagnostic::new(self.span.clone(), format!("{here} lacks `{key}`"));
        self.report_lack(diagnostic.label(format!("`{key} = …` is missing")), &[key]);
    }

    /// Reports that none of these keys is there. If one of them is there but misspelled, only that is told.
    pub fn report_lack(&self, diagnostic: Diagnostic, keys: &[&str]) {
        self.reader.report_unless(diagnostic, &self.path, keys);
    }

    fn reference(
        &self,
        key: &str,
        (what, section): (&str, &str),
        is_known: impl Fn(&Reader, &str) -> bool,
        known: impl Fn(&Reader) -> &Vec<String>,
    ) -> Option<String> {
        let located: Located<String> = self.need(key)?;
        if is_known(self.reader, &located.value) {
            return Some(located.value);
        }
        let known = known(self.reader);
        self.reader.report_unknown(
            Diagnostic::new(located.span, format!("no {what} is called `{}`", located.value))
                .not_among(&located.value, known.iter().map(String::as_str)),
            &[section],
        );
        None
    }

    fn item_of(&self, key: &str, value: &'d toml::Spanned<toml::de::DeValue<'d>>) -> Item<'d> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Item { value: value.get_ref(), span: value.span(), path, reader: self.reader }
    }
}
