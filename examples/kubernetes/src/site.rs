//! A shop in a cluster of its own, with customers.

use std::collections::BTreeSet;
use std::sync::Arc;

use hotfix::execute::Outcome;
use hotfix::model::{IssueKey, ServiceName, Severity, SlotState, Target};
use hotfix::plan::Planned;
use hotfix::port::Deployer as _;
use hotfix::request::{Goal, Request, Revision, RollbackTo, Staging, Strategy};
use hotfix::{Engine, SystemClock};
use hotfix_examples::Failure;
use hotfix_examples::repository::Repository;
use hotfix_k8s::rights::{self, Feature};
use hotfix_k8s::{KubernetesConfig, KubernetesDeployer, TargetConfig};
use hotfix_testkit::cluster::{
    Behaviour, Gateway, Load, LoadPlan, LoadReport, NodeOptions, PodScrape, TestCluster, TestNamespace,
};
use hotfix_testkit::monitoring::RealPrometheus;
use k8s_openapi::api::rbac::v1::PolicyRule;
use tempfile::TempDir;

use crate::missing;
use crate::objects::{create, deployment, deployment_of, service};
use crate::pipeline;
use crate::routes::Routes;
use crate::show::say;
use crate::story::Story;
use crate::writes;

/// Requests of all customers in a second.
const CUSTOMERS: u32 = 80;

/// How many pods the shop has.
const REPLICAS: u16 = 3;

/// The user that the deployer is: it may do what its Role says and nothing else.
const USER: &str = "hotfix";

/// A shop with customers. Whatever it takes is gone when this is dropped.
#[derive(Debug)]
pub struct Site {
    engine: Engine,
    deployer: KubernetesDeployer,
    target: Target,
    load: Load,
    repository: Repository,
    /// How many writes were told.
    told: usize,
    _gateway: Gateway,
    _scrape: PodScrape,
    _prometheus: RealPrometheus,
    namespace: TestNamespace,
    cluster: TestCluster,
    _home: TempDir,
}

/// A fix to deploy.
#[derive(Debug, Clone, Copy)]
pub struct Fix {
    /// The release it is made on.
    pub base: &'static str,
    /// The version that its image calls itself.
    pub image: &'static str,
    /// How many requests in a hundred fail in it.
    pub fails: u8,
    /// How production is changed.
    pub strategy: Strategy,
}

impl Site {
    /// Opens the shop with release 2.1.0 on three pods, and lets hotfix adopt it.
    ///
    /// # Errors
    /// What did not work; without the programs that it takes, an error that [`play`](crate::play) knows.
    pub async fn open(routes: Routes) -> Result<Self, Failure> {
        let prometheus = missing::prometheus().await?;
        // Its own, whatever cluster the tests of this machine are led to, because no other runs these pods.
        let pods = NodeOptions { program: Some(std::env::current_exe()?), ..NodeOptions::default() };
        let cluster = TestCluster::start_with(pods).await?;
        say("a Kubernetes API server, its controllers and a node run");
        cluster.install_istio().await?;
        cluster.install_gateway_api().await?;
        let namespace = cluster.namespace("shop").await?;
        let (client, target) = (cluster.client()?, "production/shop".parse::<Target>()?);
        let image = cluster.image("demo/shop:2.1.0", &Behaviour::default())?;
        create(&client, &namespace, deployment(&image, REPLICAS)).await?;
        create(&client, &namespace, service("shop", "shop")).await?;
        for route in routes.objects() {
            create(&client, &namespace, route).await?;
        }

        let config = TargetConfig {
            namespace: namespace.to_string(),
            deployment: "shop".to_owned(),
            traffic: routes.traffic(),
            ..TargetConfig::default()
        };
        let user = cluster.user(&namespace, USER, &rules(&config.features())?).await?;
        let targets =
            KubernetesConfig { targets: [(target.clone(), config)].into(), ..KubernetesConfig::default() };
        let deployer = KubernetesDeployer::connect(targets, user, Arc::new(SystemClock))?;
        until_ready(&deployer, &target).await?;
        // To make the copy takes rights that no run takes: they are given back.
        let more = rules(&[Feature::Adoption].into())?;
        let grant = cluster.grant(&namespace, USER, "adoption", &more).await?;
        deployer.adopt(&target).await?;
        grant.revoke().await?;

        let home = tempfile::tempdir()?;
        let repository = Repository::create(home.path(), &[("shop.txt", "2.1.0\n")])?;
        let scrape = cluster.scrape_pods(&namespace, &prometheus);
        let engine = pipeline::engine(home.path(), deployer.clone(), &prometheus).await?;
        let gateway = Gateway::start(client, &namespace).await?;
        let plan = LoadPlan { per_second: CUSTOMERS, ..LoadPlan::to(gateway.address(), "shop") };
        let load = Load::start(plan);
        let mut site = Self {
            engine,
            deployer,
            target,
            load,
            repository,
            told: 0,
            _gateway: gateway,
            _scrape: scrape,
            _prometheus: prometheus,
            namespace,
            cluster,
            _home: home,
        };
        say(format_args!(
            "the shop is open: release 2.1.0 on {REPLICAS} pods, {CUSTOMERS} requests a second"
        ));
        say("what adopting it wrote:");
        site.tell_writes()?;
        Ok(site)
    }

