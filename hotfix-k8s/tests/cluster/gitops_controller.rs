//! A stand-in for Argo CD and Flux that is stricter than they are: it takes back at once whatever differs from git, as
//! long as its sync is on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hotfix_k8s::{SyncOwner, WorkloadKind};
use hotfix_testkit::cluster::TestNamespace;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Service;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::rounds::{AtWork, Rounds};
use super::site::until;

/// What the marks of each kind of owner look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    ArgoCd,
    Kustomize,
    Helm,
}

impl Tool {
    pub(crate) const ALL: [Self; 3] = [Self::ArgoCd, Self::Kustomize, Self::Helm];

    pub(crate) fn owner(self, namespace: &str) -> SyncOwner {
        let (namespace, name) = (namespace.to_owned(), "store".to_owned());
        match self {
            Self::ArgoCd => SyncOwner::ArgoCd { namespace, name },
            Self::Kustomize => SyncOwner::FluxKustomization { namespace, name },
            Self::Helm => SyncOwner::FluxHelmRelease { namespace, name },
        }
    }

    pub(crate) const fn kind(self) -> [&'static str; 3] {
        match self {
            Self::ArgoCd => ["argoproj.io", "v1alpha1", "Application"],
            Self::Kustomize => ["kustomize.toolkit.fluxcd.io", "v1", "Kustomization"],
            Self::Helm => ["helm.toolkit.fluxcd.io", "v2", "HelmRelease"],
        }
    }

    /// The labels that it leaves on what it applies.
    pub(crate) fn labels(self, namespace: &str) -> Value {
        match self {
            Self::ArgoCd => json!({"argocd.argoproj.io/instance": "store"}),
            Self::Kustomize => json!({
                "kustomize.toolkit.fluxcd.io/name": "store", "kustomize.toolkit.fluxcd.io/namespace": namespace,
            }),
            Self::Helm => json!({
                "helm.toolkit.fluxcd.io/name": "store", "helm.toolkit.fluxcd.io/namespace": namespace,
            }),
        }
    }

    /// The owner with its sync on.
    pub(crate) fn object(self) -> Value {
        let [group, version, kind] = self.kind();
        let spec = match self {
            Self::ArgoCd => json!({"project": "default", "syncPolicy": {
                "automated": {"prune": true, "selfHeal": true}, "retry": {"limit": 2}}}),
            Self::Kustomize => json!({"interval": "1m"}),
            Self::Helm => json!({"interval": "1m", "suspend": false}),
        };
        json!({
            "apiVersion": format!("{group}/{version}"), "kind": kind, "metadata": {"name": "store"}, "spec": spec,
        })
    }

    pub(crate) fn is_on(self, owner: &Value) -> bool {
        match self {
            Self::ArgoCd => owner["spec"]["syncPolicy"]["automated"].is_object(),
            Self::Kustomize | Self::Helm => owner["spec"]["suspend"] != true,
        }
    }
}

/// What git says of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Git {
    image: Value,
    replicas: Value,
    /// How pods are replaced: of kinds that are rolled in place.
    strategy: Value,
    selected: Value,
}

impl Git {
    async fn read(workloads: &Api<DynamicObject>, services: &Api<Service>) -> Option<Self> {
        let workload = serde_json::to_value(workloads.get("shop").await.ok()?).ok()?;
        let service = serde_json::to_value(services.get("shop").await.ok()?).ok()?;
        Some(Self {
            image: workload["spec"]["template"]["spec"]["containers"][0]["image"].clone(),
            replicas: workload["spec"]["replicas"].clone(),
            strategy: workload["spec"]["updateStrategy"].clone(),
            selected: service["spec"]["selector"]["app"].clone(),
        })
    }

    /// What makes a workload as git says.
    fn workload(&self) -> Value {
        let containers = json!([{"name": "web", "image": self.image}]);
        let mut spec = json!({"template": {"spec": {"containers": containers}}});
        for (field, value) in [("replicas", &self.replicas), ("updateStrategy", &self.strategy)] {
            if !value.is_null() {
                spec[field] = value.clone();
            }
        }
        json!({"spec": spec})
    }
}

pub(crate) struct Controller {
    pub(crate) tool: Tool,
    pub(crate) owners: Api<DynamicObject>,
    git: Arc<Mutex<Git>>,
    reverts: Arc<AtomicUsize>,
    _work: AtWork,
}

