//! Restore: back to the snapshot from anywhere, whatever the state of the old side.

use hotfix_core::model::{Verb, VerbName, Weights};

use super::super::expect::{applied, equal, holds};
use super::super::report::Outcome;
use super::DeployerFixture;
use super::site::{Shape, Visit};

const VERBS: [VerbName; 4] = [VerbName::Stage, VerbName::Shift, VerbName::Promote, VerbName::Restore];

/// `restore` takes back a release that already has all the traffic but is not live.
pub async fn it_takes_a_half_done_change_back(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&VERBS)?;
    let (before, restore) = (visit.shape().await?, restore(&visit).await?);
    visit.move_to_next().await?;
    applied("restore", &visit.apply(restore).await)?;
    is_back(&visit, &before).await
}

/// `restore` takes back a release that was promoted, also after the old slot was retired.
pub async fn it_takes_a_promoted_release_back(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&VERBS)?;
    visit.needs(&[VerbName::Retire])?;
    let (before, restore) = (visit.shape().await?, restore(&visit).await?);
    visit.move_to_next().await?;
    applied("promote", &visit.apply(Verb::Promote { slot: visit.spare.clone() }).await)?;
    applied("retire", &visit.apply(Verb::Retire { slot: visit.live.clone() }).await)?;
    applied("restore", &visit.apply(restore).await)?;
    is_back(&visit, &before).await
}

/// `restore` is not refused because the old side has no ready instance: it starts it anew.
pub async fn a_dead_baseline_does_not_block_it(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&VERBS)?;
    let (before, restore) = (visit.shape().await?, restore(&visit).await?);
    visit.move_to_next().await?;
    fixture.fail(&visit.site, &visit.live).await;
    visit.until_ready(&visit.live, false).await?;
    applied("restore", &visit.apply(restore).await)?;
    is_back(&visit, &before).await
}

/// `restore` of what is there changes nothing.
pub async fn what_is_as_it_was_stays_so(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Restore])?;
    let (before, restore) = (visit.shape().await?, restore(&visit).await?);
    applied("restore", &visit.apply(restore.clone()).await)?;
    is_back(&visit, &before).await?;
    applied("restore again", &visit.apply(restore).await)?;
    is_back(&visit, &before).await
}

/// `restore` is accepted while the workload is paused.
pub async fn a_pause_does_not_block_it(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&VERBS)?;
    visit.needs(&[VerbName::Pause])?;
    let (before, restore) = (visit.shape().await?, restore(&visit).await?);
    visit.move_to_next().await?;
    applied("pause", &visit.apply(Verb::Pause).await)?;
    applied("restore", &visit.apply(restore).await)?;
    is_back(&visit, &before).await
}

async fn restore(visit: &Visit) -> Result<Verb, super::super::Unmet> {
    let snapshot = visit.snapshot().await?;
    Ok(Verb::Restore { snapshot })
}

/// The snapshot's release is live, ready and has all the traffic; the other slots are empty. Whether the workload is
/// paused is left as it is.
async fn is_back(visit: &Visit, before: &Shape) -> Outcome {
    visit.until_ready(&visit.live, true).await?;
    let (slots, live, weights, _) = visit.shape().await?;
    equal("what the slots hold", &slots, &before.0)?;
    equal("the live slot", &live, &before.1)?;
    equal("the weights", &weights, &Some(Weights::all(visit.live.clone())))?;
    let faults = visit.workload().await?.live_state().map(|held| held.faults.clone());
    holds(faults.is_some_and(|faults| faults.is_empty()), "the restored release has no faults")
}
