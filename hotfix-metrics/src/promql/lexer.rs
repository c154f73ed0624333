//! As much of PromQL's lexical structure as placeholders need: where strings begin and end, and what kind they are.

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Anything outside of strings and comments.
    Code(&'a str),
    /// A string with its quotes.
    Text {
        /// What it is between.
        quote: char,
        /// What is between the quotes, as written.
        inner: &'a str,
        /// What a matcher in front of it makes of it.
        pattern: Pattern,
    },
}

/// How a string is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// As it is.
    Exact,
    /// As a regular expression: it stands behind `=~` or `!~`.
    Regex,
}

/// Splits a query. Comments are left out, so that nothing in them is taken for a placeholder.
///
/// `Err` holds where a string begins that does not end.
pub(super) fn pieces(query: &str) -> Result<Vec<Piece<'_>>, usize> {
    let mut pieces = Vec::new();
    let mut rest = query;
    while let Some(at) = rest.find(['"', '\'', '`', '#']) {
        let (code, from) = rest.split_at(at);
        if !code.is_empty() {
            pieces.push(Piece::Code(code));
        }
        if from.starts_with('#') {
            rest = from.find('\n').map_or("", |end| &from[end..]);
            continue;
        }
        let quote = from.chars().next().unwrap_or('"');
        let inner = inside(from, quote).ok_or(query.len() - from.len())?;
        pieces.push(Piece::Text { quote, inner, pattern: pattern(code) });
        rest = &from[inner.len() + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Code(rest));
    }
    Ok(pieces)
}

/// Returns what is between the quotes; `text` begins with one.
fn inside(text: &str, quote: char) -> Option<&str> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some(&text[1..at]),
            '\\' if quote != '`' => drop(chars.next()?),
            '\n' if quote != '`' => return None,
            _ => {}
        }
    }
    None
}

fn pattern(code_before: &str) -> Pattern {
    let code = code_before.trim_end();
    if code.ends_with("=~") || code.ends_with("!~") { Pattern::Regex } else { Pattern::Exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_where_prometheus_ends_them() {
        let text = |quote, inner, pattern| Piece::Text { quote, inner, pattern };
        assert_eq!(
            pieces(r#"a{b="x\"y",c=~ 'it\'s',d!~`\`}"#).unwrap(),
            [
                Piece::Code("a{b="),
                text('"', r#"x\"y"#, Pattern::Exact),
                Piece::Code(",c=~ "),
                text('\'', r"it\'s", Pattern::Regex),
                Piece::Code(",d!~"),
                text('`', r"\", Pattern::Regex),
                Piece::Code("}"),
            ]
        );
    }

    #[test]
    fn comments_are_left_out_and_open_strings_refused() {
        assert_eq!(pieces("a # \"${x}\n+ b").unwrap(), [Piece::Code("a "), Piece::Code("\n+ b")]);
        assert_eq!(pieces("a{b=\"x"), Err(4));
        assert_eq!(pieces("a{b=\"x\n\"}"), Err(4));
        assert_eq!(pieces("a{b=\"x\\"), Err(4));
    }
}
