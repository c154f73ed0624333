//! A world in a namespace: repositories, v2.1.0 live in real pods, users, a journal, and a proxy in front of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hotfix_core::model::{ImageReference, Target, Workload};
use hotfix_core::port::Deployer as _;
use hotfix_engine::SystemClock;
use hotfix_k8s::KubernetesDeployer;
use hotfix_testkit::cluster::{
    Behaviour, FaultProxy, Gateway, Load, LoadPlan, LoadReport, TestCluster, TestNamespace,
};
use serde_json::Value;

use super::audit::{self, Evidence};
use super::claims::Claims;
use super::objects::Objects;
use super::way::{Depth, Way};
use crate::prove::audit::{Ending, Findings, Journal, check_references, references};
use crate::prove::driver::Backend;
use crate::prove::driver::cluster::{Destination, KUBECONFIG};
use crate::prove::program::processes_of;
use crate::prove::repository::{ORIGIN, Patch, Template, WORK};
use crate::prove::spots;
use crate::prove::world::{Home, Place, Request, Spot, World, eventually};
use crate::shop;

/// The service accounts of the drivers: that of a world, and that of others who know nothing of it.
const USERS: [&str; 2] = ["hotfix", "rival"];
/// Requests of all users in a second.
const PER_SECOND: u32 = 40;

/// What pods of the shop can run.
#[derive(Debug)]
pub(super) struct Images {
    baseline: ImageReference,
    patches: BTreeMap<String, ImageReference>,
}

/// What all worlds share.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) template: Template,
    /// The program that plays the parts.
    pub(super) program: PathBuf,
    /// Where the folders of the worlds are made.
    pub(super) folder: PathBuf,
    pub(super) cluster: &'static TestCluster,
    pub(super) images: Images,
    pub(super) way: &'static Way,
    pub(super) claims: Claims,
}

/// One world in a cluster.
#[derive(Debug)]
pub(super) struct Shop {
    home: Home,
    cluster: &'static TestCluster,
    proxy: FaultProxy,
    load: Load,
    _gateway: Gateway,
    objects: Objects,
    /// The objects before anybody deployed.
    before: Value,
    images: BTreeMap<String, ImageReference>,
    way: &'static Way,
    namespace: TestNamespace,
}

fn target() -> Result<Target, String> {
    "production/shop".parse().map_err(|error: hotfix_core::model::InvalidValue| error.to_string())
}

impl Images {
    /// Pushes what the shop runs at first, a fix that works and one that answers everybody with an error.
    pub(super) fn push(cluster: &TestCluster) -> Result<Self, String> {
        let push = |tag: &str, error_percent| {
            let tagged = format!("shop/web:{tag}");
            let behaviour = Behaviour { error_percent, ..Behaviour::default() };
            let image = cluster.image(&tagged, &behaviour).map_err(|error| error.to_string())?;
            ImageReference::new(&format!("{tagged}@{}", image.digest())).map_err(|error| error.to_string())
        };
        let patches = [(Patch::Good, push("2.1.1", 0)?), (Patch::Bad, push("2.1.1-bad", 100)?)];
        let patches = patches.map(|(patch, image)| (patch.name().to_owned(), image));
        Ok(Self { baseline: push("2.1.0", 0)?, patches: patches.into() })
    }
}

impl World for Shop {
    type Ground = Ground;

    const AT_ONCE: usize = 6;

    fn sample(ground: &Ground) -> usize {
        ground.way.depth.sample()
    }

