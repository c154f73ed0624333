//! Targets that come and go while Prometheus runs.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::prometheus::ScrapeTarget;

/// The files in the folder of a Prometheus in which it finds them.
pub(super) const FILES: &str = "discovered-*.json";

/// Targets of a running Prometheus that were not known when it started.
#[derive(Debug, Clone)]
pub struct Discovered {
    file: PathBuf,
}

impl Discovered {
    pub(super) fn of(folder: &Path, name: &str) -> Self {
        Self { file: folder.join(FILES.replace('*', name)) }
    }

    /// Lets Prometheus scrape these, and none of those that it was told of like this before under the same name. It takes
    /// up to five seconds until it does.
    ///
    /// # Errors
    /// When the Prometheus is gone.
    pub fn replace(&self, targets: &[ScrapeTarget]) -> io::Result<()> {
        let groups: Vec<Value> = targets.iter().map(ScrapeTarget::group).collect();
        let written = self.file.with_extension("new");
        std::fs::write(&written, Value::from(groups).to_string())?;
        // It is never seen half.
        std::fs::rename(written, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_under_one_name_leave_those_under_another_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = |address: &str| ScrapeTarget {
            address: address.parse().unwrap(),
            path: "/metrics".to_owned(),
            labels: [].into(),
        };
        let told = |name: &str| -> Value {
            let file = folder.path().join(format!("discovered-{name}.json"));
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
        };
        Discovered::of(folder.path(), "shop").replace(&[target("127.0.0.1:81")]).unwrap();
        Discovered::of(folder.path(), "cart").replace(&[target("127.0.0.1:82")]).unwrap();
        Discovered::of(folder.path(), "cart").replace(&[]).unwrap();
        assert_eq!(told("shop")[0]["targets"], json!(["127.0.0.1:81"]));
        assert_eq!(told("cart"), json!([]));
    }
}
