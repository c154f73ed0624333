//! A YAML file as a tree in which each scalar knows the bytes that it stands in.

use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Scalar(Scalar),
    /// Keys that are no scalars are left out: nothing here is found by them.
    Map(Vec<(Scalar, Self)>),
    List(Vec<Self>),
    /// Stands for another node.
    Alias,
}

/// A text in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) value: String,
    pub(crate) style: ScalarStyle,
    pub(crate) bytes: Range<usize>,
    /// Whether an alias stands for it somewhere.
    pub(crate) is_shared: bool,
}

/// Reads all documents of a file.
pub(crate) fn read(text: &str) -> Result<Vec<Node>, String> {
    let shared = shared(text)?;
    let mut reader = Reader { parser: Parser::new_from_str(text), shared };
    let mut documents = Vec::new();
    while let Some((event, bytes)) = reader.next()? {
        documents.extend(reader.node(event, bytes)?);
    }
    Ok(documents)
}

/// The anchors that aliases name.
fn shared(text: &str) -> Result<BTreeSet<usize>, String> {
    let mut shared = BTreeSet::new();
    for event in Parser::new_from_str(text) {
        if let (Event::Alias(anchor), _) = event.map_err(|error| error.to_string())? {
            shared.insert(anchor);
        }
    }
    Ok(shared)
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    shared: BTreeSet<usize>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Range<usize>)>, String> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok((event, span))) => {
                let bytes = span.byte_range().ok_or_else(|| "it has no positions".to_owned())?;
                Ok(Some((event, bytes)))
            }
        }
    }

    /// Reads the node that an event begins; `None` for one that begins none.
    fn node(&mut self, event: Event<'t>, bytes: Range<usize>) -> Result<Option<Node>, String> {
        Ok(Some(match event {
            Event::Scalar(value, style, anchor, _) => Node::Scalar(Scalar {
                value: value.into_owned(),
                style,
                bytes,
                is_shared: self.shared.contains(&anchor),
            }),
            Event::SequenceStart(..) => Node::List(self.nodes()?),
            Event::MappingStart(..) => {
                let mut nodes = self.nodes()?.into_iter();
                let mut entries = Vec::new();
                while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                    if let Node::Scalar(key) = key {
                        entries.push((key, value));
                    }
                }
                Node::Map(entries)
            }
            Event::Alias(_) => Node::Alias,
            _ => return Ok(None),
        }))
    }

    /// Reads the nodes up to the end of what they are in.
    fn nodes(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while let Some((event, bytes)) = self.next()? {
            if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
                return Ok(nodes);
            }
            nodes.extend(self.node(event, bytes)?);
        }
        Err("it ends in the middle".to_owned())
    }
}

impl Node {
    /// Returns the values of a key; more than one when it is there more than once.
    pub(crate) fn all(&self, key: &str) -> Vec<&Self> {
        let Self::Map(entries) = self else { return Vec::new() };
        entries.iter().filter(|(name, _)| name.value == key).map(|(_, value)| value).collect()
    }

    /// Returns the value of a key that is there once.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self.all(key).as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Returns the text of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Self::Scalar(scalar) => Some(&scalar.value),
            _ => None,
        }
    }

    /// Returns the entries of a list.
    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(nodes) => nodes,
            _ => &[],
        }
    }
}

/// Returns the text with other values in some of its scalars, each in the quotes that it had. Every other byte stays.
pub(crate) fn replaced(text: &str, changes: &[(&Scalar, &str)]) -> String {
    let mut changes: Vec<_> = changes.iter().filter(|(scalar, value)| scalar.value != *value).collect();
    changes.sort_by_key(|(scalar, _)| scalar.bytes.start);
    let (mut changed, mut at) = (String::with_capacity(text.len()), 0);
    for (scalar, value) in changes {
        changed.push_str(&text[at..scalar.bytes.start]);
        changed.push_str(&quoted(scalar.style, value));
        at = scalar.bytes.end;
    }
    changed.push_str(&text[at..]);
    changed
}

/// A value as it is written. Those of images have no character that would have to be escaped.
fn quoted(style: ScalarStyle, value: &str) -> String {
    match style {
        ScalarStyle::SingleQuoted => format!("'{value}'"),
        ScalarStyle::Plain if is_plain(value) => value.to_owned(),
        _ => format!("\"{value}\""),
    }
}

/// Whether every reader of YAML takes a value without quotes for a text.
fn is_plain(value: &str) -> bool {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let begins_a_word = value.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_version = value.split('.').filter(|part| !part.is_empty()).count() > 2;
    (begins_a_word || (value.starts_with(|c: char| c.is_ascii_digit()) && is_version))
        && !OTHERS.contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
