//! Text that may leave: no control characters, no overrides of the direction of writing, no known secret.
//!
//! The only way from a [`Part`] to a service is through [`Clean`], in this order: strip, redact, cut, and only then the
//! service's own escaping. Redacting after cutting would let half a secret out; cutting after escaping would split an
//! entity.

use std::borrow::Cow;

use hotfix_core::model::{Fact, Part};
use unicode_segmentation::UnicodeSegmentation;

use crate::redact::{REDACTED, redact};

const ELLIPSIS: &str = "…";
/// More than any service shows. Searching for secrets takes time in proportion to the text.
const BYTES_LIMIT: usize = 48 * 1024;

/// Text that may leave. Not yet escaped for any service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clean(String);

impl Clean {
    /// Cleans text of any origin, keeping its lines. Of a text of more than 48 KiB, the rest is left off.
    #[must_use]
    pub fn lines(text: &str) -> Self {
        let text = bounded(text).replace("\r\n", "\n");
        let stripped: String = text.chars().filter_map(kept).collect();
        Self(redact(stripped.trim_matches('\n').trim_end()))
    }

    /// Cleans text of any origin and puts it on one line.
    #[must_use]
    pub fn line(text: &str) -> Self {
        let words: Vec<_> = Self::lines(text).0.split_whitespace().map(ToOwned::to_owned).collect();
        Self(words.join(" "))
    }

    /// Cleans the parts, joined so that a secret which is spread over two of them is seen.
    #[must_use]
    pub fn of_parts(parts: &[Part]) -> Self {
        Self::lines(&joined(parts))
    }

    /// Cleans the parts and puts them on one line.
    #[must_use]
    pub fn line_of_parts(parts: &[Part]) -> Self {
        Self::line(&joined(parts))
    }

    /// Cleans label and value together, so that a value which its label calls a secret is seen.
    #[must_use]
    pub fn fact(fact: &Fact) -> (Self, Self) {
        let (label, value) = (Self::line(&fact.label), Self::line(&fact.value));
        let together = Self::line(&format!("{}: {}", label.0, value.0));
        if together.0.ends_with(&value.0) { (label, value) } else { (label, Self(REDACTED.to_owned())) }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text, or an ellipsis behind as much of it as fits, cut between graphemes. `cost` says how much of
    /// the limit a piece takes once it is escaped.
    #[must_use]
    pub fn cut(&self, limit: usize, cost: impl Fn(&str) -> usize) -> Self {
        if cost(&self.0) <= limit {
            return self.clone();
        }
        let Some(room) = limit.checked_sub(cost(ELLIPSIS)) else {
            return Self(String::new());
        };
        let kept = &self.0[..fitting(&self.0, room, cost)];
        Self(format!("{}{ELLIPSIS}", kept.trim_end()))
    }

    /// Splits the text into pieces that fit, at the end of a line where that wastes less than half of a piece. What
    /// follows a grapheme that does not fit at all is left off, behind an ellipsis.
    #[must_use]
    pub fn pieces(&self, limit: usize, cost: impl Fn(&str) -> usize) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let mut end = fitting(rest, limit, &cost);
            if end == 0 {
                pieces.push(Self(ELLIPSIS.to_owned()));
                break;
            }
            if end < rest.len()
                && let Some(line_end) = rest[..end].rfind('\n').filter(|at| *at >= end / 2)
            {
                end = line_end;
            }
            pieces.push(Self(rest[..end].trim_end().to_owned()));
            rest = rest[end..].trim_start_matches('\n');
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

fn joined(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Ours(text) | Part::Foreign(text) => text.as_str(),
        })
        .collect()
}

/// Returns as many whole words as are worth looking at: half of a secret would not be recognised.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= BYTES_LIMIT {
        return text.into();
    }
    let whole = |end: &usize| text.is_char_boundary(*end);
    let head = &text[..(0..=BYTES_LIMIT).rev().find(whole).unwrap_or(0)];
    let words = head.trim_end_matches(|c: char| !c.is_whitespace());
    format!("{words}{ELLIPSIS}").into()
}

/// Returns how many bytes of whole graphemes fit.
fn fitting(text: &str, limit: usize, cost: impl Fn(&str) -> usize) -> usize {
    let mut used = 0;
    text.graphemes(true)
        .take_while(|grapheme| {
            used += cost(grapheme);
            used <= limit
        })
        .map(str::len)
        .sum()
}

