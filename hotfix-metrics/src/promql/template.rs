//! A query with placeholders such as `${service}`, checked when it is made and filled in without any way out of the
//! string it stands in.

use std::collections::BTreeMap;
use std::fmt;

use hotfix_core::model::Period;

use super::lexer::{self, Pattern, Piece};
use super::{in_quotes, literally};

/// What `[${window}]` stands for, the one placeholder outside of strings.
const WINDOW: &str = "[${window}]";

/// A query with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Window,
    Name { name: String, quote: char, pattern: Pattern },
}

/// What the placeholders stand for: one text each, or several where one of them should match.
pub(crate) type Values = BTreeMap<&'static str, Vec<String>>;

/// Why a text is no query with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateError {
    /// A string does not end.
    OpenString {
        /// Where it begins, in bytes.
        at: usize,
    },
    /// `${` without `}`.
    OpenPlaceholder {
        /// What follows.
        text: String,
    },
    /// A placeholder stands where no escaping can make it safe.
    OutsideOfString {
        /// The placeholder.
        name: String,
    },
    /// A placeholder stands between backticks, where nothing can be escaped.
    RawString {
        /// The placeholder.
        name: String,
    },
    /// Nothing of that name is known here.
    Unknown {
        /// The placeholder.
        name: String,
        /// What is known.
        known: String,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenString { at } => write!(f, "the string that begins at byte {at} does not end"),
            Self::OpenPlaceholder { text } => write!(f, "a placeholder does not end with }}: {text}"),
            Self::OutsideOfString { name } => {
                write!(
                    f,
                    "${{{name}}} stands outside of a string, where nothing can be escaped; put it in quotes"
                )
            }
            Self::RawString { name } => {
                write!(
                    f,
                    "${{{name}}} stands between backticks, where nothing can be escaped; use double quotes"
                )
            }
            Self::Unknown { name, known } => write!(f, "there is no ${{{name}}}; there are {known}"),
        }
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Takes a query apart.
    pub(crate) fn new(query: &str, known: &[&str]) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        for piece in lexer::pieces(query).map_err(|at| TemplateError::OpenString { at })? {
            match piece {
                Piece::Code(code) => code_parts(code, &mut parts)?,
                Piece::Text { quote, inner, pattern } => {
                    parts.push(Part::Literal(quote.to_string()));
                    text_parts(inner, |name| Part::Name { name, quote, pattern }, &mut parts)?;
                    parts.push(Part::Literal(quote.to_string()));
                }
            }
        }
        for part in &parts {
            let Part::Name { name, quote, .. } = part else {
                continue;
            };
            if !known.contains(&name.as_str()) {
                return Err(TemplateError::Unknown { name: name.clone(), known: known.join(", ") });
            }
            if *quote == '`' {
                return Err(TemplateError::RawString { name: name.clone() });
            }
        }
        Ok(Self { parts })
    }

    /// Fills in the values, with a range where `[${window}]` stands, or without any range.
    ///
    /// Behind `=~` the values are taken literally, several as alternatives. Elsewhere several are joined with commas.
    pub(crate) fn fill(&self, values: &Values, window: Option<Period>) -> String {
        let mut query = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => query.push_str(text),
                Part::Window => query.extend(window.map(|window| format!("[{window}]"))),
                Part::Name { name, quote, pattern } => {
                    let values = values.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                    query.push_str(&filled(values, *quote, *pattern));
                }
            }
        }
        query
    }
}

fn filled(values: &[String], quote: char, pattern: Pattern) -> String {
    let text = match pattern {
        Pattern::Exact => values.join(","),
        Pattern::Regex => values.iter().map(|value| literally(value)).collect::<Vec<_>>().join("|"),
    };
    in_quotes(&text, quote)
}

