//! PromQL with named placeholders, which are escaped for where they stand.

mod lexer;
mod template;

pub use template::TemplateError;
pub(crate) use template::{Template, Values};

/// Returns the text as a string of PromQL, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", in_quotes(text, '"'))
}

/// Escapes a text for a place between quotes.
fn in_quotes(text: &str, quote: char) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\0' => escaped.push_str("\\x00"),
            c if c == quote => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Escapes a text so that a regular expression (RE2, as Prometheus has it) means exactly it.
pub(crate) fn literally(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
