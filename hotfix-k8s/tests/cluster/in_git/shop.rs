//! A shop whose Deployment a GitOps controller applies from a repository.

use std::num::NonZeroU16;
use std::sync::Arc;

use hotfix_core::memory::{MemoryStore, MemoryVersionControl};
use hotfix_core::model::{Artifact, Precondition, Release, SlotName, Target, Verb, Weights, WorkerName};
use hotfix_core::plan::{Plan, Planned};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{Deployer, Reply, VersionControl};
use hotfix_core::request::{Fix, Goal, Revision, Staging, Strategy};
use hotfix_engine::{Engine, EngineError, SystemClock};
use hotfix_k8s::rights::{self, ServiceAccount};
use hotfix_k8s::{InGit, KubernetesConfig, KubernetesDeployer, OnGitOps, TargetConfig};
use hotfix_testkit::cluster::{PodMetrics, TestCluster, TestNamespace};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::super::pods::{self, image, is_ready, runs};
use super::super::site::{call, release, service, slot, until};
use super::super::stage::{LOOK, repository, request};
use super::applier::{Applier, From};
use super::form::{Form, MANIFEST};
use super::repository::{BRANCH, Fleet};

/// How many pods the shop has.
pub(crate) const PODS: u16 = 2;
pub(crate) const FILE: &str = MANIFEST.file;

pub(crate) struct GitShop {
    pub(crate) cluster: &'static TestCluster,
    pub(crate) namespace: TestNamespace,
    pub(crate) client: Client,
    /// What leads the user with the least rights to the cluster.
    pub(crate) user: kube::Config,
    pub(crate) target: Target,
    pub(crate) fleet: Fleet,
    pub(crate) applier: Applier,
    pub(crate) deployer: KubernetesDeployer,
    form: &'static Form,
    config: TargetConfig,
    _place: TestNamespace,
    source: MemoryVersionControl,
    store: MemoryStore,
}

impl GitShop {
    /// Makes a shop whose first release is ready, and adopts it.
    pub(crate) async fn open() -> Self {
        Self::of(&MANIFEST).await
    }

    /// The same with the image in that form.
    pub(crate) async fn of(form: &'static Form) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_gitops().await.expect("kinds of GitOps");
        let namespace = cluster.namespace("git").await.expect("a namespace");
        let place = cluster.namespace("gitops").await.expect("a namespace");
        let client = cluster.client().expect("a client");
        let target: Target = "production/shop".parse().expect("a target");
        let config = config(&namespace, &place, form);
        let files = (form.files)(image(&release(cluster, 1)), PODS);
        let files = files.iter().map(|(path, text)| (*path, text.as_str())).chain([("README.md", "fleet\n")]);
        let fleet = Fleet::with(&files.collect::<Vec<_>>());
        let from = From {
            repository: fleet.path(),
            branch: BRANCH,
            form,
            namespace: namespace.name().to_owned(),
            place: place.name().to_owned(),
        };
        let applier = Applier::start(&client, from).await;
        let services: Api<Service> = Api::namespaced(client.clone(), &namespace);
        let of_shop = serde_json::from_value(service("shop")).expect("a service");
        services.create(&PostParams::default(), &of_shop).await.expect("created");
        let rules = serde_json::to_value(rights::rules(&config.features())).expect("JSON");
        let rules: Vec<_> = serde_json::from_value(rules).expect("rules");
        let user = cluster.user(&namespace, "hotfix", &rules).await.expect("a user");
        let deployer = deployer(&config, &target, user.clone(), fleet.clone_for("first"));
        let store = MemoryStore::new(Arc::new(SystemClock));
        let shop = Self {
            cluster,
            namespace,
            client,
            user,
            target,
            fleet,
            applier,
            deployer,
            form,
            config,
            _place: place,
            source: repository(),
            store,
        };
        shop.may_ask_owners().await;
        shop.until_running(&release(cluster, 1), PODS).await;
        shop.deployer.adopt(&shop.target).await.expect("adopted");
        shop
    }

