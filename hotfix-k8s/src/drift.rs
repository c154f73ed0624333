//! What a patch was planned for and is not there any more.

use hotfix_core::port::Conflict;
use json_patch::PatchOperation;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fence::hex;
use crate::object::ObjectRef;

/// Finds the first tested value that is not there any more.
pub(crate) fn drift(patch: &[PatchOperation], found: &Value) -> Option<Conflict> {
    let tests = patch.iter().filter_map(|operation| match operation {
        PatchOperation::Test(test) => Some(test),
        _ => None,
    });
    let moved = |path: &str| found.pointer(path).map_or_else(|| "nothing".to_owned(), brief);
    let mut failed = tests.filter(|test| found.pointer(test.path.as_str()) != Some(&test.value));
    let test = failed.next()?;
    let path = test.path.as_str();
    Some(Conflict::Drifted {
        expected: format!("{path} {}", brief(&test.value)),
        found: format!("{path} {}", moved(path)),
    })
}

/// Tells whether the object is another one than the patch was planned for, of the same name.
pub(crate) fn made_anew(object: &ObjectRef, patch: &[PatchOperation], found: &Value) -> Option<Conflict> {
    let uid = "/metadata/uid";
    let planned = patch.iter().find_map(|operation| match operation {
        PatchOperation::Test(test) if test.path.as_str() == uid => Some(&test.value),
        _ => None,
    })?;
    let found = found.pointer(uid).unwrap_or(&Value::Null);
    (planned != found).then(|| Conflict::Drifted {
        expected: format!("{object} with uid {}", brief(planned)),
        found: format!("one that was made anew, with uid {}", brief(found)),
    })
}

/// A value in so few words that it fits a line. What is in a template may be long and is nobody's business.
fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => hex(&Sha256::digest(value.to_string().as_bytes())[..6]),
        value => value.to_string(),
    }
}
