//! Text from outside inside a Markdown document: shown literally, pinging nobody, loading nothing.

/// Escapes foreign text for one line of Markdown.
///
/// Line breaks become blanks, control characters and bidirectional overrides vanish, everything that Markdown or HTML
/// would read as markup is escaped, and `@` and `#` are parted from what follows, so that a forge links nobody.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' | '#' => {
                out.push(c);
                out.push('\u{2060}');
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        for (text, shown) in [
            ("plain words", "plain words"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("[a](http://x)", "\\[a\\](http://x)"),
            ("@team #12", "@\u{2060}team #\u{2060}12"),
            ("a\n## b", "a #\u{2060}#\u{2060} b"),
            ("\u{202e}evil|`x`", "evil\\|\\`x\\`"),
        ] {
            assert_eq!(markdown(text), shown);
        }
    }
}
