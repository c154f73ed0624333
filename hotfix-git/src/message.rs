//! Where the line `(cherry picked from commit …)` goes in a commit message, by git's own rules.

use git2::Oid;

const PICKED: &str = "(cherry picked from commit ";
const SIGNED_OFF: &str = "Signed-off-by: ";

/// Returns `message` with the line that names the picked commit: directly below the trailers when the message ends in
/// some, otherwise in a paragraph of its own. Excess blanks go, as they do in git.
#[must_use]
pub fn with_origin(message: &str, origin: Oid) -> String {
    let mut text = message.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if !ends_in_trailers(&text) {
        text.push('\n');
    }
    text.push_str(&format!("{PICKED}{origin})\n"));
    without_excess_space(&text)
}

/// Takes away blanks at the ends of lines, blank lines at the start, and all but one of several blank lines.
fn without_excess_space(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut blank_before = false;
    for line in text.lines().map(|line| line.trim_end_matches(|c: char| c.is_ascii_whitespace())) {
        if line.is_empty() {
            blank_before = !clean.is_empty();
            continue;
        }
        if std::mem::take(&mut blank_before) {
            clean.push('\n');
        }
        clean.push_str(line);
        clean.push('\n');
    }
    clean
}

/// Returns whether the last paragraph is a block of trailers. The first paragraph is the title and never is.
///
/// Git takes a paragraph for trailers when every line is one, or when it holds a line git itself writes (a sign-off, a
/// pick) and at least a quarter of its lines are trailers. Lines that start with a blank continue the line before;
/// comment lines do not count.
fn ends_in_trailers(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let end =
        lines.iter().rposition(|line| !is_blank(line) && !line.starts_with('#')).map_or(0, |last| last + 1);
    let body = lines.iter().position(|line| !line.starts_with('#') && is_blank(line)).unwrap_or(lines.len());
    let Some(start) = (body..end).rev().find(|at| is_blank(lines[*at]) && !lines[*at].starts_with('#'))
    else {
        return false;
    };
    Census::of(&lines[start + 1..end]).is_trailer_block()
}

#[derive(Default)]
struct Census {
    trailers: usize,
    others: usize,
    written_by_git: usize,
}

impl Census {
    /// Counts from the last line up, because a continuation belongs to the line above it.
    fn of(paragraph: &[&str]) -> Self {
        let mut census = Self::default();
        let mut continuations = 0;
        for line in paragraph.iter().rev() {
            if line.starts_with('#') {
                census.others += std::mem::take(&mut continuations);
            } else if line.starts_with(SIGNED_OFF) || line.starts_with(PICKED) {
                census.trailers += 1;
                census.written_by_git += 1;
                continuations = 0;
            } else if is_trailer(line) {
                census.trailers += 1;
                continuations = 0;
            } else if line.starts_with(|c: char| c.is_ascii_whitespace()) {
                continuations += 1;
            } else {
                census.others += 1 + std::mem::take(&mut continuations);
            }
        }
        census.others += continuations;
        census
    }

    fn is_trailer_block(&self) -> bool {
        if self.written_by_git > 0 {
            self.trailers * 3 >= self.others
        } else {
            self.trailers > 0 && self.others == 0
        }
    }
}

/// Returns whether the line reads `token: value`, where the token has letters, digits and hyphens and blanks may stand
/// before the colon.
fn is_trailer(line: &str) -> bool {
    let Some((token, _)) = line.split_once(':') else {
        return false;
    };
    let token = token.trim_end_matches([' ', '\t']);
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use git2::Oid;

    use super::with_origin;

    const ORIGIN: &str = "(cherry picked from commit 0123456789012345678901234567890123456789)\n";

    fn placed(message: &str) -> String {
        let origin = Oid::from_str("0123456789012345678901234567890123456789").unwrap();
        with_origin(message, origin).strip_suffix(ORIGIN).unwrap().to_owned()
    }

    #[test]
    fn a_plain_message_gets_a_paragraph_of_its_own() {
        assert_eq!(placed("fix the leak\n"), "fix the leak\n\n");
        assert_eq!(placed("fix the leak"), "fix the leak\n\n");
        assert_eq!(placed("fix: the leak\n"), "fix: the leak\n\n");
    }

    #[test]
    fn trailers_get_the_line_directly_below() {
        assert_eq!(placed("fix\n\nReviewed-by: A <a@x>\n"), "fix\n\nReviewed-by: A <a@x>\n");
        assert_eq!(placed("fix\n\ntext\nSigned-off-by: A <a@x>\n"), "fix\n\ntext\nSigned-off-by: A <a@x>\n");
        assert_eq!(placed("fix\n\ntext\nRef: 7\n"), "fix\n\ntext\nRef: 7\n\n");
    }
}