    async fn open(ground: &Ground, name: &str) -> Result<Self, String> {
        let folder = ground.folder.join(ground.way.name).join(name);
        let home = Home::make(folder, &ground.program, Backend::Cluster)?;
        let furnished = Self::furnish(ground, home).await;
        furnished.map_err(|error| format!("the world of {name} cannot be built: {error}"))
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn keep(&mut self) -> PathBuf {
        if let Ok(log) = self.log() {
            let lines: String = log.iter().map(|event| format!("{event}\n")).collect();
            // Evidence that cannot be written is missed by who looks for it.
            let _ = std::fs::write(self.home.below("audit.log"), lines);
        }
        self.home.keep()
    }

    /// The effects on the workload; the others are those of every run, wherever it deploys to.
    fn spots(&self, patch: Patch) -> Result<Vec<Spot>, String> {
        let journal = Journal::read(&self.home.journal())?;
        let sent = self.with_evidence(&journal, audit::sent)?;
        let (depth, anchor) = (self.way.depth, self.way.anchor());
        let successors = depth.successors();
        let mut spots = if depth == Depth::Whole { spots::of_run(patch) } else { Vec::new() };
        spots.extend(spots::of_verdicts(&journal, patch));
        for (step, what) in spots::effects(&journal, patch) {
            let Some(stamp) = journal.first_stamp_of(step.0) else { continue };
            let own: Vec<_> = sent.iter().filter(|sent| sent.stamp == stamp).collect();
            let is_of_route = |sent: &&audit::Sent| sent.object == anchor && !sent.changes_only_the_fence;
            if own.is_empty() || (depth == Depth::Route && !own.iter().any(is_of_route)) {
                continue;
            }
            spots.extend(spots::of_effect(step.0, &what, successors));
            // Of several to one object the first is the one that is met.
            let objects: BTreeSet<&str> = own.iter().map(|sent| sent.object.as_str()).collect();
            let request =
                |object: &str| Request { step: step.0, stamp: audit::show(stamp), object: object.to_owned() };
            let places = objects.into_iter().map(request);
            let places = places.flat_map(|request| [Place::Held(request.clone()), Place::Cut(request)]);
            spots.extend(places.map(|place| Spot { what: what.clone(), place, successors }));
        }
        Ok(spots)
    }

    fn network(&self) -> Option<&FaultProxy> {
        Some(&self.proxy)
    }

    fn at_any_moment(&self, findings: &mut Findings) {
        let journal = Journal::read(&self.home.journal());
        let looked = journal
            .and_then(|journal| self.with_evidence(&journal, |evidence| audit::check(evidence, findings)));
        findings.check(looked.is_ok(), || looked.err().unwrap_or_default());
    }

    async fn at_the_end(&self, ending: Ending, findings: &mut Findings) {
        self.at_any_moment(findings);
        match Journal::read(&self.home.journal()) {
            Ok(journal) => journal.check_ended(ending, findings),
            Err(error) => findings.check(false, || error),
        }
        check_references(&self.home.below(ORIGIN), &self.home.below(WORK), ending, findings);
        self.check_settled(ending, findings).await;
        let left = processes_of(&self.home.folder);
        findings.check(left.is_empty(), || format!("these processes are left: {left:?}"));
    }

    fn fingerprint(&self) -> Result<String, String> {
        let journal = Journal::read(&self.home.journal())?;
        let changes = self.with_evidence(&journal, audit::count)?;
        let references = references(&self.home.below(ORIGIN), &self.home.below(WORK))?;
        Ok(format!("{}\n{changes} changes\n{references}", journal.sum()))
    }
}

impl Shop {
    /// Checks what is left in the cluster, and what its users saw.
    pub(super) async fn check_settled(&self, ending: Ending, findings: &mut Findings) {
        let good = self.images.get(Patch::Good.name()).map(ImageReference::as_str).unwrap_or_default();
        let wanted = match ending {
            Ending::Live => audit::Wanted { before: &self.before, image: Some(good) },
            Ending::Back | Ending::Nothing => audit::Wanted { before: &self.before, image: None },
        };
        match self.settled(wanted).await {
            Ok(objects) => {
                audit::check_objects(&objects, wanted, findings);
                match self.log() {
                    Ok(log) => audit::check_left(&log, self.way, &objects, findings),
                    Err(error) => findings.check(false, || error),
                }
            }
            Err(error) => findings.check(false, || error),
        }
        check_answers(&self.load.report(), findings);
    }

