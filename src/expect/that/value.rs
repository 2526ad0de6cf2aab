//! What an expression comes to.
//!
//! Numbers are whole or not, times are times: a time and a number are never compared, so that `elapsed < 2` is told as
//! the mistake that it is. Times may be negative on the way: `abs(a - b)`.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use super::lexer::Number;
use super::parse::{Expression, Form, Function, Sign};
use crate::read::Span;
use crate::record::Value;
use crate::units::format_duration;

/// A value on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Boolean(bool),
    Float(f64),
    Integer(i64),
    List(Vec<Self>),
    Text(String),
    /// In nanoseconds.
    Time(i128),
}

/// Why an expression comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing was reported under this name.
    Missing(String),
    /// Values that do not go together: what was tried, where.
    Unfit { message: String, span: Span },
}

/// Works an expression out; `fact` looks facts up.
pub(super) fn evaluate(expression: &Expression, fact: &impl Fn(&str) -> Option<Value>) -> Result<Term, Trouble> {
    let unfit = |message: String| Err(Trouble::Unfit { message, span: expression.span.clone() });
    match &expression.form {
        Form::Binary { sign: sign @ (Sign::And | Sign::Or), left, right } => {
            let left = truth(left, fact)?;
            // The right side is not looked at if the left one decides: `has(x) && x < 2`.
            let is_decided = left == (*sign == Sign::Or);
            Ok(Term::Boolean(if is_decided { left } else { truth(right, fact)? }))
        }
        Form::Binary { sign, left, right } => {
            let (left, right) = (evaluate(left, fact)?, evaluate(right, fact)?);
            let Some(term) = binary(*sign, &left, &right) else {
                let is_bare = [&left, &right].iter().any(|side| matches!(side, Term::Time(_)))
                    && [&left, &right].iter().any(|side| side.float().is_some());
                let hint = if is_bare { ": a time has a unit, as `2s` has" } else { "" };
                let kinds = format!("{} and {}", left.kind(), right.kind());
                return unfit(format!("`{}` does not work between {kinds}{hint}", sign.text()));
            };
            Ok(term)
        }
        Form::Boolean(value) => Ok(Term::Boolean(*value)),
        Form::Call { function, arguments } => call(*function, arguments, &expression.span, fact),
        Form::Fact(path) => fact(path).map(Term::from).ok_or_else(|| Trouble::Missing(path.clone())),
        Form::Index { list, index } => {
            let (Term::List(items), Term::Integer(index)) = (evaluate(list, fact)?, evaluate(index, fact)?) else {
                return unfit("only a list has items, and only by whole numbers".to_owned());
            };
            let item = usize::try_from(index).ok().and_then(|index| items.get(index).cloned());
            item.map_or_else(|| unfit(format!("there is no item {index} in a list of {}", items.len())), Ok)
        }
        Form::List(items) => items.iter().map(|item| evaluate(item, fact)).collect::<Result<_, _>>().map(Term::List),
        Form::Minus(value) => match evaluate(value, fact)? {
            Term::Float(value) => Ok(Term::Float(-value)),
            Term::Integer(value) => Ok(Term::Integer(value.saturating_neg())),
            Term::Time(value) => Ok(Term::Time(value.saturating_neg())),
            other => unfit(format!("`-` does not work on {}", other.kind())),
        },
        Form::Not(value) => Ok(Term::Boolean(!truth(value, fact)?)),
        Form::Number(Number::Float(value)) => Ok(Term::Float(*value)),
        Form::Number(Number::Integer(value)) => Ok(Term::Integer(*value)),
        Form::Number(Number::Time(value)) => Ok(Term::from(Value::Duration(*value))),
        Form::Text(text) => Ok(Term::Text(text.clone())),
    }
}

/// Works out an expression that must be true or false.
pub(super) fn truth(expression: &Expression, fact: &impl Fn(&str) -> Option<Value>) -> Result<bool, Trouble> {
    match evaluate(expression, fact)? {
        Term::Boolean(value) => Ok(value),
        other => Err(Trouble::Unfit {
            message: format!("`{expression}` is {}, neither true nor false", other.kind()),
            span: expression.span.clone(),
        }),
    }
}