/// Returns what stays of a character: line ends and printable text do, what steers a terminal or hides text does not.
fn kept(c: char) -> Option<char> {
    match c {
        '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => Some('\n'),
        '\t' => Some(' '),
        // Direction: marks, embeddings, overrides, isolates.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        // Invisible: zero width (the joiners U+200C and U+200D belong to scripts and emoji), fillers, tags.
        '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' => None,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => None,
        c if c.is_control() => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_or_hides_is_stripped() {
        for (text, expected) in [
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("a\u{202e}cod.exe\u{2066}b", "acod.exeb"),
            ("pass\u{200b}word", "password"),
            ("x\u{9b}31m\u{7}\0", "x31m"),
            ("a\r\nb\rc\u{2028}d\te", "a\nbc\nd e"),
            ("\n\n  indented\n", "  indented"),
        ] {
            assert_eq!(Clean::lines(text).as_str(), expected, "{text:?}");
        }
        assert_eq!(Clean::line(" two\nlines\t here ").as_str(), "two lines here");
        assert_eq!(Clean::line("👩\u{200d}💻").as_str(), "👩\u{200d}💻");
    }

    #[test]
    fn a_secret_spread_over_two_parts_or_hidden_by_invisible_characters_is_found() {
        let parts = [Part::Ours("password=".into()), Part::Foreign("hunter2 gone".into())];
        assert_eq!(Clean::of_parts(&parts).as_str(), "password=[redacted] gone");
        assert_eq!(Clean::line("xo\u{200b}xb-12345678-abc").as_str(), "[redacted]");
    }

    #[test]
    fn a_value_that_its_label_calls_a_secret_is_redacted() {
        let clean = |label: &str, value: &str| {
            let (label, value) = (label.to_owned(), value.to_owned());
            let (label, value) = Clean::fact(&Fact { label, value });
            (label.0, value.0)
        };
        assert_eq!(clean("DB password", "hunter2"), ("DB password".into(), "[redacted]".into()));
        assert_eq!(clean("Verdict", "pass: 3 of 3"), ("Verdict".into(), "pass: 3 of 3".into()));
        assert_eq!(clean("", ""), (String::new(), String::new()));
    }

    #[test]
    fn an_endless_text_ends_between_words() {
        let clean = Clean::lines(&"xoxb-123456789012-canary ".repeat(3000));
        assert_eq!(clean.as_str().matches(REDACTED).count(), BYTES_LIMIT / 25);
        assert!(clean.as_str().ends_with("[redacted] …"), "{}", &clean.as_str()[clean.0.len() - 40..]);
        assert_eq!(Clean::line(&"a".repeat(100_000)).as_str(), "…");
    }

    #[test]
    fn a_cut_keeps_whole_graphemes_and_says_so() {
        let count = |text: &str| text.chars().count();
        let flags = Clean::line("🇩🇪🇫🇷🇮🇹");
        assert_eq!(flags.cut(6, count), flags);
        assert_eq!(flags.cut(5, count).as_str(), "🇩🇪🇫🇷…");
        assert_eq!(flags.cut(4, count).as_str(), "🇩🇪…");
        assert_eq!(flags.cut(1, count).as_str(), "…");
        assert_eq!(flags.cut(0, count).as_str(), "");
    }

    #[test]
    fn pieces_end_at_lines_where_that_is_cheap() {
        let texts = |text: &str, limit| {
            let pieces = Clean::lines(text).pieces(limit, str::len);
            pieces.into_iter().map(|piece| piece.0).collect::<Vec<_>>()
        };
        assert_eq!(texts("one\ntwo\nthree", 8), ["one\ntwo", "three"]);
        assert_eq!(texts("a\nlonglonglong", 8), ["a\nlonglo", "nglong"]);
        assert_eq!(texts("", 8), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn a_cut_fits_and_is_a_prefix(text in "(?s).{0,60}", limit in 0_usize..40) {
            let clean = Clean::lines(&text);
            let cut = clean.cut(limit, str::len);
            prop_assert!(cut.as_str().len() <= limit.max(clean.as_str().len().min(limit)));
            if cut != clean {
                let kept = cut.as_str().strip_suffix(ELLIPSIS).unwrap_or("");
                prop_assert!(clean.as_str().starts_with(kept));
            }
        }

        #[test]
        fn no_control_character_survives(text in "(?s).{0,60}") {
            let clean = Clean::lines(&text);
            prop_assert!(clean.as_str().chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert!(!Clean::line(&text).as_str().contains('\n'));
        }

        #[test]
        fn pieces_fit_and_lose_nothing_but_blanks(text in "(?s)[a-z\\n <&é]{0,120}", limit in 4_usize..30) {
            let clean = Clean::lines(&text);
            let pieces = clean.pieces(limit, str::len);
            prop_assert!(pieces.iter().all(|piece| (1..=limit).contains(&piece.as_str().len())));
            let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let all: String = pieces.iter().map(Clean::as_str).collect();
            prop_assert_eq!(solid(&all), solid(clean.as_str()));
        }
    }
}
