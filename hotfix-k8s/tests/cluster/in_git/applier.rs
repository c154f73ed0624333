//! A stand-in for Argo CD and Flux that works from a real repository: it applies what the head of the branch describes,
//! under their field manager, and takes back at once what somebody else changes of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::super::gitops_controller::Tool;
use super::super::rounds::{AtWork, Rounds};
use super::form::Form;

/// The annotation by which Argo CD is asked to look; it takes it away when it has.
const REFRESH: &str = "argocd.argoproj.io/refresh";
/// The one by which Flux is; it looks whenever there is another value.
const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";

pub(crate) struct Applier {
    pub(crate) owners: Api<DynamicObject>,
    is_deaf: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    _work: AtWork,
}

/// Where it looks and what it applies to.
pub(crate) struct From {
    pub(crate) repository: PathBuf,
    pub(crate) branch: &'static str,
    pub(crate) form: &'static Form,
    pub(crate) namespace: String,
    pub(crate) place: String,
}

impl Applier {
    /// Begins to apply, with an owner in the namespace `place`.
    pub(crate) async fn start(client: &Client, from: From) -> Self {
        let tool = from.form.tool;
        let [group, version, kind] = tool.kind();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let owners: Api<DynamicObject> = Api::namespaced_with(client.clone(), &from.place, &resource);
        let object = serde_json::from_value(tool.object()).expect("an object");
        owners.create(&PostParams::default(), &object).await.expect("created");
        let (is_deaf, asked) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let work = Work {
            deployments: Api::namespaced(client.clone(), &from.namespace),
            owners: owners.clone(),
            from,
            is_deaf: Arc::clone(&is_deaf),
            asked: Arc::clone(&asked),
        };
        Self { owners, is_deaf, asked, _work: AtWork::begin(work) }
    }

    /// From now on it applies nothing, or does so again.
    pub(crate) fn be_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// The words with which it was asked to look.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }

    pub(crate) async fn edit(&self, merge: &Value) {
        self.owners.patch("store", &PatchParams::default(), &Patch::Merge(merge)).await.expect("edited");
    }
}

struct Work {
    deployments: Api<Deployment>,
    owners: Api<DynamicObject>,
    from: From,
    is_deaf: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Rounds for Work {
    async fn round(&self) -> Option<()> {
        let owner = serde_json::to_value(self.owners.get("store").await.ok()?).ok()?;
        self.listen(&owner["metadata"]["annotations"]).await;
        let tool = self.from.form.tool;
        if self.is_deaf.load(Ordering::SeqCst) || !tool.is_on(&owner) {
            return Some(());
        }
        let wanted = self.manifest()?;
        let live = self.deployments.get_opt("shop").await.ok()?;
        let live = serde_json::to_value(live).ok()?;
        let same = ["/spec/template/spec/containers/0/image", "/spec/replicas"];
        if same.into_iter().any(|path| live.pointer(path) != wanted.pointer(path)) {
            let manager = match tool {
                Tool::ArgoCd => "argocd-controller",
                Tool::Kustomize => "kustomize-controller",
                Tool::Helm => "helm-controller",
            };
            let params = PatchParams::apply(manager).force();
            self.deployments.patch("shop", &params, &Patch::Apply(&wanted)).await.ok()?;
        }
        Some(())
    }
}

impl Work {
    /// Hears whether it is asked to look.
    async fn listen(&self, annotations: &Value) {
        if let Some(word) = annotations[REFRESH].as_str() {
            self.hear(word, |_| true);
            let looked = json!({"metadata": {"annotations": {REFRESH: null}}});
            let _again_next_time =
                self.owners.patch("store", &PatchParams::default(), &Patch::Merge(&looked)).await;
        }
        if let Some(word) = annotations[REQUESTED].as_str() {
            self.hear(word, |last| last != Some(word));
        }
    }

    fn hear(&self, word: &str, is_new: impl Fn(Option<&str>) -> bool) {
        let mut asked = self.asked.lock().expect("nobody panicked");
        if is_new(asked.last().map(String::as_str)) {
            asked.push(word.to_owned());
        }
    }

    /// The Deployment that git describes, with the marks of who applies it.
    fn manifest(&self) -> Option<Value> {
        let From { repository, branch, form, namespace, place } = &self.from;
        let mut deployment = (form.render)(&|file| super::repository::show(repository, branch, file))?;
        let metadata = &mut deployment["metadata"];
        if form.tool == Tool::ArgoCd {
            let id = format!("store:apps/Deployment:{namespace}/shop");
            metadata["annotations"]["argocd.argoproj.io/tracking-id"] = id.into();
        } else {
            for (name, value) in form.tool.labels(place).as_object()? {
                metadata["labels"][name] = value.clone();
            }
        }
        Some(deployment)
    }
}