fn call(
    function: Function,
    arguments: &[Expression],
    span: &Span,
    fact: &impl Fn(&str) -> Option<Value>,
) -> Result<Term, Trouble> {
    let unfit = |message: String| Err(Trouble::Unfit { message, span: span.clone() });
    if let (Function::Has, [Expression { form: Form::Fact(path), .. }]) = (function, arguments) {
        return Ok(Term::Boolean(fact(path).is_some()));
    }
    let values: Vec<Term> = arguments.iter().map(|value| evaluate(value, fact)).collect::<Result<_, _>>()?;
    match (function, &values[..]) {
        (Function::Absolute, [Term::Float(value)]) => Ok(Term::Float(value.abs())),
        (Function::Absolute, [Term::Integer(value)]) => Ok(Term::Integer(value.saturating_abs())),
        (Function::Absolute, [Term::Time(value)]) => Ok(Term::Time(value.saturating_abs())),
        (Function::Count, [Term::List(items), value]) => {
            // What cannot be compared is not the same.
            Ok(count(items.iter().filter(|item| equal(item, value) == Some(true)).count()))
        }
        (Function::Length, [Term::List(items)]) => Ok(count(items.len())),
        (Function::Length, [Term::Text(text)]) => Ok(count(text.chars().count())),
        (Function::Least | Function::Most, [Term::List(items)]) => extreme(function, items, span),
        (Function::Least | Function::Most, items) => extreme(function, items, span),
        (Function::Sum, [Term::List(items)]) => sum(items, span),
        (Function::Sum, items) => sum(items, span),
        (_, items) => {
            let kinds: Vec<&str> = items.iter().map(Term::kind).collect();
            unfit(format!("this does not work on {}", kinds.join(" and ")))
        }
    }
}

