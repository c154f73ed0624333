//! What is read stands where it says, and what is written changes nothing else.

use granit_parser::ScalarStyle;
use proptest::prelude::*;

use super::*;

/// Every scalar of the documents, keys left out.
fn scalars(nodes: &[Node]) -> Vec<&Scalar> {
    nodes.iter().flat_map(of_node).collect()
}

fn of_node(node: &Node) -> Vec<&Scalar> {
    match node {
        Node::Scalar(scalar) => vec![scalar],
        Node::Map(entries) => entries.iter().flat_map(|(_, node)| of_node(node)).collect(),
        Node::List(nodes) => scalars(nodes),
        Node::Alias => Vec::new(),
    }
}

#[test]
fn a_scalar_is_the_bytes_that_it_stands_in() {
    let text = "\u{feff}# ü\r\na: plain text  # why\r\nb: 'it''s'\nc: \"q\\u0041\" \nd: {e: f,g: [h , \"i\"]}\n---\nj: &k l\n";
    let documents = read(text).unwrap();
    let found = scalars(&documents);
    let texts: Vec<&str> = found.iter().map(|scalar| &text[scalar.bytes.clone()]).collect();
    assert_eq!(texts, ["plain text", "'it''s'", "\"q\\u0041\"", "f", "h", "\"i\"", "l"]);
    let values: Vec<&str> = found.iter().map(|scalar| scalar.value.as_str()).collect();
    assert_eq!(values, ["plain text", "it's", "qA", "f", "h", "i", "l"]);
    assert_eq!(documents.len(), 2);
}

#[test]
fn what_an_alias_stands_for_is_known() {
    let documents = read("a: &one x\nb: &two y\nc: *two\nd: *two\n").unwrap();
    let shared: Vec<bool> = scalars(&documents).iter().map(|scalar| scalar.is_shared).collect();
    assert_eq!(shared, [false, true]);
    assert_eq!(documents[0].get("c"), Some(&Node::Alias));
}

#[test]
fn what_is_no_yaml_is_said() {
    assert!(read("a: [b\n").is_err());
    assert!(read("a: *nowhere\n").is_err());
    assert_eq!(read(""), Ok(Vec::new()));
}

#[test]
fn a_value_keeps_its_quotes_and_stays_a_text() {
    let cases = [
        (ScalarStyle::Plain, "web:v2", "web:v2"),
        (ScalarStyle::Plain, "1.2.3", "1.2.3"),
        (ScalarStyle::Plain, "1.20", "\"1.20\""),
        (ScalarStyle::Plain, "17", "\"17\""),
        (ScalarStyle::Plain, "1e5", "\"1e5\""),
        (ScalarStyle::Plain, "on", "\"on\""),
        (ScalarStyle::Plain, "_x", "\"_x\""),
        (ScalarStyle::SingleQuoted, "17", "'17'"),
        (ScalarStyle::DoubleQuoted, "v2", "\"v2\""),
    ];
    for (style, value, written) in cases {
        assert_eq!(quoted(style, value), written, "{style:?} {value}");
    }
}

/// Lines that may stand around what is changed.
fn around() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "# [ -~\u{e4}\u{1f600}]{0,12}",
        "k[a-z]{1,4}: [a-z]{1,6}",
        "k[a-z]{1,4}: '[a-z #]{0,6}' # [a-z]{0,6}",
        "k[a-z]{1,4}: \\{x: \\[1, \"a: b\"\\]\\}",
        Just("k: |\n  newTag: v0\n  # no comment".to_owned()),
        Just(String::new()),
    ];
    let lines = prop::collection::vec(line, 0..6);
    (lines, prop::sample::select(vec!["\n", "\r\n"]))
        .prop_map(|(lines, end)| lines.into_iter().map(|line| line.replace('\n', end) + end).collect())
}

proptest! {
    #[test]
    fn only_the_bytes_of_the_scalar_change(
        before in around(),
        after in around(),
        old in "[a-z][a-z0-9.-]{0,8}",
        new in "[a-z0-9][a-z0-9.-]{0,8}",
        quotes in prop::sample::select(vec!["", "'", "\""]),
        tail in prop::sample::select(vec!["", "  # why", "\t"]),
    ) {
        let value = format!("{quotes}{old}{quotes}");
        let text = format!("{before}target: {value}{tail}\n{after}");
        let documents = read(&text).unwrap();
        let Some(Node::Scalar(scalar)) = documents[0].get("target") else { panic!("{text}") };
        let start = before.len() + "target: ".len();
        prop_assert_eq!(scalar.bytes.clone(), start..start + value.len());
        let changed = replaced(&text, &[(scalar, &new)]);
        prop_assert_eq!(&changed[..start], &text[..start]);
        prop_assert!(changed.ends_with(&text[start + value.len()..]));
        let documents = read(&changed).unwrap();
        let Some(Node::Scalar(scalar)) = documents[0].get("target") else { panic!("{changed}") };
        prop_assert_eq!(&scalar.value, &new);
        if !quotes.is_empty() || (is_plain(&old) && is_plain(&new)) {
            prop_assert_eq!(replaced(&changed, &[(scalar, &old)]), text);
        }
    }
}
