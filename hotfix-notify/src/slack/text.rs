//! Text escaped for Slack.

use hotfix_http::Clean;
use serde::Serialize;

/// Text in which Slack finds no markup of the angle-bracket kind. Made from [`Clean`] only, cut before it is escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct SlackText(String);

impl SlackText {
    /// Escapes as much of the text as fits into the limit.
    pub(super) fn new(text: &Clean, limit: usize) -> Self {
        Self(escape(text.cut(limit, cost).as_str()))
    }

    /// Escapes the text and makes it bold, if it is one line without a character that formats.
    pub(super) fn bold(text: &Clean, limit: usize) -> Option<Self> {
        let text = Self::new(text, limit.saturating_sub(2));
        let plain = |c: char| !matches!(c, '*' | '_' | '~' | '`' | '\n');
        let fit = !text.0.is_empty() && text.0.chars().all(plain);
        fit.then(|| Self(format!("*{}*", text.0)))
    }

    /// Returns how much of a limit it takes.
    pub(super) fn cost(&self) -> usize {
        self.0.encode_utf16().count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns how much of a limit the text takes once it is escaped. Slack says "characters" and not which: UTF-16 units of
/// the escaped text are at least as many as any other count.
pub(super) fn cost(text: &str) -> usize {
    escape(text).encode_utf16().count()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescape(text: &str) -> String {
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }

    #[test]
    fn markup_becomes_words() {
        for (text, expected) in [
            ("<!channel> R&D", "&lt;!channel&gt; R&amp;D"),
            ("<@U123> <https://evil.example|click>", "&lt;@U123&gt; &lt;https://evil.example|click&gt;"),
            ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
            ("it's \"fine\"", "it's \"fine\""),
        ] {
            assert_eq!(SlackText::new(&Clean::line(text), 100).0, expected);
        }
    }

    #[test]
    fn a_cut_never_splits_an_entity() {
        let text = Clean::line("a<<<");
        let cut = |limit| SlackText::new(&text, limit).0;
        assert_eq!(cut(13), "a&lt;&lt;&lt;");
        assert_eq!(cut(12), "a&lt;&lt;…");
        assert_eq!(cut(9), "a&lt;…");
        assert_eq!(cut(5), "a…");
        assert_eq!(cut(1), "…");
    }

    #[test]
    fn only_harmless_labels_are_bold() {
        let bold = |text: &str| SlackText::bold(&Clean::line(text), 20).map(|text| text.0);
        assert_eq!(bold("Version & tag").as_deref(), Some("*Version &amp; tag*"));
        for text in ["a*b", "snake_case", "`x`", "~x~", ""] {
            assert_eq!(bold(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_comes_alive_and_nothing_is_lost(text in "(?s)(<!channel>|<@U1>|&|&lt;|[<>|^*_~`]|\\PC){0,40}", limit in 1_usize..80) {
            let clean = Clean::lines(&text);
            let escaped = SlackText::new(&clean, limit);
            prop_assert!(escaped.cost() <= limit);
            prop_assert!(!escaped.0.contains(['<', '>']));
            let ampersands = escaped.0.matches('&').count();
            let entities = ["&amp;", "&lt;", "&gt;"].map(|entity| escaped.0.matches(entity).count());
            prop_assert_eq!(ampersands, entities.iter().sum::<usize>());
            let cut = clean.cut(limit, cost);
            prop_assert_eq!(unescape(&escaped.0), cut.as_str());
        }
    }
}