impl Controller {
    /// Takes the workload `shop` of that kind, and the Service before it, under control as they are.
    pub(crate) async fn start(
        tool: Tool,
        client: &Client,
        namespace: &str,
        workload: WorkloadKind,
        place: &TestNamespace,
    ) -> Self {
        let [group, version, kind] = tool.kind();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let owners: Api<DynamicObject> = Api::namespaced_with(client.clone(), place, &resource);
        let object = serde_json::from_value(tool.object()).expect("an object");
        owners.create(&PostParams::default(), &object).await.expect("created");
        let resource = match workload {
            WorkloadKind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            WorkloadKind::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
            _ => ApiResource::erase::<Deployment>(&()),
        };
        let workloads: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);
        let live = Git::read(&workloads, &services).await.expect("both are there");
        let (git, reverts) = (Arc::new(Mutex::new(live)), Arc::new(AtomicUsize::new(0)));
        let work = Work {
            tool,
            owners: owners.clone(),
            kind: resource.kind,
            workloads,
            services,
            git: Arc::clone(&git),
            reverts: Arc::clone(&reverts),
        };
        Self { tool, owners, git, reverts, _work: AtWork::begin(work) }
    }

    /// Commits an image to git.
    pub(crate) fn commit(&self, image: &str) {
        self.git.lock().expect("nobody panicked").image = image.into();
    }

    /// How often something was taken back.
    pub(crate) fn reverts(&self) -> usize {
        self.reverts.load(Ordering::SeqCst)
    }

    pub(crate) async fn owner(&self) -> Value {
        serde_json::to_value(self.owners.get("store").await.expect("it exists")).expect("JSON")
    }

    pub(crate) async fn is_on(&self) -> bool {
        self.tool.is_on(&self.owner().await)
    }

    /// The part that git says, as it was made.
    pub(crate) async fn is_as_made(&self) -> bool {
        self.owner().await["spec"] == self.tool.object()["spec"]
    }

    pub(crate) async fn edit(&self, merge: &Value) {
        let params = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        self.owners.patch("store", &params, &Patch::Merge(merge)).await.expect("edited");
    }

    /// Waits until something was taken back, which shows that it is at work.
    pub(crate) async fn until_reverted(&self) {
        until("it takes something back", || async { self.reverts() > 0 }).await;
    }
}

struct Work {
    tool: Tool,
    owners: Api<DynamicObject>,
    kind: String,
    workloads: Api<DynamicObject>,
    services: Api<Service>,
    git: Arc<Mutex<Git>>,
    reverts: Arc<AtomicUsize>,
}

impl Rounds for Work {
    async fn round(&self) -> Option<()> {
        let owner = self.owner().await?;
        let live = Git::read(&self.workloads, &self.services).await?;
        let git = self.git.lock().expect("nobody panicked").clone();
        if owner["metadata"]["annotations"]["argocd.argoproj.io/refresh"].is_string() {
            self.compare(live == git).await;
        }
        // An owner that was changed while the rest was read says nothing of what was read.
        if live != git && self.tool.is_on(&owner) && self.owner().await? == owner {
            self.reverts.fetch_add(1, Ordering::SeqCst);
            let manager =
                PatchParams { field_manager: Some("controller".to_owned()), ..PatchParams::default() };
            let service = json!({"spec": {"selector": {"app": git.selected}}});
            self.workloads.patch("shop", &manager, &Patch::Strategic(git.workload())).await.ok()?;
            self.services.patch("shop", &manager, &Patch::Strategic(service)).await.ok()?;
        }
        Some(())
    }
}

impl Work {
    async fn owner(&self) -> Option<Value> {
        serde_json::to_value(self.owners.get("store").await.ok()?).ok()
    }

    /// What Argo CD does when it is asked to compare.
    async fn compare(&self, is_same: bool) {
        let status = if is_same { "Synced" } else { "OutOfSync" };
        let namespace = self.workloads.namespace();
        let merge = json!({
            "metadata": {"annotations": {"argocd.argoproj.io/refresh": null}},
            "status": {"resources": [{
                "group": "apps", "version": "v1", "kind": self.kind, "namespace": namespace, "name": "shop",
                "status": status,
            }]},
        });
        let _again_next_time =
            self.owners.patch("store", &PatchParams::default(), &Patch::Merge(&merge)).await;
    }
}
