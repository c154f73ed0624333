//! Operations that make a field of an object hold a value, each with a test of what was read.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::Value;

use crate::names::pointer;

/// Gives a field a value, or takes it away; nothing when it is so already.
pub(crate) fn set<const N: usize>(
    object: &Value,
    path: [&str; N],
    value: Option<Value>,
) -> Vec<PatchOperation> {
    set_at(object, pointer(path), value)
}

/// The same by a pointer.
pub(crate) fn set_at(object: &Value, path: PointerBuf, value: Option<Value>) -> Vec<PatchOperation> {
    let found = object.pointer(path.as_str()).cloned();
    match (found, value) {
        (found, value) if found == value => Vec::new(),
        (None, Some(value)) => vec![PatchOperation::Add(AddOperation { path, value })],
        (Some(found), Some(value)) => vec![
            PatchOperation::Test(TestOperation { path: path.clone(), value: found }),
            PatchOperation::Replace(ReplaceOperation { path, value }),
        ],
        (Some(found), None) => vec![
            PatchOperation::Test(TestOperation { path: path.clone(), value: found }),
            PatchOperation::Remove(RemoveOperation { path }),
        ],
        (None, None) => Vec::new(),
    }
}
