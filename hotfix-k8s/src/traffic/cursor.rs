//! A place in a JSON document that knows its pointer, so that whatever is not understood is named exactly.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::Value;

use super::NotUnderstood;
use crate::object::ObjectRef;

/// A value and where it is in its document.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    value: &'a Value,
    pointer: PointerBuf,
}

/// What is not understood, before it is known of which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) path: String,
    pub(super) reason: String,
}

impl Misfit {
    pub(super) fn of(self, object: ObjectRef) -> NotUnderstood {
        NotUnderstood { object: object.into(), path: self.path, reason: self.reason }
    }
}

impl<'a> At<'a> {
    /// The whole document.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, pointer: PointerBuf::new() }
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn pointer(&self) -> &PointerBuf {
        &self.pointer
    }

    pub(super) fn misfit(&self, reason: impl Into<String>) -> Misfit {
        Misfit { path: self.pointer.to_string(), reason: reason.into() }
    }

    /// The pointer of a field of this object, there or not.
    pub(super) fn pointer_to(&self, field: &str) -> PointerBuf {
        self.pointer.with_trailing_token(field)
    }

    /// A field of this object; a `null` is no field.
    pub(super) fn field(&self, name: &str) -> Result<Option<Self>, Misfit> {
        let Value::Object(fields) = self.value else {
            return Err(self.misfit(format!("{} is not an object", self.shown())));
        };
        let value = fields.get(name).filter(|value| !value.is_null());
        Ok(value.map(|value| Self { value, pointer: self.pointer_to(name) }))
    }

    /// A field that has to be there; `mend` says what to do when it is not.
    pub(super) fn need(&self, name: &str, mend: &str) -> Result<Self, Misfit> {
        self.field(name)?.ok_or_else(|| Misfit {
            path: self.pointer_to(name).to_string(),
            reason: format!("is not there; {mend}"),
        })
    }

    /// The elements of a list field; none when it is not there.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Self>, Misfit> {
        self.field(name)?.map_or_else(|| Ok(Vec::new()), |list| list.elements())
    }

    /// The elements of this list.
    pub(super) fn elements(&self) -> Result<Vec<Self>, Misfit> {
        let Value::Array(elements) = self.value else {
            return Err(self.misfit(format!("{} is not a list", self.shown())));
        };
        let at = |(index, value)| Self { value, pointer: self.pointer.with_trailing_token(index) };
        Ok(elements.iter().enumerate().map(at).collect())
    }

    /// A text field; nothing when it is not there.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Misfit> {
        let Some(field) = self.field(name)? else {
            return Ok(None);
        };
        match field.value {
            Value::String(text) => Ok(Some(text)),
            _ => Err(field.misfit(format!("{} is not a text", field.shown()))),
        }
    }

    /// A field with a whole number that is not negative; nothing when it is not there.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Misfit> {
        let Some(field) = self.field(name)? else {
            return Ok(None);
        };
        let count = field.value.as_u64();
        count
            .map(Some)
            .ok_or_else(|| field.misfit(format!("{} is not a whole number from 0 up", field.shown())))
    }

    /// The value if it is short, otherwise what kind of value it is.
    pub(super) fn shown(&self) -> String {
        match self.value {
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            Value::String(text) if text.chars().count() > 40 => "a long text".to_owned(),
            short => short.to_string(),
        }
    }
}

/// Asks that what is at the pointer still has the value that was read.
pub(super) fn test(path: PointerBuf, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Test(TestOperation { path, value: value.into() })
}

/// Puts another value where one is.
pub(super) fn replace(path: PointerBuf, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation { path, value: value.into() })
}

/// Puts a value where none is, or into a list before the element at that place.
pub(super) fn add(path: PointerBuf, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Add(AddOperation { path, value: value.into() })
}

/// Takes a value away.
pub(super) fn remove(path: PointerBuf) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path })
}

/// Puts before `changes` a test of the generation that was read: they name elements of lists by their place, so they
/// must not meet a list that somebody else has changed meanwhile. Metadata, such as the fence, can change.
pub(super) fn of_the_generation_read(object: &Value, changes: Vec<PatchOperation>) -> Vec<PatchOperation> {
    if changes.is_empty() {
        return changes;
    }
    let generation = object.pointer("/metadata/generation").filter(|value| value.is_u64());
    let guard =
        generation.map(|value| test(PointerBuf::from_tokens(["metadata", "generation"]), value.clone()));
    guard.into_iter().chain(changes).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_misfit_names_the_place_and_what_is_there() {
        let document = json!({"a/b": [{"weight": "ten", "name": 7}, 3]});
        let elements = At::root(&document).list("a/b").unwrap();
        let cases = [
            (
                elements[0].count("weight").unwrap_err(),
                "/a~1b/0/weight",
                r#""ten" is not a whole number from 0 up"#,
            ),
            (elements[0].text("name").unwrap_err(), "/a~1b/0/name", "7 is not a text"),
            (elements[1].field("x").unwrap_err(), "/a~1b/1", "3 is not an object"),
            (elements[0].elements().unwrap_err(), "/a~1b/0", "an object is not a list"),
            (elements[0].need("host", "name it").unwrap_err(), "/a~1b/0/host", "is not there; name it"),
        ];
        for (misfit, path, reason) in cases {
            assert_eq!(misfit, Misfit { path: path.to_owned(), reason: reason.to_owned() });
        }
        assert_eq!(elements[0].count("absent"), Ok(None));
    }

    #[test]
    fn a_patch_is_bound_to_the_generation_that_was_read() {
        let change = vec![replace(PointerBuf::from_tokens(["a"]), 1)];
        let operations = |object: &Value| of_the_generation_read(object, change.clone()).len();
        assert_eq!(operations(&json!({"metadata": {"generation": 3}})), 2);
        assert_eq!(operations(&json!({"metadata": {}})), 1);
        assert_eq!(of_the_generation_read(&json!({"metadata": {"generation": 3}}), Vec::new()), []);
    }
}
