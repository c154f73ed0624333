//! A canary behind a VirtualService that stands at its share and is judged, for as long as it takes.

use hotfix_benches::Failure;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::request::Strategy;
use hotfix_engine::RunHandle;
use hotfix_testkit::cluster::{Behaviour, TestCluster};

use super::argo::SHARE;
use super::deploy::{Deploying, deploy};
use super::seen::Seen;
use super::site::{Kind, Site, release, second_weight};

/// The canary, and who watches its weight.
pub(super) struct Standing {
    pub(super) site: Site,
    pub(super) split: Seen,
    pub(super) deploying: Deploying,
}

impl Standing {
    /// Brings a healthy release to its share of a site.
    pub(super) async fn on(cluster: &TestCluster, site: Site) -> Result<Self, Failure> {
        let mut split = Seen::follow(site.api(Kind::VirtualService), "shop");
        let next = release(cluster, 1, &Behaviour::default())?;
        let mut deploying = deploy(&site, &next, Strategy::Canary, |settings| {
            settings.rollout.canary_steps = vec![25, 100];
            let pace = &mut settings.judging.pace;
            (pace.quick_dwell, pace.min_dwell, pace.max_dwell, pace.alone_dwell) = (240, 240, 240, 240);
            pace.quiet_limit = 1_000;
        })
        .await?;
        split.until("the canary has its share", |split| second_weight(split) == Some(SHARE)).await?;
        until_judged(&mut deploying.run).await?;
        Ok(Self { site, split, deploying })
    }

    /// Waits until the canary has no traffic.
    pub(super) async fn left(&mut self) -> Result<(), Failure> {
        self.split.until("the canary has no traffic", |split| second_weight(split) == Some(0)).await
    }

    /// Waits until everything is taken back.
    pub(super) async fn rolled_back(self) -> Result<(), Failure> {
        match self.deploying.run.outcome().await? {
            Outcome::RolledBack { .. } => Ok(()),
            other => Err(Failure::new(format!("the canary ended as {other}"))),
        }
    }
}

/// Waits until the run stands at the gate behind the share, as the peer's rollout is waited for until it pauses: what
/// follows the write of a weight is at work for a while.
async fn until_judged(run: &mut RunHandle) -> Result<(), Failure> {
    while let Some(progress) = run.next().await {
        if let ProgressKind::Looked { .. } = progress?.kind {
            return Ok(());
        }
    }
    Err(Failure::new("the canary is not judged"))
}
