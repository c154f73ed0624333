//! Taking credentials out of what git prints.

/// Longer messages are cut: a server may send anything.
const LONGEST: usize = 2000;

/// Returns `text` without what stands between `://` and `@`, trimmed and cut.
pub(crate) fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let authority = after
            .find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"')
            .unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(end) => {
                clean.push_str("***");
                &after[end..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    clean.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn user_and_password_are_taken_out_of_urls() {
        let cases = [
            ("unable to access 'https://u:p4ss@host/x.git/'", "unable to access 'https://***@host/x.git/'"),
            ("https://token@host https://a:b@c/d", "https://***@host https://***@c/d"),
            ("https://u:p@ss@host/x", "https://***@host/x"),
            ("see https://host/a@b and me@host", "see https://host/a@b and me@host"),
            ("git@host:x.git", "git@host:x.git"),
        ];
        for (text, clean) in cases {
            assert_eq!(redact(text), clean);
        }
    }
}
