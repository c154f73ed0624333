//! How many requests a process sends to the API server of a cluster.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// How many requests a process sends to the API server, whatever they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a rest.
    pub burst: NonZeroU32,
    /// How many of those at once are kept for taking changes back. The others have at least one in any case.
    pub reserved: u32,
}

impl Default for RequestLimits {
    /// 100 per second and 200 at once, a fifth of them for taking changes back.
    fn default() -> Self {
        let limit = |limit| NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        Self { per_second: limit(100), burst: limit(200), reserved: 40 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KubernetesConfig;

    fn read(text: &str) -> Result<RequestLimits, String> {
        let config: Result<KubernetesConfig, _> = serde_json::from_str(text);
        config.map(|config| config.requests).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        assert_eq!(read("{}"), Ok(RequestLimits::default()));
        let few = RequestLimits { per_second: NonZeroU32::MIN, ..RequestLimits::default() };
        assert_eq!(read(r#"{"requests": {"per_second": 1}}"#), Ok(few));
    }

    #[test]
    fn limits_by_which_nothing_would_be_sent_are_refused() {
        for (text, expected) in [
            (r#"{"requests": {"per_second": 0}}"#, "a nonzero u32"),
            (r#"{"requests": {"burst": 0}}"#, "a nonzero u32"),
            (r#"{"requests": {"reserved": -1}}"#, "expected u32"),
            (r#"{"requests": {"rate": 5}}"#, "unknown field `rate`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