/// Outside of strings only the window has a meaning.
fn code_parts(code: &str, parts: &mut Vec<Part>) -> Result<(), TemplateError> {
    let mut rest = code;
    while let Some(at) = rest.find(WINDOW) {
        literal(&rest[..at], parts)?;
        parts.push(Part::Window);
        rest = &rest[at + WINDOW.len()..];
    }
    literal(rest, parts)
}

fn literal(code: &str, parts: &mut Vec<Part>) -> Result<(), TemplateError> {
    if let Some((_, behind)) = code.split_once("${") {
        let name = behind.split('}').next().unwrap_or(behind).to_owned();
        return Err(TemplateError::OutsideOfString { name });
    }
    parts.push(Part::Literal(code.to_owned()));
    Ok(())
}

fn text_parts(
    inner: &str,
    part: impl Fn(String) -> Part,
    parts: &mut Vec<Part>,
) -> Result<(), TemplateError> {
    let mut rest = inner;
    while let Some((before, behind)) = rest.split_once("${") {
        parts.push(Part::Literal(before.to_owned()));
        let Some((name, after)) = behind.split_once('}') else {
            return Err(TemplateError::OpenPlaceholder { text: behind.to_owned() });
        };
        parts.push(part(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Literal(rest.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fill(query: &str, value: &str) -> String {
        let values = Values::from([
            ("slots", vec!["a.b".to_owned(), value.to_owned()]),
            ("service", vec![value.to_owned()]),
        ]);
        Template::new(query, &["service", "slots"]).unwrap().fill(&values, Some(Period::from_secs(90)))
    }

    #[test]
    fn a_value_is_escaped_for_where_it_stands() {
        for (query, filled) in [
            (r#"x{a="${service}"}[${window}]"#, r#"x{a="q\"\\d|"}[1m30s]"#),
            (r#"x{a='${service}'}"#, r#"x{a='q"\\d|'}"#),
            (r#"x{a=~"p-${service}"}"#, r#"x{a=~"p-q\"\\\\d\\|"}"#),
            (r#"x{a=~"${slots}"}"#, r#"x{a=~"a\\.b|q\"\\\\d\\|"}"#),
            ("sum(x{a=\"${service}\"}) # ${unknown}\n", "sum(x{a=\"q\\\"\\\\d|\"}) \n"),
        ] {
            assert_eq!(fill(query, "q\"\\d|"), filled, "{query}");
        }
    }

    #[test]
    fn without_a_window_the_range_goes() {
        let template = Template::new("rate(x[${window}])", &[]).unwrap();
        assert_eq!(template.fill(&Values::new(), None), "rate(x)");
    }

    #[test]
    fn what_cannot_be_escaped_is_refused_when_the_query_is_made() {
        for (query, message) in [
            (
                "x{a=${service}}",
                "${service} stands outside of a string, where nothing can be escaped; put it in quotes",
            ),
            (
                "x[${window}s]",
                "${window} stands outside of a string, where nothing can be escaped; put it in quotes",
            ),
            (
                "x{a=~`${service}`}",
                "${service} stands between backticks, where nothing can be escaped; use double quotes",
            ),
            ("x{a=\"${servce}\"}", "there is no ${servce}; there are service"),
            ("x{a=\"${window}\"}", "there is no ${window}; there are service"),
            ("x{a=\"${service\"}", "a placeholder does not end with }: service"),
            ("x{a=\"b}", "the string that begins at byte 4 does not end"),
        ] {
            assert_eq!(Template::new(query, &["service"]).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_string(value in "(?s).{0,30}", query in r#"x\{a(=|=~|!~)("\$\{service\}"|'\$\{service\}')\}"#) {
            let filled = fill(&query, &value);
            let pieces = lexer::pieces(&filled).unwrap();
            let code: Vec<_> = pieces.iter().filter_map(|piece| match piece {
                Piece::Code(code) => Some(*code),
                Piece::Text { .. } => None,
            }).collect();
            prop_assert!(matches!(code[..], [before, "}"] if before.starts_with("x{a")), "{}", filled);
        }
    }
}
