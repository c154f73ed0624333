//! Taking credentials out of what git prints.

/// Longer messages are cut: a server may send anything.
const LONGEST: usize = 2000;

/// Returns `text` without what looks like a secret, trimmed and cut.
pub(crate) fn redact(text: &str) -> String {
    hotfix_http::redact(text.trim()).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn credentials_are_taken_out_of_urls_and_messages() {
        let cases = [
            (
                "unable to access 'https://u:p4ss@host/x.git/'",
                "unable to access 'https://[redacted]@host/x.git/'",
            ),
            ("https://token@host https://a:b@c/d", "https://[redacted]@host https://[redacted]@c/d"),
            ("https://u:p@ss@host/x", "https://[redacted]@host/x"),
            ("see https://host/a@b and me@host", "see https://host/a@b and me@host"),
            ("git@host:x.git", "git@host:x.git"),
            ("remote: token=abc is not allowed to push", "remote: token=[redacted] is not allowed to push"),
        ];
        for (text, clean) in cases {
            assert_eq!(redact(text), clean);
        }
    }
}
