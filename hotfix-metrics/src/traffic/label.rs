//! Labels that depend on what is looked at: `destination_workload="${service}-${slot}"`.

use hotfix_core::model::{SlotName, Target};
use hotfix_http::ConfigError;

/// A label whose value names what is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: String,
    value: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Environment,
    Service,
    Slot,
}

impl Label {
    /// Takes a value apart. `slot` is allowed only where one slot is meant.
    pub(crate) fn new(field: &'static str, name: &str, value: &str, slot: Slot) -> Result<Self, ConfigError> {
        let invalid = |allowed: String| ConfigError::Invalid { field, allowed };
        if !is_label_name(name) {
            return Err(invalid(format!("{name:?} is no name of a label")));
        }
        let mut pieces = Vec::new();
        let mut rest = value;
        while let Some((before, behind)) = rest.split_once("${") {
            pieces.push(Piece::Text(before.to_owned()));
            let (word, after) = behind.split_once('}').unwrap_or((behind, ""));
            pieces.push(match (word, slot) {
                ("environment", _) => Piece::Environment,
                ("service", _) => Piece::Service,
                ("slot", Slot::One) => Piece::Slot,
                (_, Slot::One) => {
                    return Err(invalid(format!(
                        "there is no ${{{word}}}; there are environment, service, slot"
                    )));
                }
                (_, Slot::All) => {
                    return Err(invalid(format!("there is no ${{{word}}}; there are environment, service")));
                }
            });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        if matches!(slot, Slot::One) && !pieces.contains(&Piece::Slot) {
            return Err(invalid("must hold ${slot}, or the slots cannot be told apart".to_owned()));
        }
        Ok(Self { name: name.to_owned(), value: pieces })
    }

    /// Returns the value for a target, and for a slot where one is meant.
    pub(crate) fn of(&self, target: &Target, slot: Option<&SlotName>) -> String {
        let pieces = self.value.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Environment => target.environment.as_str(),
            Piece::Service => target.service.as_str(),
            Piece::Slot => slot.map_or("", SlotName::as_str),
        });
        pieces.collect()
    }
}

/// Whether a label is about one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    One,
    All,
}

pub(super) fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_names_what_is_looked_at() {
        let label = Label::new("f", "w", "x-${service}-${slot}.${environment}", Slot::One).unwrap();
        let (target, slot) = ("production/shop".parse().unwrap(), "blue".parse().unwrap());
        assert_eq!(label.of(&target, Some(&slot)), "x-shop-blue.production");
    }

    #[test]
    fn what_cannot_select_is_refused() {
        for (name, value, slot, message) in [
            ("a-b", "x", Slot::All, "f is not valid: \"a-b\" is no name of a label"),
            (
                "a",
                "${slot}",
                Slot::All,
                "f is not valid: there is no ${slot}; there are environment, service",
            ),
            (
                "a",
                "${sloth}",
                Slot::One,
                "f is not valid: there is no ${sloth}; there are environment, service, slot",
            ),
            (
                "a",
                "${service}",
                Slot::One,
                "f is not valid: must hold ${slot}, or the slots cannot be told apart",
            ),
        ] {
            assert_eq!(Label::new("f", name, value, slot).unwrap_err().to_string(), message);
        }
    }
}