fn count(count: usize) -> Term {
    Term::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn sum(items: &[Term], span: &Span) -> Result<Term, Trouble> {
    let Some((first, rest)) = items.split_first() else { return Ok(Term::Integer(0)) };
    let sum = rest.iter().try_fold(first.clone(), |sum, item| arithmetic(Sign::Add, &sum, item));
    let is_number = matches!(first, Term::Float(_) | Term::Integer(_) | Term::Time(_));
    let unfit = || Trouble::Unfit { message: "these values cannot be added".to_owned(), span: span.clone() };
    sum.filter(|_| is_number).ok_or_else(unfit)
}

fn extreme(function: Function, items: &[Term], span: &Span) -> Result<Term, Trouble> {
    let unfit = |message: &str| Trouble::Unfit { message: message.to_owned(), span: span.clone() };
    let mut items = items.iter();
    let first = items.next().ok_or_else(|| unfit("an empty list has neither a least nor a most"))?;
    items.try_fold(first.clone(), |best, item| {
        let order = compare(item, &best).ok_or_else(|| unfit("these values have no order among them"))?;
        let is_better = order == if function == Function::Least { Ordering::Less } else { Ordering::Greater };
        Ok(if is_better { item.clone() } else { best })
    })
}

/// `None` if the sign does not work between these.
fn binary(sign: Sign, left: &Term, right: &Term) -> Option<Term> {
    match sign {
        Sign::Equal => equal(left, right).map(Term::Boolean),
        Sign::NotEqual => equal(left, right).map(|is_equal| Term::Boolean(!is_equal)),
        Sign::Less => compare(left, right).map(|order| Term::Boolean(order.is_lt())),
        Sign::LessOrEqual => compare(left, right).map(|order| Term::Boolean(order.is_le())),
        Sign::More => compare(left, right).map(|order| Term::Boolean(order.is_gt())),
        Sign::MoreOrEqual => compare(left, right).map(|order| Term::Boolean(order.is_ge())),
        Sign::In => match (left, right) {
            (Term::Text(part), Term::Text(whole)) => Some(Term::Boolean(whole.contains(part.as_str()))),
            (item, Term::List(items)) => {
                let found = items.iter().map(|other| equal(item, other)).collect::<Option<Vec<bool>>>()?;
                Some(Term::Boolean(found.contains(&true)))
            }
            _ => None,
        },
        Sign::Add | Sign::Subtract | Sign::Multiply | Sign::Divide => arithmetic(sign, left, right),
        Sign::And | Sign::Or => None,
    }
}

fn arithmetic(sign: Sign, left: &Term, right: &Term) -> Option<Term> {
    match (left, right) {
        (Term::Integer(left), Term::Integer(right)) => match sign {
            Sign::Add => Some(Term::Integer(left.saturating_add(*right))),
            Sign::Subtract => Some(Term::Integer(left.saturating_sub(*right))),
            Sign::Multiply => Some(Term::Integer(left.saturating_mul(*right))),
            // A ratio is rarely whole.
            _ => Some(Term::Float(*left as f64 / *right as f64)),
        },
        (Term::Time(left), Term::Time(right)) => match sign {
            Sign::Add => Some(Term::Time(left.saturating_add(*right))),
            Sign::Subtract => Some(Term::Time(left.saturating_sub(*right))),
            Sign::Divide => Some(Term::Float(*left as f64 / *right as f64)),
            _ => None,
        },
        (Term::Time(time), factor) | (factor, Term::Time(time)) => {
            let (time_is_left, factor) = (matches!(left, Term::Time(_)), factor.float()?);
            match sign {
                Sign::Multiply => Some(Term::Time((*time as f64 * factor) as i128)),
                Sign::Divide if time_is_left => Some(Term::Time((*time as f64 / factor) as i128)),
                _ => None,
            }
        }
        _ => {
            let (left, right) = (left.float()?, right.float()?);
            Some(Term::Float(match sign {
                Sign::Add => left + right,
                Sign::Subtract => left - right,
                Sign::Multiply => left * right,
                _ => left / right,
            }))
        }
    }
}

/// `None` if the two are of kinds that are never equal nor unequal.
fn equal(left: &Term, right: &Term) -> Option<bool> {
    match (left, right) {
        (Term::Boolean(left), Term::Boolean(right)) => Some(left == right),
        (Term::List(left), Term::List(right)) => {
            let items = left.iter().zip(right).map(|(left, right)| equal(left, right));
            let all = items.collect::<Option<Vec<bool>>>()?;
            Some(left.len() == right.len() && !all.contains(&false))
        }
        _ => compare(left, right).map(Ordering::is_eq),
    }
}

fn compare(left: &Term, right: &Term) -> Option<Ordering> {
    match (left, right) {
        (Term::Integer(left), Term::Integer(right)) => Some(left.cmp(right)),
        (Term::Text(left), Term::Text(right)) => Some(left.cmp(right)),
        (Term::Time(left), Term::Time(right)) => Some(left.cmp(right)),
        _ => left.float()?.partial_cmp(&right.float()?),
    }
}

impl Term {
    fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// What it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "a yes or no",
            Self::Float(_) | Self::Integer(_) => "a number",
            Self::List(_) => "a list",
            Self::Text(_) => "a text",
            Self::Time(_) => "a time",
        }
    }
}

impl From<Value> for Term {
    fn from(value: Value) -> Self {
        match value {
            Value::Boolean(value) => Self::Boolean(value),
            Value::Duration(value) => Self::Time(i128::try_from(value.as_nanos()).unwrap_or(i128::MAX)),
            Value::Float(value) => Self::Float(value),
            Value::Integer(value) => Self::Integer(value),
            Value::List(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Time(nanoseconds) => {
                let sign = if *nanoseconds < 0 { "-" } else { "" };
                let whole = u64::try_from(nanoseconds.unsigned_abs()).unwrap_or(u64::MAX);
                write!(f, "{sign}{}", format_duration(Duration::from_nanos(whole)))
            }
        }
    }
}
