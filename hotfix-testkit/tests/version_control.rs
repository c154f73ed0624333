//! The reference version control keeps the contract of its port, and what only it offers to tests works.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::memory::MemoryVersionControl;
use hotfix_core::model::ObjectId;
use hotfix_core::port::VersionControl;
use hotfix_testkit::conformance::version_control::{self, History, Repository, VersionControlFixture};

/// Makes a memory repository, seen through a wrapper.
pub(crate) struct Fixture {
    pub(crate) wrap: fn(Arc<dyn VersionControl>) -> Arc<dyn VersionControl>,
}

#[async_trait]
impl VersionControlFixture for Fixture {
    async fn repository(&self, history: &History) -> Repository {
        let git = MemoryVersionControl::new();
        let mut commits: BTreeMap<&'static str, ObjectId> = BTreeMap::new();
        for script in history.commits {
            let parents: Vec<ObjectId> = script.parents.iter().map(|name| commits[name].clone()).collect();
            commits.insert(script.name, git.commit(&parents, script.changes, script.message));
        }
        for (name, commit) in history.branches {
            git.set_branch(&name.parse().unwrap(), Some(&commits[commit]));
        }
        for (name, commit) in history.tags {
            git.set_tag(&name.parse().unwrap(), &commits[commit]);
        }
        Repository { control: (self.wrap)(Arc::new(git)), commits }
    }
}

#[tokio::test]
async fn the_reference_version_control_keeps_every_case() {
    let report = version_control::report(&Fixture { wrap: |inner| inner }).await;
    report.assert_kept();
    assert_eq!(report.skipped(), [""; 0]);
}
