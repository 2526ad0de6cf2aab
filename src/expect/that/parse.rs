//! What a `that` expression says.
//!
//! ```text
//! or      = and { "||" and }
//! and     = claim { "&&" claim }
//! claim   = sum [ compare sum ]          compare: == != < <= > >= in
//! sum     = term { ("+" | "-") term }
//! term    = sign { ("*" | "/") sign }
//! sign    = ("-" | "!") sign | item { "[" or "]" }
//! item    = number | text | fact | function "(" or { "," or } ")" | "[" or { "," or } "]" | "(" or ")"
//! ```

use std::fmt;

use super::Mistake;
use super::lexer::{Number, SECTIONS, Token, Word, lex};
use crate::read::{Span, nearest};
use crate::units::format_duration;

/// How deep an expression may nest.
const DEPTH_MAX: usize = 64;

/// An expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) form: Form,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Binary {
        sign: Sign,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Boolean(bool),
    Call {
        function: Function,
        arguments: Vec<Expression>,
    },
    /// An outcome or counter: `apps.fetch.status`.
    Fact(String),
    Index {
        list: Box<Expression>,
        index: Box<Expression>,
    },
    List(Vec<Expression>),
    Minus(Box<Expression>),
    Not(Box<Expression>),
    Number(Number),
    Text(String),
}

/// What stands between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Add,
    And,
    Divide,
    Equal,
    In,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Multiply,
    NotEqual,
    Or,
    Subtract,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// `abs(a - b)`
    Absolute,
    /// `count(apps.talk@*.reply, "hello")`: how many of a list are this.
    Count,
    /// `has(apps.fetch.error)`: whether it was reported at all.
    Has,
    /// `len(apps.route.hops)`, of a list or of text.
    Length,
    /// `max(a, b, …)`, or of a list.
    Most,
    /// `min(a, b, …)`, or of a list.
    Least,
    /// `sum(a, b, …)`, or of a list.
    Sum,
}

pub(super) const FUNCTIONS: [(&str, Function); 7] = [
    ("abs", Function::Absolute),
    ("count", Function::Count),
    ("has", Function::Has),
    ("len", Function::Length),
    ("max", Function::Most),
    ("min", Function::Least),
    ("sum", Function::Sum),
];

/// Signs by how tightly they bind, loosest first.
const LEVELS: [&[(&str, Sign)]; 5] = [
    &[("||", Sign::Or), ("or", Sign::Or)],
    &[("&&", Sign::And), ("and", Sign::And)],
    &[
        ("==", Sign::Equal),
        ("!=", Sign::NotEqual),
        ("<=", Sign::LessOrEqual),
        (">=", Sign::MoreOrEqual),
        ("<", Sign::Less),
        (">", Sign::More),
        ("in", Sign::In),
    ],
    &[("+", Sign::Add), ("-", Sign::Subtract)],
    &[("*", Sign::Multiply), ("/", Sign::Divide)],
];

const COMPARE: usize = 2;
const TERM: usize = 4;

impl Sign {
    fn level(self) -> usize {
        LEVELS.iter().position(|level| level.iter().any(|(_, sign)| *sign == self)).unwrap_or(0)
    }

    pub(super) fn text(self) -> &'static str {
        LEVELS.iter().flat_map(|level| level.iter()).find(|(_, sign)| *sign == self).map_or("", |(text, _)| text)
    }

    /// Whether it compares, so that what it says is true or false of two values.
    pub(super) fn compares(self) -> bool {
        self.level() == COMPARE
    }
}

