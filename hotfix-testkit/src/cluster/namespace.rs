//! A namespace of a test's own.

use std::fmt;
use std::ops::Deref;
use std::sync::mpsc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::{Api, Client, Config};
use tokio::runtime::Handle;

/// The label of every namespace that a test made.
pub(super) const LABEL: &str = "hotfix.dev/test";

/// How long the end of a test waits until the server took the request to delete.
const FAREWELL: Duration = Duration::from_secs(5);

/// A namespace that is deleted, with everything in it, when this is dropped. Deleting it takes the server a while, and
/// nobody waits for that.
#[derive(Debug)]
pub struct TestNamespace {
    name: String,
    /// How long the audit log was before there was anything to say of it.
    pub(super) log_begins: u64,
    config: Config,
    worker: Handle,
}

impl TestNamespace {
    pub(super) async fn create(
        prefix: &str,
        log_begins: u64,
        config: Config,
        worker: Handle,
    ) -> Result<Self, kube::Error> {
        let namespaces: Api<Namespace> = Api::all(Client::try_from(config.clone())?);
        let metadata = ObjectMeta {
            generate_name: Some(format!("{prefix}-")),
            labels: Some([(LABEL.to_owned(), "true".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = namespaces.create(&PostParams::default(), &namespace).await?;
        let name = created.metadata.name.unwrap_or_default();
        Ok(Self { name, log_begins, config, worker })
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for TestNamespace {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for TestNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        let (name, config) = (self.name.clone(), self.config.clone());
        let (asked, answered) = mpsc::channel::<()>();
        self.worker.spawn(async move {
            let _hung_up_when_done = asked;
            let namespaces: Api<Namespace> = Api::all(Client::try_from(config)?);
            namespaces.delete(&name, &DeleteParams::default()).await.map(|_| ())
        });
        // Without this, the last test of a process would leave its namespace to a cluster that outlives it.
        let _answered = answered.recv_timeout(FAREWELL);
    }
}
