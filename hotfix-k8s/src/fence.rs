//! The fence of one object: an annotation that holds the highest stamp and the keys that were applied, compared by
//! the API server in the same step as the change.

use hotfix_core::model::{IdempotencyKey, Precondition, Stamp, Verb};
use hotfix_core::port::Call;
use json_patch::{AddOperation, PatchOperation, ReplaceOperation, TestOperation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::names;

/// How many applied keys an object remembers.
const REMEMBERED: usize = 16;

/// What the annotation holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// The highest stamp that this object accepted.
    #[serde(with = "stamp")]
    pub(crate) stamp: Stamp,
    /// The newest seal, for its repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<SealNote>,
    /// The newest keys, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) applied: Vec<Applied>,
}

/// A seal, and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealNote {
    #[serde(with = "stamp")]
    pub(crate) stamp: Stamp,
    #[serde(with = "stamp")]
    pub(crate) previous: Stamp,
}

/// A key that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applied {
    pub(crate) key: IdempotencyKey,
    /// Tells a repetition from another effect under the same key.
    pub(crate) digest: String,
    /// The newest stamp it came with.
    #[serde(with = "stamp")]
    pub(crate) stamp: Stamp,
    pub(crate) receipt: String,
}

impl Applied {
    /// What is recorded of a call whose verb was brought about.
    pub(crate) fn of(call: &Call, verb: &Verb, digest: &str) -> Self {
        let receipt = format!("{verb} at {}", call.stamp);
        Self { key: call.key.clone(), digest: digest.to_owned(), stamp: call.stamp, receipt }
    }
}

impl Note {
    /// Reads the annotation of an object: its text and what it says; `None` when there is none.
    pub(crate) fn read(object: &Value) -> Result<Option<(String, Self)>, String> {
        let Some(text) = object.pointer("/metadata/annotations").and_then(|all| all.get(names::FENCE)) else {
            return Ok(None);
        };
        let text = text.as_str().unwrap_or_default();
        match serde_json::from_str(text) {
            Ok(note) => Ok(Some((text.to_owned(), note))),
            Err(error) => Err(format!("its annotation {} is not readable: {error}", names::FENCE)),
        }
    }

    /// Returns the text of the annotation.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("a note has string keys only")
    }

    /// Returns the note with the stamp raised.
    pub(crate) fn raised(&self, stamp: Stamp) -> Self {
        Self { stamp, ..self.clone() }
    }

    /// Returns the note with a key recorded, the oldest forgotten.
    pub(crate) fn recorded(&self, applied: Applied) -> Self {
        let mut next = self.raised(applied.stamp);
        next.applied.retain(|old| old.key != applied.key);
        next.applied.push(applied);
        let surplus = next.applied.len().saturating_sub(REMEMBERED);
        next.applied.drain(..surplus);
        next
    }

    /// Returns the note after a seal.
    pub(crate) fn sealed(&self, seal: SealNote) -> Self {
        let mut next = self.raised(seal.stamp);
        next.sealed = Some(seal);
        next
    }
}

/// Returns the first operations of every patch: it is the object that was read and not one of the same name, its
/// fence says `text`, and then what `next` says.
pub(crate) fn guard(object: &Value, text: &str, next: &Note) -> Vec<PatchOperation> {
    let path = names::annotation(names::FENCE);
    vec![
        PatchOperation::Test(TestOperation { path: path.clone(), value: text.into() }),
        PatchOperation::Replace(ReplaceOperation { path, value: next.text().into() }),
        tested(object, "uid"),
    ]
}

/// Returns the patch that gives an object its first fence. It has no older text to compare with, so it holds for
/// exactly the version of the object that was read.
pub(crate) fn first(object: &Value, note: &Note) -> Vec<PatchOperation> {
    annotated(object, names::FENCE, note.text())
}

/// Returns the patch that gives exactly the version of an object that was read an annotation.
pub(crate) fn annotated(object: &Value, name: &str, text: String) -> Vec<PatchOperation> {
    let mut patch = vec![tested(object, "resourceVersion")];
    if object.pointer("/metadata/annotations").is_none() {
        let path = names::pointer(["metadata", "annotations"]);
        patch.push(PatchOperation::Add(AddOperation { path, value: Value::Object(serde_json::Map::new()) }));
    }
    patch.push(PatchOperation::Add(AddOperation { path: names::annotation(name), value: text.into() }));
    patch
}

pub(crate) fn tested(object: &Value, field: &str) -> PatchOperation {
    let value = object["metadata"][field].clone();
    PatchOperation::Test(TestOperation { path: names::pointer(["metadata", field]), value })
}

/// What the fence says to a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<'a> {
    /// It is new and above every stamp.
    Fresh,
    /// Its key was applied; the note at this index says so.
    Repeated(usize, &'a Applied),
    /// The target accepted this stamp, which is not below its own.
    Fenced(Stamp),
    /// The key names another effect.
    KeyReused,
}

/// Compares a call with the notes of all objects of a target.
pub(crate) fn admit<'a>(
    notes: &[&'a Note],
    key: &IdempotencyKey,
    digest: &str,
    stamp: Stamp,
) -> Admission<'a> {
    let current = highest(notes);
    match find(notes, key) {
        None if stamp > current => Admission::Fresh,
        None => Admission::Fenced(current),
        Some((_, applied)) if applied.digest != digest => Admission::KeyReused,
        // Its own stamp again is only good while nothing, not even a seal, came after it.
        Some((_, applied)) if stamp < current || (stamp == current && applied.stamp != current) => {
            Admission::Fenced(current)
        }
        Some((index, applied)) => Admission::Repeated(index, applied),
    }
}

/// Returns the highest stamp of a target.
pub(crate) fn highest(notes: &[&Note]) -> Stamp {
    notes.iter().map(|note| note.stamp).max().unwrap_or(Stamp::ZERO)
}

/// Finds a key in the notes of a target.
pub(crate) fn find<'a>(notes: &[&'a Note], key: &IdempotencyKey) -> Option<(usize, &'a Applied)> {
    let found = |(index, note): (usize, &&'a Note)| {
        let applied = note.applied.iter().find(|applied| applied.key == *key)?;
        Some((index, applied))
    };
    notes.iter().enumerate().filter_map(found).max_by_key(|(_, applied)| applied.stamp)
}

/// Names an effect by its content, briefly: it only tells two effects under one key apart.
pub(crate) fn digest(verb: &Verb, precondition: &Precondition) -> String {
    let content = serde_json::json!([verb, precondition]).to_string();
    hex(&Sha256::digest(content.as_bytes())[..8])
}

/// Prints bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Stamps as people read them: `7.3`.
pub(crate) mod stamp {
    use hotfix_core::model::Stamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(stamp: &Stamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(stamp)
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Stamp, D::Error> {
        let text = String::deserialize(from)?;
        let parts =
            text.split_once('.').and_then(|(epoch, seq)| Some((epoch.parse().ok()?, seq.parse().ok()?)));
        let (epoch, seq) =
            parts.ok_or_else(|| D::Error::custom(format!("{text:?} is no stamp such as 7.3")))?;
        Ok(Stamp::new(epoch, seq))
    }
}

#[cfg(test)]
#[path = "fence_tests.rs"]
mod tests;
