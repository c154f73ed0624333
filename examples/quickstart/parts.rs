//! The three parts, one after the other, under steady traffic.

use std::time::Duration;

use futures_util::StreamExt as _;
use hotfix::Engine;
use hotfix::communicate::ProgressKind;
use hotfix::execute::Outcome;
use hotfix::model::RunId;
use hotfix::plan::{Plan, Planned};
use hotfix::port::RunFilter;
use tokio::process::Child;

use hotfix_examples::repository::Repository;

use crate::Failure;
use crate::cleanup::Cleanup;
use crate::display::{Display, PartReport, Summary};
use crate::home::{Home, Quiet, request};
use crate::repository;
use crate::traffic::Traffic;

/// What all parts share.
struct Stage {
    display: Display,
    home: Home,
    repository: Repository,
    engine: Engine,
    traffic: Traffic,
    failed_by_shift: u64,
}

/// Plays everything.
pub(crate) async fn run(display: Display) -> Result<(), Failure> {
    let home = Home::new(tempfile::Builder::new().prefix("hotfix-quickstart-").tempdir()?.keep());
    let _cleanup = Cleanup::of(home.path());
    display.headline("A shop with production tag v2.1.0, two processes behind a proxy, steady checkouts");
    let repository = repository::create(home.path())?;
    home.start_agent().await?;
    let address = home.install().await?;
    display.say(&format!(
        "  production listens on http://{address}\n  everything lives in {}",
        home.path().display()
    ));
    let engine = home.engine("quickstart", Quiet::No).await?;
    let traffic = Traffic::start(address);
    // The judge measures how bursty errors were before; give it a history.
    tokio::time::sleep(Duration::from_secs(2)).await;
    traffic.take();

    let mut stage = Stage { display, home, repository, engine, traffic, failed_by_shift: 0 };
    let bad = stage.bad().await?;
    let good = stage.good().await?;
    let killed = stage.killed().await?;
    let double_applies = stage.home.double_applies()?;
    let summary =
        Summary { good, bad, killed, failed_requests_by_shift: stage.failed_by_shift, double_applies };
    display.summary(&summary, &stage.home);
    match (bad, good, killed, summary.failed_requests_by_shift, double_applies) {
        ("rolled_back", "succeeded", "succeeded", 0, 0) => Ok(()),
        _ => Err("it did not end as it should; the journal says why".into()),
    }
}

impl Stage {
    async fn bad(&mut self) -> Result<&'static str, Failure> {
        self.display.headline("1. A bad fix: fine on staging, every fourth checkout fails");
        self.traffic.expect_errors_of("2.1.1-bad");
        let fix = repository::fix(&self.repository, "v2.1.0", "2.1.1-bad", 4, "fix: charge the right card")?;
        let plan = self.plan("PROD-2847", "Payments are charged to the wrong card", &fix).await?;
        self.drive("bad", plan).await
    }

    async fn good(&mut self) -> Result<&'static str, Failure> {
        self.display.headline("2. The right fix goes live through all steps and is merged back");
        let fix =
            repository::fix(&self.repository, "v2.1.0", "2.1.1", 0, "fix: charge the right card, really")?;
        let plan = self.plan("PROD-2847", "Payments are charged to the wrong card", &fix).await?;
        let outcome = self.drive("good", plan).await?;
        self.display.say(&format!("  on the remote now: {}", self.repository.remote_refs()?.join(", ")));
        Ok(outcome)
    }

    async fn killed(&mut self) -> Result<&'static str, Failure> {
        self.display.headline("3. The process that drives a third fix is killed in the middle of a shift");
        let fix = repository::fix(&self.repository, "v2.1.1", "2.1.2", 0, "fix: send receipts once")?;
        let started = elapsed();
        let mut first = self.process(&["drive"], Some(&fix))?;
        let run = self.wait_for_run(&mut first).await?;
        let mut second = None;
        let mut progress = self.engine.watch(&run, 0);
        let outcome = loop {
            tokio::select! {
                event = progress.next() => {
                    let event = event.ok_or("the run did not end")??;
                    self.display.progress(&event, &self.traffic);
                    if let ProgressKind::Ended(outcome) = event.kind {
                        break outcome;
                    }
                }
                status = first.wait(), if second.is_none() => {
                    self.display.say(&format!("  >>> its process ended ({}); a second one takes over", status?));
                    second = Some(self.process(&["resume"], None)?);
                }
            }
        };
        if let Some(mut second) = second {
            second.wait().await?;
        }
        self.finish("killed", &run, &outcome, elapsed() - started).await
    }

    async fn plan(&self, issue: &str, title: &str, fix: &str) -> Result<Plan, Failure> {
        match self.engine.plan(&request(issue, title, fix)?).await? {
            Planned::Plan(plan) => {
                self.display.plan(&plan);
                Ok(*plan)
            }
            Planned::NothingToDo(why) => Err(why.into()),
        }
    }

    /// Starts a plan in this process and follows it to its end.
    async fn drive(&mut self, part: &'static str, plan: Plan) -> Result<&'static str, Failure> {
        let started = elapsed();
        let mut handle = self.engine.start(plan).await?;
        let run = handle.run().clone();
        while let Some(event) = handle.next().await {
            self.display.progress(&event?, &self.traffic);
        }
        let outcome = handle.outcome().await?;
        self.finish(part, &run, &outcome, elapsed() - started).await
    }

    async fn finish(
        &mut self,
        part: &'static str,
        run: &RunId,
        outcome: &Outcome,
        took: Duration,
    ) -> Result<&'static str, Failure> {
        self.engine.flush().await;
        let postmortem = self.home.path().join(format!("postmortem-{part}.md"));
        std::fs::write(&postmortem, self.engine.postmortem(run).await?)?;
        let requests = self.traffic.take();
        self.failed_by_shift += requests.failed_by_shift;
        let ended = name(outcome);
        let report = PartReport {
            part,
            outcome: ended,
            because: because(outcome),
            run: run.to_string(),
            requests,
            seconds: took.as_secs_f64(),
            postmortem: &postmortem,
        };
        self.display.part(&report);
        Ok(ended)
    }

    /// Starts this program once more, in another role.
    fn process(&self, role: &[&str], fix: Option<&str>) -> Result<Child, Failure> {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.args(role).arg(self.home.path()).args(fix).kill_on_drop(true);
        Ok(command.spawn()?)
    }

    async fn wait_for_run(&self, driver: &mut Child) -> Result<RunId, Failure> {
        loop {
            if let Some(run) = self.engine.runs(RunFilter::Open).await?.into_iter().next() {
                return Ok(run.run);
            }
            if let Some(status) = driver.try_wait()? {
                return Err(format!("the driver ended too early: {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded { .. } => "succeeded",
        Outcome::RolledBack { .. } => "rolled_back",
        Outcome::Cancelled { .. } => "cancelled",
        Outcome::Escalated { .. } => "escalated",
    }
}

/// Says why a run ended as it did.
fn because(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { release: Some(release) } => {
            format!("{} {} ({release}) is live and proven", crate::home::SERVICE, release.version)
        }
        Outcome::Succeeded { release: None } => "everything was done".to_owned(),
        Outcome::RolledBack { cause, .. } | Outcome::Escalated { cause, .. } => cause.to_string(),
        Outcome::Cancelled { by, reason, .. } => format!("by {by}: {reason}"),
    }
}

/// Returns the time since some fixed moment.
fn elapsed() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<tokio::time::Instant> = OnceLock::new();
    START.get_or_init(tokio::time::Instant::now).elapsed()
}
