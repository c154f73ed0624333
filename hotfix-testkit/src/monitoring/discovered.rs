//! Targets that come and go while Prometheus runs.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::prometheus::ScrapeTarget;

/// The file in the folder of a Prometheus in which it finds them.
pub(super) const FILE: &str = "discovered.json";

/// The targets of a running Prometheus that were not known when it started.
#[derive(Debug, Clone)]
pub struct Discovered {
    folder: PathBuf,
}

impl Discovered {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Lets Prometheus scrape these, and none of those that it was told of like this before. It takes up to five seconds
    /// until it does.
    ///
    /// # Errors
    /// When the Prometheus is gone.
    pub fn replace(&self, targets: &[ScrapeTarget]) -> io::Result<()> {
        let groups: Vec<Value> = targets.iter().map(ScrapeTarget::group).collect();
        let written = self.folder.join("discovered.new");
        std::fs::write(&written, Value::from(groups).to_string())?;
        // It is never seen half.
        std::fs::rename(written, self.folder.join(FILE))
    }
}