/// Reads an expression that is true or false.
pub(super) fn parse(text: &str) -> Result<Expression, Mistake> {
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0 };
    let expression = parser.level(0)?;
    let token = parser.peek();
    if token.word != Word::End {
        let label = "an operator such as `&&` or `<` belongs before it";
        return Err(Mistake::new(token.span.clone(), format!("{} is one too many", describe(&token.word)), label));
    }
    match &expression.form {
        Form::Number(_) | Form::Text(_) | Form::List(_) | Form::Minus(_) => {
            Err(Mistake::new(expression.span, "this is neither true nor false", "compare it with something"))
        }
        Form::Binary { sign: Sign::Add | Sign::Subtract | Sign::Multiply | Sign::Divide, .. } => {
            Err(Mistake::new(expression.span, "this is neither true nor false", "compare it with something"))
        }
        _ => Ok(expression),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_it = matches!(&self.peek().word, Word::Sign(found) if *found == sign);
        self.at += usize::from(is_it);
        is_it
    }

    /// An expression whose operators bind at least as tightly as this level.
    fn level(&mut self, level: usize) -> Result<Expression, Mistake> {
        let Some(signs) = LEVELS.get(level) else { return self.sign() };
        let mut left = self.level(level + 1)?;
        while let Some(sign) = self.operator(signs) {
            let right = self.level(level + 1)?;
            let span = left.span.start..right.span.end;
            left = Expression { form: Form::Binary { sign, left: Box::new(left), right: Box::new(right) }, span };
            if level == COMPARE
                && let Some(_) = self.operator(signs)
            {
                let span = self.tokens[self.at - 1].span.clone();
                return Err(Mistake::new(span, "comparisons do not chain", "join two of them with `&&`"));
            }
        }
        Ok(left)
    }

    fn operator(&mut self, signs: &[(&str, Sign)]) -> Option<Sign> {
        let text = match &self.peek().word {
            Word::Sign(sign) => *sign,
            Word::Name(name) => name.as_str(),
            _ => return None,
        };
        let sign = signs.iter().find(|(known, _)| *known == text).map(|(_, sign)| *sign)?;
        self.at += 1;
        Some(sign)
    }

    fn sign(&mut self) -> Result<Expression, Mistake> {
        let start = self.peek().span.start;
        for (sign, form) in [("-", Form::Minus as fn(Box<Expression>) -> Form), ("!", Form::Not)] {
            if self.takes(sign) {
                let inner = self.nested(Self::sign)?;
                let span = start..inner.span.end;
                return Ok(Expression { form: form(Box::new(inner)), span });
            }
        }
        let mut item = self.item()?;
        while self.takes("[") {
            let index = self.nested(|parser| parser.level(0))?;
            let end = self.close("]")?;
            let span = item.span.start..end;
            item = Expression { form: Form::Index { list: Box::new(item), index: Box::new(index) }, span };
        }
        Ok(item)
    }

    fn item(&mut self) -> Result<Expression, Mistake> {
        let Token { word, span } = self.take();
        let form = match word {
            Word::Number(number) => Form::Number(number),
            Word::Text(text) => Form::Text(text),
            Word::Sign("(") => {
                let inner = self.nested(|parser| parser.level(0))?;
                let end = self.close(")")?;
                return Ok(Expression { span: span.start..end, ..inner });
            }
            Word::Sign("[") => {
                let (list, end) = self.list("]")?;
                return Ok(Expression { form: Form::List(list), span: span.start..end });
            }
            Word::Name(name) => return self.name(&name, span),
            word => {
                let label = "a fact such as `apps.fetch.status`, a number or a text belongs here";
                let title = if word == Word::End {
                    "a value is missing".to_owned()
                } else {
                    format!("{} begins no value", describe(&word))
                };
                return Err(Mistake::new(span, title, label));
            }
        };
        Ok(Expression { form, span })
    }

    fn name(&mut self, name: &str, span: Span) -> Result<Expression, Mistake> {
        match name {
            "true" => return Ok(Expression { form: Form::Boolean(true), span }),
            "false" => return Ok(Expression { form: Form::Boolean(false), span }),
            _ => {}
        }
        if self.takes("(") {
            let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<&str> = FUNCTIONS.iter().map(|(known, _)| *known).collect();
                let mistake = Mistake::new(span, format!("no function is called `{name}`"), near(name, &known));
                return Err(mistake.note(format!("known: {}", known.join(", "))));
            };
            let (arguments, end) = self.list(")")?;
            let span = span.start..end;
            check_arguments(*function, &arguments, &span)?;
            return Ok(Expression { form: Form::Call { function: *function, arguments }, span });
        }
        let section = name.split('.').next().unwrap_or(name);
        if !SECTIONS.contains(&section) {
            let label = if name == "not" { "write `!`".to_owned() } else { near(section, &SECTIONS) };
            let mistake = Mistake::new(span, format!("`{name}` is no fact"), label);
            return Err(mistake.note("facts begin with `apps.`, `links.`, `nodes.` or `run.`; text stands in quotes"));
        }
        Ok(Expression { form: Form::Fact(name.to_owned()), span })
    }

    /// Expressions with commas between them, up to `end`; and where that stands.
    fn list(&mut self, end: &str) -> Result<(Vec<Expression>, usize), Mistake> {
        let mut list = Vec::new();
        loop {
            if self.takes(end) {
                return Ok((list, self.tokens[self.at - 1].span.end));
            }
            list.push(self.nested(|parser| parser.level(0))?);
            if !self.takes(",") {
                return Ok((list, self.close(end)?));
            }
        }
    }

    fn close(&mut self, end: &str) -> Result<usize, Mistake> {
        let span = self.peek().span.clone();
        if self.takes(end) {
            return Ok(span.end);
        }
        Err(Mistake::new(span, format!("`{end}` is missing"), format!("`{end}` belongs here")))
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let span = self.peek().span.clone();
            return Err(Mistake::new(span, format!("nested more than {DEPTH_MAX} deep"), "split the expectation"));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

fn check_arguments(function: Function, arguments: &[Expression], span: &Span) -> Result<(), Mistake> {
    let is_right = match function {
        Function::Absolute | Function::Length => arguments.len() == 1,
        Function::Count => arguments.len() == 2,
        Function::Has => matches!(arguments, [Expression { form: Form::Fact(_), .. }]),
        Function::Least | Function::Most | Function::Sum => !arguments.is_empty(),
    };
    let label = match function {
        Function::Count => "a list and a value, such as `count(apps.talk@*.reply, \"hello\")`",
        Function::Has => "one fact, such as `has(apps.fetch.error)`",
        Function::Least | Function::Most | Function::Sum => "at least one value",
        Function::Absolute | Function::Length => "one value",
    };
    if is_right { Ok(()) } else { Err(Mistake::new(span.clone(), "these are not its arguments", label)) }
}

fn near(found: &str, known: &[&str]) -> String {
    nearest(found, known.iter().copied()).map_or_else(String::new, |near| format!("did you mean `{near}`?"))
}

fn describe(word: &Word) -> String {
    match word {
        Word::End => "the end".to_owned(),
        Word::Name(name) => format!("`{name}`"),
        Word::Number(number) => format!("`{number}`"),
        Word::Sign(sign) => format!("`{sign}`"),
        Word::Text(text) => format!("`\"{text}\"`"),
    }
}

impl Form {
    /// How tightly it holds together: what is looser needs parentheses inside of what is tighter.
    fn level(&self) -> usize {
        match self {
            Self::Binary { sign, .. } => sign.level(),
            Self::Minus(_) | Self::Not(_) => TERM + 1,
            _ => TERM + 2,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = |f: &mut fmt::Formatter<'_>, inner: &Self, least: usize| {
            if inner.form.level() < least { write!(f, "({inner})") } else { write!(f, "{inner}") }
        };
        let list = |f: &mut fmt::Formatter<'_>, list: &[Self]| {
            list.iter().enumerate().try_for_each(|(index, item)| {
                f.write_str(if index == 0 { "" } else { ", " })?;
                write!(f, "{item}")
            })
        };
        match &self.form {
            Form::Binary { sign, left, right } => {
                let least = sign.level();
                // Comparisons do not chain, so that the left side of one is never another.
                let left_least = if sign.compares() { least + 1 } else { least };
                inner(f, left, left_least)?;
                write!(f, " {} ", sign.text())?;
                inner(f, right, least + 1)
            }
            Form::Boolean(value) => write!(f, "{value}"),
            Form::Call { function, arguments } => {
                let name = FUNCTIONS.iter().find(|(_, known)| known == function).map_or("", |(name, _)| name);
                write!(f, "{name}(")?;
                list(f, arguments)?;
                f.write_str(")")
            }
            Form::Fact(path) => f.write_str(path),
            Form::Index { list, index } => {
                inner(f, list, TERM + 2)?;
                write!(f, "[{index}]")
            }
            Form::List(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Form::Minus(value) => {
                f.write_str("-")?;
                inner(f, value, TERM + 1)
            }
            Form::Not(value) => {
                f.write_str("!")?;
                inner(f, value, TERM + 1)
            }
            Form::Number(number) => write!(f, "{number}"),
            Form::Text(text) if text.contains('"') => write!(f, "'{text}'"),
            Form::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Always with a point, so that it reads back as the same kind of number.
            Self::Float(float) if float.fract() == 0.0 => write!(f, "{float}.0"),
            Self::Float(float) => write!(f, "{float}"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Time(time) => f.write_str(&format_duration(*time)),
        }
    }
}
