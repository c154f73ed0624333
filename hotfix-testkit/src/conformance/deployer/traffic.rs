//! The weight rules, which a backend keeps by itself, however it is called.

use hotfix_core::model::{Verb, VerbName, Weights};
use hotfix_core::port::TrafficSplit;

use super::super::expect::{applied, broken, equal, offered, refused};
use super::super::report::{Outcome, Unmet};
use super::DeployerFixture;
use super::site::{ONE, Visit};

fn split(visit: &Visit, percent: u8) -> Result<Weights, Unmet> {
    let weights = Weights::split(visit.live.clone(), visit.spare.clone(), percent);
    weights.map_err(|error| broken(error.to_string()))
}

/// `shift` splits the traffic in whole percents and can be repeated; the live slot stays the same.
pub async fn shift_splits_the_traffic(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    offered(visit.site.deployer.capabilities().split == TrafficSplit::Percent, "a split by percent")?;
    visit.stage_next().await?;
    for percent in [10, 55, 55, 0] {
        let weights = split(&visit, percent)?;
        applied("shift", &visit.apply(Verb::Shift { weights: weights.clone() }).await)?;
        let workload = visit.workload().await?;
        equal("the weights", &workload.weights, &Some(weights))?;
        equal("the live slot", &workload.live, &Some(visit.live.clone()))?;
    }
    Ok(())
}

/// `shift` moves all the traffic to another slot and back.
pub async fn shift_moves_all_the_traffic(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    visit.move_to_next().await?;
    equal("the weights", &visit.workload().await?.weights, &Some(Weights::all(visit.spare.clone())))?;
    let weights = Weights::all(visit.live.clone());
    applied("shift back", &visit.apply(Verb::Shift { weights: weights.clone() }).await)?;
    equal("the weights", &visit.workload().await?.weights, &Some(weights))
}

/// A backend that can only switch refuses a split.
pub async fn a_split_is_refused_where_traffic_only_switches(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    offered(visit.site.deployer.capabilities().split == TrafficSplit::Switch, "traffic that only switches")?;
    visit.stage_next().await?;
    let before = visit.shape().await?;
    let weights = split(&visit, 10)?;
    refused("a split", &visit.apply(Verb::Shift { weights }).await)?;
    equal("the workload", &visit.shape().await?, &before)
}

/// `shift` to an empty slot is refused.
pub async fn an_empty_slot_gets_no_traffic(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Shift])?;
    let before = visit.shape().await?;
    let weights = Weights::all(visit.spare.clone());
    refused("shift to an empty slot", &visit.apply(Verb::Shift { weights }).await)?;
    equal("the workload", &visit.shape().await?, &before)
}

/// `shift` to a slot whose instances are not ready is refused.
pub async fn a_slot_without_a_ready_instance_gets_no_traffic(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    let Some(release) = visit.site.never_ready.clone() else {
        return offered(false, "a release that never becomes ready (by the fixture)");
    };
    let verb = visit.stage(&release);
    applied("stage", &visit.apply(verb).await)?;
    let before = visit.shape().await?;
    let weights = Weights::all(visit.spare.clone());
    refused("shift to a slot without a ready instance", &visit.apply(Verb::Shift { weights }).await)?;
    equal("the workload", &visit.shape().await?, &before)
}

/// A slot that has traffic keeps its release: another cannot be staged over it.
pub async fn a_slot_with_traffic_keeps_its_release(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    visit.move_to_next().await?;
    let before = visit.shape().await?;
    let (slot, release) = (visit.spare.clone(), visit.site.live.clone());
    let verb = Verb::Stage { slot, release, replicas: ONE };
    refused("stage over a release that has traffic", &visit.apply(verb).await)?;
    equal("the workload", &visit.shape().await?, &before)
}