    async fn may_ask_owners(&self) {
        let account =
            ServiceAccount { namespace: self.namespace.name().to_owned(), name: "hotfix".to_owned() };
        for (namespace, features) in self.config.owner_features() {
            for object in [
                rights::role(&namespace, "hotfix", &features),
                rights::role_binding(&namespace, "hotfix", &account),
            ] {
                let object: kube::core::DynamicObject = serde_json::from_value(object).expect("an object");
                let types = object.types.as_ref().expect("a kind");
                let kind = kube::core::GroupVersionKind::try_from(types).expect("a kind");
                let resource = kube::core::ApiResource::from_gvk(&kind);
                let api: Api<kube::core::DynamicObject> =
                    Api::namespaced_with(self.client.clone(), &namespace, &resource);
                api.create(&PostParams::default(), &object).await.expect("created");
            }
        }
    }

    /// The file is as the team wrote it, with this release.
    pub(crate) fn file_names(&self, release: &Release) {
        let (file, text) = (self.form.files)(image(release), PODS).swap_remove(0);
        assert_eq!(self.fleet.show(file), text);
    }

    pub(crate) const fn config(&self) -> &TargetConfig {
        &self.config
    }

    /// A deployer as another process has it.
    pub(crate) fn deployer_with(
        &self,
        user: kube::Config,
        repository: Arc<dyn VersionControl>,
    ) -> KubernetesDeployer {
        deployer(&self.config, &self.target, user, repository)
    }

    /// Reads the Deployment as the server has it.
    pub(crate) async fn read(&self) -> Value {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        serde_json::to_value(deployments.get("shop").await.expect("it exists")).expect("JSON")
    }

    /// Changes the Deployment as somebody else would.
    pub(crate) async fn edit(&self, merge: &Value) {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        deployments.patch("shop", &PatchParams::default(), &Patch::Merge(merge)).await.expect("edited");
    }

    pub(crate) async fn pods(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        pods.list(&ListParams::default().labels("app=shop")).await.expect("a list").items
    }

    /// Waits until all pods run a release and are ready, and none runs another.
    pub(crate) async fn until_running(&self, release: &Release, pods: u16) {
        self.until_running_image(image(release), pods).await;
    }

    /// The same for an image.
    pub(crate) async fn until_running_image(&self, image: &str, pods: u16) {
        until("all pods run it", || async {
            let all = self.pods().await;
            let serves = |pod: &&Pod| runs(pod, image) && is_ready(pod);
            all.len() == usize::from(pods) && all.iter().filter(serves).count() == usize::from(pods)
        })
        .await;
    }

    /// Has the readiness probes of all pods fail that run what a slot holds.
    pub(crate) async fn fail(&self, name: &SlotName) {
        let workload = self.deployer.observe(&self.target).await.expect("a workload");
        let release = workload.slot(name).expect("it is held").release.clone();
        pods::fail(|| async {
            let all = self.pods().await;
            all.into_iter().filter(|pod| runs(pod, image(&release))).collect()
        })
        .await;
    }

    /// What a verb came to.
    pub(crate) async fn apply(&self, seq: u32, verb: &Verb) -> Reply {
        let call = call(&format!("k{seq}"), seq);
        self.deployer.apply(&call, &self.target, verb, &Precondition::default()).await
    }

    /// The same for one that is to be applied.
    pub(crate) async fn applied(&self, seq: u32, verb: &Verb) {
        let reply = self.apply(seq, verb).await;
        assert!(matches!(reply, Reply::Applied(_)), "{verb}: {reply:?}");
    }

    pub(crate) async fn until_ready(&self, name: &str) {
        let name = slot(name);
        until("the slot is ready", || async {
            let workload = self.deployer.observe(&self.target).await.expect("a workload");
            workload.slot(&name).is_some_and(|held| held.ready == held.replicas.get())
        })
        .await;
    }

