//! Matching a path against a pattern of `.gitattributes`.

/// Returns whether `pattern` matches `path`, both relative to the folder that holds the attributes file.
///
/// Without an inner slash the pattern is held against the last name of the path. A pattern that ends in a slash
/// matches nothing, as git has it for attributes.
pub(super) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    if pattern.ends_with(b"/") {
        return false;
    }
    if pattern.contains(&b'/') {
        return wild(pattern.strip_prefix(b"/").unwrap_or(pattern), path);
    }
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    wild(pattern, name)
}

fn wild(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => folders(rest, text),
        [b'/', b'*', b'*'] => text.len() > 1 && text[0] == b'/',
        [b'*', rest @ ..] => star(rest.trim_start_stars(), text),
        [b'?', rest @ ..] => text.split_first().is_some_and(|(byte, text)| *byte != b'/' && wild(rest, text)),
        [b'[', rest @ ..] => class(rest, text),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.split_first().is_some_and(|(byte, text)| byte == literal && wild(rest, text))
        }
    }
}

/// `**/`: nothing, or any number of folders.
fn folders(rest: &[u8], text: &[u8]) -> bool {
    wild(rest, text) || text.iter().enumerate().any(|(at, byte)| *byte == b'/' && wild(rest, &text[at + 1..]))
}

/// `*`: any bytes but slashes.
fn star(rest: &[u8], text: &[u8]) -> bool {
    let reach = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
    (0..=reach).any(|at| wild(rest, &text[at..]))
}

/// `[…]`: one byte out of a set.
fn class(pattern: &[u8], text: &[u8]) -> bool {
    let Some((&byte, text)) = text.split_first() else {
        return false;
    };
    let (negated, set) = match pattern {
        [b'!' | b'^', set @ ..] => (true, set),
        set => (false, set),
    };
    let Some(end) = set.iter().skip(1).position(|byte| *byte == b']').map(|at| at + 1) else {
        return false;
    };
    let found = in_set(&set[..end], byte);
    byte != b'/' && found != negated && wild(&set[end + 1..], text)
}

fn in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [low, b'-', high, rest @ ..] => (low..=high).contains(&&byte) || in_set(rest, byte),
        [one, rest @ ..] => *one == byte || in_set(rest, byte),
        [] => false,
    }
}

trait Stars {
    fn trim_start_stars(&self) -> &[u8];
}

impl Stars for [u8] {
    fn trim_start_stars(&self) -> &[u8] {
        let stars = self.iter().take_while(|byte| **byte == b'*').count();
        &self[stars..]
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_git() {
        let cases: &[(&str, &str, bool)] = &[
            ("*.lock", "a/b/Cargo.lock", true),
            ("*.lock", "Cargo.lock.bak", false),
            ("/Cargo.lock", "Cargo.lock", true),
            ("/Cargo.lock", "sub/Cargo.lock", false),
            ("docs/*.md", "docs/a.md", true),
            ("docs/*.md", "docs/deep/a.md", false),
            ("docs/**/*.md", "docs/a.md", true),
            ("docs/**/*.md", "docs/x/y/a.md", true),
            ("**/gen/*", "x/gen/a", true),
            ("gen/**", "gen/a/b", true),
            ("gen/**", "gen", false),
            ("gen/", "gen/a", false),
            ("file?.txt", "file1.txt", true),
            ("file[0-9].txt", "file7.txt", true),
            ("file[!0-9].txt", "file7.txt", false),
            ("file[]x].txt", "file].txt", true),
            (r"\*.txt", "*.txt", true),
            (r"\*.txt", "a.txt", false),
            ("*", "anything/at/all", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), *expected, "{pattern} against {path}");
        }
    }
}
