//! JSON values as YAML that people can read: blocks, one entry a line, every text in double quotes or as it stands.

use serde_json::Value;

/// Writes a document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                indent(depth, text);
                text.push_str(&scalar(&Value::from(key.as_str())));
                text.push(':');
                child(value, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(depth, text);
                text.push('-');
                item_behind_dash(item, depth, text);
            }
        }
        other => {
            indent(depth, text);
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
}

/// Writes what stands behind a key: on the same line when it is short, else below.
fn child(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            text.push('\n');
            block(value, depth + 1, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(value, depth + 1, text);
        }
        Value::String(long) if is_block(long) => {
            text.push_str(" |-\n");
            for line in long.lines() {
                indent(depth + 1, text);
                text.push_str(line);
                text.push('\n');
            }
        }
        short => {
            text.push(' ');
            text.push_str(&scalar(short));
            text.push('\n');
        }
    }
}

/// A map begins on the line of its dash.
fn item_behind_dash(item: &Value, depth: usize, text: &mut String) {
    if !item.is_object() {
        return child(item, depth, text);
    }
    let mut inner = String::new();
    block(item, depth + 1, &mut inner);
    text.push(' ');
    text.push_str(inner.trim_start());
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A text of several lines, none of which begins with a blank or holds anything that must be escaped.
fn is_block(text: &str) -> bool {
    let plain =
        |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.contains(|c: char| c.is_control());
    text.contains('\n') && !text.ends_with('\n') && text.lines().all(plain)
}

/// Every JSON scalar is one of YAML. Keys and words that mean nothing else go without quotes.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(word) if is_word(word) => word.clone(),
        other => other.to_string(),
    }
}

fn is_word(text: &str) -> bool {
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.'))
        && !reserved.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_must_be_quoted_is() {
        let value = json!({
            "a": ["x", "two words", {"b": 1, "c": {}}, []],
            "no": "no", "n": null, "expr": "sum(x)\n> 0.5", "odd": "a\n b", "quote": "say \"{{ $value }}\": now",
        });
        assert_eq!(
            document(&value),
            "a:\n  - x\n  - \"two words\"\n  - b: 1\n    c: {}\n  - []\nexpr: |-\n  sum(x)\n  > 0.5\n\"n\": null\n\
             \"no\": \"no\"\nodd: \"a\\n b\"\nquote: \"say \\\"{{ $value }}\\\": now\"\n"
        );
    }
}
