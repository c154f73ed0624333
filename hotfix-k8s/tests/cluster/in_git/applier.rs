//! A stand-in for Argo CD and Flux that works from a real repository: it applies the file at the head of the branch on the
//! server, under their field manager, and takes back at once what somebody else changes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::super::gitops_controller::Tool;

/// The annotation by which Argo CD is asked to look; it takes it away when it has.
const REFRESH: &str = "argocd.argoproj.io/refresh";

pub(crate) struct Applier {
    pub(crate) owners: Api<DynamicObject>,
    is_deaf: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    work: AbortHandle,
}

/// Where it looks and what it applies to.
pub(crate) struct From {
    pub(crate) repository: PathBuf,
    pub(crate) branch: &'static str,
    pub(crate) file: &'static str,
    pub(crate) namespace: String,
    pub(crate) place: String,
}

impl Applier {
    /// Begins to apply, with an Application of Argo CD in the namespace `place`.
    pub(crate) async fn start(client: &Client, from: From) -> Self {
        let [group, version, kind] = Tool::ArgoCd.kind();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let owners: Api<DynamicObject> = Api::namespaced_with(client.clone(), &from.place, &resource);
        let object = serde_json::from_value(Tool::ArgoCd.object()).expect("an object");
        owners.create(&PostParams::default(), &object).await.expect("created");
        let (is_deaf, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let work = Work {
            deployments: Api::namespaced(client.clone(), &from.namespace),
            owners: owners.clone(),
            from,
            is_deaf: Arc::clone(&is_deaf),
            asked: Arc::clone(&asked),
        };
        let work = tokio::spawn(work.go_on()).abort_handle();
        Self { owners, is_deaf, asked, work }
    }

    /// From now on it applies nothing, or does so again.
    pub(crate) fn be_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// How often it was asked to look.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) async fn edit(&self, merge: &Value) {
        self.owners.patch("store", &PatchParams::default(), &Patch::Merge(merge)).await.expect("edited");
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        self.work.abort();
    }
}

struct Work {
    deployments: Api<Deployment>,
    owners: Api<DynamicObject>,
    from: From,
    is_deaf: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Work {
    async fn go_on(self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            // The namespace goes at the end of the test.
            let Some(()) = self.once().await else { return };
        }
    }

    async fn once(&self) -> Option<()> {
        let owner = serde_json::to_value(self.owners.get("store").await.ok()?).ok()?;
        if owner["metadata"]["annotations"][REFRESH].is_string() {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let looked = json!({"metadata": {"annotations": {REFRESH: null}}});
            let _again_next_time =
                self.owners.patch("store", &PatchParams::default(), &Patch::Merge(&looked)).await;
        }
        if self.is_deaf.load(Ordering::SeqCst) || !Tool::ArgoCd.is_on(&owner) {
            return Some(());
        }
        let wanted = self.manifest()?;
        let live = self.deployments.get_opt("shop").await.ok()?;
        let live = serde_json::to_value(live).ok()?;
        let same = ["/spec/template/spec/containers/0/image", "/spec/replicas"];
        if same.into_iter().any(|path| live.pointer(path) != wanted.pointer(path)) {
            let params = PatchParams::apply("argocd-controller").force();
            self.deployments.patch("shop", &params, &Patch::Apply(&wanted)).await.ok()?;
        }
        Some(())
    }

    /// The Deployment that the file describes, with the mark that Argo CD leaves.
    fn manifest(&self) -> Option<Value> {
        let From { repository, branch, file, namespace, .. } = &self.from;
        let text = super::repository::show(repository, branch, file)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).ok()?;
        let mut deployment = documents.into_iter().find(|document| document["kind"] == "Deployment")?;
        let id = format!("store:apps/Deployment:{namespace}/shop");
        deployment["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = id.into();
        Some(deployment)
    }
}
