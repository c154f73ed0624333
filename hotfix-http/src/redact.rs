//! Takes secrets out of text by their shape, before the text leaves the process.
//!
//! A shape can be missed and a harmless word can be hit: this is the last net under text that should hold no secret
//! in the first place, such as a commit title or the answer of another system.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex_lite::Regex;

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// The shapes, with what stays of each. Later shapes see the text that earlier ones left.
const SHAPES: [(&str, &str); 11] = [
    // Private keys: the whole block, or what is there of it.
    (r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)", "[redacted]"),
    // The URL of a Slack webhook or workflow is its own credential.
    (r"(hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)[^\s|<>)\]\x22']+", "${1}[redacted]"),
    // Slack tokens.
    (r"\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{6,}", "[redacted]"),
    // GitHub and GitLab tokens.
    (r"\bgh[pousr]_[A-Za-z0-9]{16,}", "[redacted]"),
    (r"\b(?:github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})", "[redacted]"),
    // AWS access keys.
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "[redacted]"),
    // JSON web tokens.
    (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?", "[redacted]"),
    // Signatures that open a URL.
    (r"(?i)([?&](?:sig|signature|x-amz-signature)=)[^&\s|<>)\]\x22']+", "${1}[redacted]"),
    // User and password in a URL; `ssh://git@host` names an account, not a secret.
    (r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@:]*:[^/\s]*@", "${1}[redacted]@"),
    (r"(?i)\b(https?://)[^/\s@]+@", "${1}[redacted]@"),
    // What is called a secret by its name.
    (
        r#"(?ix)
        ( [a-z0-9_.-]* (?: password | passwd | pwd | secret | token | api[_-]?key | access[_-]?key | authorization )
          ["']? \s* [:=] \s* (?: (?: bearer | basic | bot ) \s+ )? )
        (?: "[^"\n]*" [^\s,;&]* | '[^'\n]*' [^\s,;&]* | [^\s,;&]+ )"#,
        "${1}[redacted]",
    ),
];

static COMPILED: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    SHAPES
        .iter()
        .map(|(shape, rest)| {
            let regex = Regex::new(shape).expect("the shapes are constants, and a test compiles them");
            (regex, *rest)
        })
        .collect()
});

/// Returns the text with every secret of a known shape replaced by [`REDACTED`].
///
/// Knows private keys (PEM), Slack tokens and webhook URLs, GitHub and GitLab tokens, AWS access keys, JSON web
/// tokens, URLs with a password or a signature, and values named `password`, `secret`, `token`, `api_key`,
/// `access_key` or `authorization`. Redacting twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut text = text.to_owned();
    for (shape, rest) in &*COMPILED {
        if let Cow::Owned(replaced) = shape.replace_all(&text, *rest) {
            text = replaced;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (text, expected) in [
            ("token xoxb-123456789012-abcDEF leaked", "token [redacted] leaked"),
            ("xoxe.xoxp-1-Mi0yLTEyMzQ1", "[redacted]"),
            ("xapp-1-A111-222-abcdef", "[redacted]"),
            (
                "see https://hooks.slack.com/services/T0/B0/abc|here",
                "see https://hooks.slack.com/services/[redacted]|here",
            ),
            ("ghp_0123456789abcdefABCDEF0123456789abcd", "[redacted]"),
            ("(ghs_0123456789abcdefABCD)", "([redacted])"),
            ("github_pat_11ABCDEFG0123456789_abcdef", "[redacted]"),
            ("glpat-0123456789abcdefABCD", "[redacted]"),
            ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb",
                "a\n[redacted]\nb",
            ),
            ("-----BEGIN PRIVATE KEY-----\ncut off", "[redacted]"),
            ("https://user:p@ss@git.example.com/x.git", "https://[redacted]@git.example.com/x.git"),
            ("https://ghtoken@git.example.com/x.git", "https://[redacted]@git.example.com/x.git"),
            ("postgres://app:secret@db/shop", "postgres://[redacted]@db/shop"),
            (
                "https://x.logic.azure.com/run?sp=1&sig=abc%2F",
                "https://x.logic.azure.com/run?sp=1&sig=[redacted]",
            ),
            ("DB_PASSWORD=hunter2 make", "DB_PASSWORD=[redacted] make"),
            ("password: \"two words\"; next", "password: [redacted]; next"),
            ("{\"api_key\": \"abc\", \"n\": 1}", "{\"api_key\": [redacted], \"n\": 1}"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("client_secret='s3'", "client_secret=[redacted]"),
            ("password=a\"b c", "password=[redacted] c"),
            ("password='a b'\"c\" d", "password=[redacted] d"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
        }
    }

    #[test]
    fn words_that_only_look_alike_stay() {
        for text in [
            "Fix the password reset page",
            "3 tokens: a, b, c",
            "ssh://git@git.example.com/x.git",
            "git@git.example.com:x.git",
            "https://example.com:8443/a@b",
            "ghost_town and xoxo- and eyJ",
            "AKIA is four letters",
            "v2.1.1-rc.1 sha256:0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(text in "(?s)([a-zA-Z]{0,8}|password=|token: |xoxb-abcdefgh|https://|u:p@|ghp_|[\"'&?. @:/=\\n]){0,24}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once.clone());
        }

        #[test]
        fn a_secret_is_found_wherever_it_stands(before in "\\PC{0,20}", after in "\\PC{0,20}") {
            for secret in ["xoxb-123456789012-canary", "ghp_canary0123456789canary0123456789", "AKIACANARYCANARYCANA"] {
                let text = redact(&format!("{before} {secret} {after}"));
                prop_assert!(!text.contains(secret), "{}", text);
            }
        }
    }
}
