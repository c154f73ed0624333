//! What an embedder can choose about a store.

use hotfix_core::ErrorKind;
use hotfix_core::model::Period;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// Options of a [`SqliteStore`](super::SqliteStore).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteOptions {
    /// How long a call waits for another process that is writing, before it answers `Unavailable`.
    pub busy_wait: Period,
    /// How many connections, each with a thread, serve reads: 1 to 64.
    pub readers: usize,
    /// How many writes may wait for the writer, 1 to 65536. Further callers wait until there is room.
    pub queue: usize,
    /// The largest size of the database file in bytes; a write beyond it answers `Full`. `None` leaves it to the disk.
    pub size_limit: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { busy_wait: Period::from_secs(5), readers: 2, queue: 1024, size_limit: None }
    }
}

impl SqliteOptions {
    pub(super) fn check(&self) -> Result<(), Failure> {
        let refuse = |option: &str, value: usize, allowed: &str| {
            let message = format!("option {option} is {value}: allowed are {allowed}");
            Err(Failure::new(ErrorKind::Invalid, message))
        };
        if !(1..=64).contains(&self.readers) {
            return refuse("readers", self.readers, "1 to 64");
        }
        if !(1..=65536).contains(&self.queue) {
            return refuse("queue", self.queue, "1 to 65536");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_option_is_refused_by_name() {
        let error = serde_json::from_str::<SqliteOptions>(r#"{"busy_wiat":"1s"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `busy_wiat`"), "{error}");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let options: SqliteOptions = serde_json::from_str(r#"{"busy_wait":"1s"}"#).unwrap();
        let expected = SqliteOptions { busy_wait: Period::from_secs(1), ..SqliteOptions::default() };
        assert_eq!(options, expected);
    }

    #[test]
    fn a_store_without_readers_is_refused() {
        let options = SqliteOptions { readers: 0, ..SqliteOptions::default() };
        let failure = options.check().unwrap_err();
        assert_eq!(
            failure.on("store.open").to_string(),
            "store.open: invalid: option readers is 0: allowed are 1 to 64"
        );
    }
}