    async fn furnish(ground: &Ground, home: Home) -> Result<Self, String> {
        let Ground { cluster, way, images, .. } = ground;
        ground.template.copy_to(&home.folder)?;
        let text = |error: hotfix_benches::Failure| error.to_string();
        let io = |error: std::io::Error| error.to_string();
        let (namespace, client) =
            (cluster.namespace("kill").await.map_err(io)?, cluster.client().map_err(io)?);
        let target = target()?;
        let targets = way.targets(&namespace, target.clone());
        let rules = ground.claims.rules(cluster, way.config(&namespace), &target)?;
        let user = cluster.user(&namespace, USERS[0], &rules).await.map_err(io)?;
        let basics = [(way.workload)(&images.baseline, way.pods), shop::service("shop")];
        for object in basics.into_iter().chain((way.beside)()) {
            shop::create(&client, &namespace, object).await.map_err(text)?;
        }
        let deployer =
            KubernetesDeployer::connect(targets.clone(), user.clone(), std::sync::Arc::new(SystemClock));
        let deployer = deployer.map_err(|error| error.to_string())?;
        eventually("the first release is ready", async || {
            deployer
                .observe(&target)
                .await
                .is_ok_and(|workload: Workload| workload.is_healthy())
                .then_some(())
        })
        .await?;
        let grant = shop::may_adopt(cluster, &namespace, USERS[0]).await.map_err(text)?;
        deployer.adopt(&target).await.map_err(|error| error.to_string())?;
        grant.revoke().await.map_err(io)?;
        let proxy = FaultProxy::start(&user).await.map_err(io)?;
        cluster.write_kubeconfig(&proxy.through(&user), &home.below(KUBECONFIG)).map_err(io)?;
        let destination = Destination { targets, images: images.patches.clone(), strategy: way.strategy };
        destination.write(&home.folder)?;
        ground.claims.tell(&home)?;
        let objects = Objects::of(&client, &namespace, way);
        let before = objects.read().await?;
        let gateway = Gateway::start(client, &namespace).await.map_err(io)?;
        // Until then nobody could be served.
        gateway.has_endpoints("shop", usize::from(way.pods.get())).await;
        let plan =
            LoadPlan { per_second: PER_SECOND, connections: 2, ..LoadPlan::to(gateway.address(), "shop") };
        let (load, images) = (Load::start(plan), images.patches.clone());
        Ok(Self { home, cluster, proxy, load, _gateway: gateway, objects, before, images, way, namespace })
    }

    /// Makes a home for drivers that deploy to the same target with a journal and a repository of their own.
    pub(super) async fn rival(&self, ground: &Ground) -> Result<Home, String> {
        let folder = self.home.folder.with_extension("rival");
        let home = Home::make(folder, &ground.program, Backend::Cluster)?;
        ground.template.copy_to(&home.folder)?;
        let io = |error: std::io::Error| error.to_string();
        let config = self.way.config(&self.namespace);
        let rules = ground.claims.rules(self.cluster, config, &target()?)?;
        let user = self.cluster.user(&self.namespace, USERS[1], &rules).await.map_err(io)?;
        self.cluster.write_kubeconfig(&self.proxy.through(&user), &home.below(KUBECONFIG)).map_err(io)?;
        let targets = self.way.targets(&self.namespace, target()?);
        Destination { targets, images: self.images.clone(), strategy: self.way.strategy }
            .write(&home.folder)?;
        ground.claims.tell(&home)?;
        Ok(home)
    }

    /// The name of a user, as the server calls it.
    pub(super) fn user(&self, index: usize) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, USERS[index])
    }

    pub(super) const fn way(&self) -> &'static Way {
        self.way
    }

    pub(super) fn log(&self) -> Result<Vec<Value>, String> {
        let log = self.cluster.audit_log_of(&self.namespace).map_err(|error| error.to_string())?;
        Ok(log.into_iter().map(|event| event.raw).collect())
    }

    fn with_evidence<T>(
        &self,
        journal: &Journal,
        look: impl FnOnce(&Evidence<'_>) -> T,
    ) -> Result<T, String> {
        let log = self.log()?;
        let sides = [audit::Side { user: self.user(0), journal }];
        Ok(look(&Evidence { log: &log, sides: &sides, way: self.way }))
    }

    /// Waits until the controllers have done what the objects say, and returns the objects.
    async fn settled(&self, wanted: audit::Wanted<'_>) -> Result<Value, String> {
        let fine = async || {
            let objects = self.objects.read().await.ok()?;
            let mut findings = Findings::default();
            audit::check_objects(&objects, wanted, &mut findings);
            findings.violations.is_empty().then_some(objects)
        };
        match eventually("the objects are as they should be", fine).await {
            Ok(objects) => Ok(objects),
            Err(_) => self.objects.read().await,
        }
    }
}

/// No request of a user failed but those that the bad release answered itself.
fn check_answers(report: &LoadReport, findings: &mut Findings) {
    let bad = report.by_status.get(&500).copied().unwrap_or(0);
    findings.check(report.failed == bad && report.by_version.contains_key("2.1.0"), || format!("{report:?}"));
}