    /// An engine with git and journal in memory, which others of the same shop share.
    pub(crate) fn engine(
        &self,
        worker: &str,
        deployer: impl Deployer + 'static,
        settings: Settings,
    ) -> Engine {
        // The pods of both slots have the same labels, and at all of the traffic only those of one are left.
        let slots = ["main", "hotfix"].map(|name| (slot(name), "app=shop".to_owned()));
        Engine::builder()
            .version_control(self.source.clone())
            .deployer(deployer)
            .metrics(PodMetrics::new(self.client.clone(), &self.namespace, LOOK, slots))
            .store(self.store.clone())
            .policy(Policy::new(settings).expect("a policy that makes sense"))
            .worker(WorkerName::new(worker).expect("a worker"))
            .build()
            .expect("a complete engine")
    }

    /// Plans a release that fixes 1.0.1.
    pub(crate) async fn plan(
        &self,
        engine: &Engine,
        fix: &Release,
        strategy: Option<Strategy>,
    ) -> Result<Plan, EngineError> {
        let base = self.source.resolve("v1.0.1").expect("the tag");
        let content = fix.version.to_string();
        let commit = self.source.commit(&[base], &[("app", Some(&content))], "fix: charge the right card");
        let Artifact::Image(image) = &fix.artifact else { unreachable!("it was pushed") };
        let goal = Goal::Deploy {
            fix: Fix::Commits(vec![Revision::new(commit.as_str())?]),
            from: None,
            image: Some(image.clone()),
            strategy,
            staging: Staging::Skip,
        };
        match engine.plan(&request(goal)).await? {
            Planned::Plan(plan) => Ok(*plan),
            other @ Planned::NothingToDo(_) => panic!("no plan: {other:?}"),
        }
    }
}

pub(crate) fn stage(release: &Release) -> Verb {
    let replicas = NonZeroU16::new(PODS).expect("some");
    Verb::Stage { slot: slot("hotfix"), release: release.clone(), replicas }
}

pub(crate) fn shift(to: &str) -> Verb {
    Verb::Shift { weights: Weights::all(slot(to)) }
}

fn deployer(
    config: &TargetConfig,
    target: &Target,
    user: kube::Config,
    repository: Arc<dyn VersionControl>,
) -> KubernetesDeployer {
    let config = KubernetesConfig {
        targets: [(target.clone(), config.clone())].into(),
        ..KubernetesConfig::default()
    };
    let deployer = KubernetesDeployer::connect(config, user, Arc::new(SystemClock));
    deployer.expect("a sound configuration").with_repository("fleet", repository)
}

fn config(namespace: &str, place: &str, form: &Form) -> TargetConfig {
    let git = json!({
        "owners": [form.tool.owner(place)], "repository": "fleet", "service": "production-shop",
        "branch": BRANCH, "file": form.file, "image": (form.image)(),
        "identity": {"name": "Hotfix", "email": "hotfix@example.test"},
    });
    let git: InGit = serde_json::from_value(git).expect("a place in git");
    TargetConfig {
        namespace: namespace.to_owned(),
        deployment: "shop".to_owned(),
        on_gitops: OnGitOps::Git(Box::new(git)),
        ..TargetConfig::default()
    }
}

/// What the team wrote, with everything that a careless editor would lose.
pub(crate) fn manifest(image: &str, pods: u16) -> String {
    format!(
        "# The shop. Ask #checkout before you change it.
apiVersion: v1
kind: ConfigMap
metadata: {{name: shop}}
data:
  note: |
    image: shop/web:v0   # not this one
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {{app: shop}}
spec:
  replicas: {pods}  # enough
  selector:
    matchLabels: &labels {{app: shop}}
  template:
    metadata:
      labels: *labels
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: '{image}'   # set by the pipeline
          ports:
            - {{name: http, containerPort: 8080}}
          readinessProbe:
            httpGet: {{path: /healthz, port: http}}
            periodSeconds: 1
            failureThreshold: 1
"
    )
}
