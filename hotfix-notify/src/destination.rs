//! The name of a destination in the outbox.

use hotfix_http::{ConfigError, redact};

const NAMES: &str = "1 to 64 letters, digits and any of - _ .";

/// Builds a destination's name in the outbox.
pub(crate) fn destination(field: &'static str, kind: &str, name: &str) -> Result<String, ConfigError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) && redact(name) == name {
        return Ok(format!("{kind}:{name}"));
    }
    let allowed = format!("allowed are {NAMES}; it is shown to people and stored, so it holds no secret");
    Err(ConfigError::Invalid { field, allowed })
}