    /// Deploys a fix and returns how that ended.
    ///
    /// # Errors
    /// What kept it from being planned or driven.
    pub async fn deploy(&mut self, fix: Fix) -> Result<Outcome, Failure> {
        let Fix { base, image, fails, strategy } = fix;
        let commit = self.repository.fix(base, &[("shop.txt", image)], "fix: charge the right card")?;
        let behaviour = Behaviour { error_percent: fails, ..Behaviour::default() };
        let image = self.cluster.image(&format!("demo/shop:{image}"), &behaviour)?;
        let goal = Goal::Deploy {
            fix: hotfix::request::Fix::Commits(vec![Revision::new(&commit)?]),
            from: None,
            image: Some(image),
            strategy: Some(strategy),
            staging: Staging::Skip,
        };
        self.drive(goal).await
    }

    /// Goes back to the last release that is known to be good.
    ///
    /// # Errors
    /// What kept it from being planned or driven.
    pub async fn roll_back(&mut self) -> Result<Outcome, Failure> {
        self.drive(Goal::rollback(self.target.clone(), RollbackTo::LastKnownGood)).await
    }

    async fn drive(&mut self, goal: Goal) -> Result<Outcome, Failure> {
        let request = Request {
            break_glass: Some("customers cannot pay".to_owned()),
            ..Request::new(
                IssueKey::new("PROD-2847")?,
                "Wrong card charged",
                Severity::P0,
                ServiceName::new("shop")?,
                "ada",
                goal,
            )
        };
        let plan = match self.engine.plan(&request).await? {
            Planned::Plan(plan) => plan,
            Planned::NothingToDo(why) => return Err(why.into()),
        };
        let before = self.load.report();
        let mut run = self.engine.start(*plan).await?;
        let mut story = Story::default();
        while let Some(progress) = run.next().await {
            story.tell(&progress?);
        }
        let outcome = run.outcome().await?;
        let after = self.load.report();
        say(format_args!(
            "of {} requests meanwhile {} failed",
            after.sent - before.sent,
            after.failed - before.failed
        ));
        say("what was written, by the API server's own log:");
        self.tell_writes()?;
        self.tell_state().await?;
        say(next(&outcome));
        Ok(outcome)
    }

    /// Prints what runs where now.
    async fn tell_state(&self) -> Result<(), Failure> {
        let workload = self.deployer.observe(&self.target).await?;
        say("what runs now:");
        for (slot, state) in &workload.slots {
            let deployment = deployment_of(slot);
            let share = workload.weights.as_ref().map_or(0, |weights| weights.of(slot));
            match state {
                Some(SlotState { release, replicas, ready, .. }) => say(format_args!(
                    "  deployment {deployment} ({slot}): {release}, {ready}/{replicas} pods healthy, {share} % of the \
                     traffic"
                )),
                None => say(format_args!("  deployment {deployment} ({slot}): no pods, no traffic")),
            }
        }
        Ok(())
    }

    /// Prints what the deployer wrote since the last time, by the API server's own log.
    fn tell_writes(&mut self) -> Result<(), Failure> {
        let user = format!("system:serviceaccount:{}:{USER}", &*self.namespace);
        let reads = BTreeSet::from(["get", "list", "watch"]);
        let log = self.cluster.audit_log()?;
        let writes = log.iter().filter(|event| event.user == user && !reads.contains(event.verb.as_str()));
        let writes: Vec<_> = writes.collect();
        for event in &writes[self.told..] {
            say(format_args!("  {}", writes::words(event)));
        }
        self.told = writes.len();
        Ok(())
    }

    /// Returns what the customers got so far.
    #[must_use]
    pub fn customers(&self) -> LoadReport {
        self.load.report()
    }

    /// Closes the shop and returns what its customers got.
    pub async fn close(self) -> LoadReport {
        self.load.stop().await
    }
}

/// Returns what is to be done after that.
fn next(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded { .. } => "what to do now: nothing",
        Outcome::RolledBack { .. } | Outcome::Cancelled { .. } => {
            "what to do now: customers have what they had before; mend the fix and deploy it anew"
        }
        Outcome::Escalated { .. } => {
            "what to do now: finish by hand what it says above; nothing changes until then"
        }
    }
}

async fn until_ready(deployer: &KubernetesDeployer, target: &Target) -> Result<(), Failure> {
    for _ in 0..400 {
        if deployer.observe(target).await.is_ok_and(|workload| workload.is_healthy()) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Err("the first release does not become ready".into())
}

/// The least rights for some features.
fn rules(features: &BTreeSet<Feature>) -> Result<Vec<PolicyRule>, Failure> {
    Ok(serde_json::from_value(serde_json::to_value(rights::rules(features))?)?)
}
