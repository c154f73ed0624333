//! The contract of [`Silencer`].

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::model::{Period, RunId, Target, Timestamp};
use hotfix_core::port::{Silence, Silencer};

use super::expect::{equal, fails, holds, succeeds};
use super::report::{Outcome, Report};
use super::run_cases;

/// What the author of a silencer provides: usually the silencer and a service of its own to silence.
#[async_trait]
pub trait SilencerFixture: Send + Sync {
    /// Makes a silencer that silences nothing yet.
    async fn site(&self) -> SilencerSite;

    /// Returns when each silence about the target ends that lasts now, as the service itself tells.
    async fn lasting(&self, site: &SilencerSite, target: &Target) -> Vec<Timestamp>;
}

/// A silencer that is ready for one case.
#[derive(Debug, Clone)]
pub struct SilencerSite {
    /// The backend.
    pub silencer: Arc<dyn Silencer>,
    /// Another client of the same service, such as a process that took over.
    pub second: Arc<dyn Silencer>,
    /// What the backend's clock says, in whole seconds.
    pub now: Timestamp,
}

/// Runs every case.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn SilencerFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case and returns what came out.
pub async fn report(fixture: &dyn SilencerFixture) -> Report {
    let mut report = Report::new("silencer");
    run_cases!(report, fixture, [cases::{
        the_destination_is_stable_and_one_line,
        a_silence_lasts_until_its_end_at_the_latest,
        a_run_has_one_silence_however_often_it_asks,
        what_another_process_silenced_is_lifted,
        lifting_what_is_not_silent_is_fine,
        the_silence_of_another_run_stays,
        other_workloads_are_heard,
        a_silence_that_has_ended_is_refused,
    }]);
    report
}

/// The cases, one per sentence of the contract.
pub mod cases {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().expect("a target")
    }

    fn shop() -> Target {
        target("production/shop")
    }

    fn of(run: &str, site: &SilencerSite, period: Period) -> Silence {
        let run = RunId::new(run).expect("a valid id");
        Silence { run, target: shop(), until: site.now + period.to_delta() }
    }

    /// The name is the address in the outbox.
    pub async fn the_destination_is_stable_and_one_line(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        let name = site.silencer.destination().to_owned();
        holds(!name.is_empty() && !name.contains(char::is_control), &format!("{name:?} is one line"))?;
        equal("the name of another client", &site.second.destination(), &name.as_str())
    }

    /// It ends when it was said, should nobody lift it.
    pub async fn a_silence_lasts_until_its_end_at_the_latest(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        let silence = of("run-1", &site, Period::from_mins(30));
        succeeds("silence", site.silencer.silence(&silence).await)?;
        equal("what lasts", &fixture.lasting(&site, &shop()).await, &vec![silence.until])
    }

    /// The run is the key: a repeat, also by another process and with another end, changes nothing.
    pub async fn a_run_has_one_silence_however_often_it_asks(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        let silence = of("run-1", &site, Period::from_mins(30));
        let longer = of("run-1", &site, Period::from_mins(40));
        succeeds("silence", site.silencer.silence(&silence).await)?;
        succeeds("silence again", site.silencer.silence(&silence).await)?;
        succeeds("silence again", site.second.silence(&longer).await)?;
        equal("what lasts", &fixture.lasting(&site, &shop()).await, &vec![silence.until])
    }

    /// Nothing but the run is needed to lift its silence.
    pub async fn what_another_process_silenced_is_lifted(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        succeeds("silence", site.silencer.silence(&of("run-1", &site, Period::from_mins(30))).await)?;
        succeeds("lift", site.second.lift(&of("run-1", &site, Period::from_mins(60))).await)?;
        equal("what lasts", &fixture.lasting(&site, &shop()).await, &Vec::new())?;
        succeeds("silence anew", site.silencer.silence(&of("run-1", &site, Period::from_mins(20))).await)?;
        equal("how many last", &fixture.lasting(&site, &shop()).await.len(), &1)
    }

    /// Lifting is idempotent.
    pub async fn lifting_what_is_not_silent_is_fine(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        let silence = of("run-1", &site, Period::from_mins(30));
        succeeds("lift", site.silencer.lift(&silence).await)?;
        succeeds("silence", site.silencer.silence(&silence).await)?;
        succeeds("lift", site.silencer.lift(&silence).await)?;
        succeeds("lift again", site.silencer.lift(&silence).await)
    }

    /// Runs whose names begin alike are different runs.
    pub async fn the_silence_of_another_run_stays(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        let kept = of("run-12", &site, Period::from_mins(50));
        succeeds("silence", site.silencer.silence(&kept).await)?;
        succeeds("silence", site.silencer.silence(&of("run-1", &site, Period::from_mins(30))).await)?;
        equal("how many last", &fixture.lasting(&site, &shop()).await.len(), &2)?;
        succeeds("lift", site.silencer.lift(&of("run-1", &site, Period::from_mins(30))).await)?;
        equal("what lasts", &fixture.lasting(&site, &shop()).await, &vec![kept.until])
    }

    /// A silence is about its target only.
    pub async fn other_workloads_are_heard(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        succeeds("silence", site.silencer.silence(&of("run-1", &site, Period::from_mins(30))).await)?;
        for other in ["production/cart", "staging/shop"] {
            equal(other, &fixture.lasting(&site, &target(other)).await, &Vec::new())?;
        }
        Ok(())
    }

    /// What would silence nothing is an error of the caller.
    pub async fn a_silence_that_has_ended_is_refused(fixture: &dyn SilencerFixture) -> Outcome {
        let site = fixture.site().await;
        let ended = of("run-1", &site, Period::default());
        fails("silence", site.silencer.silence(&ended).await, ErrorKind::Invalid)
    }
}
