//! The weight rules, which a backend keeps by itself, however it is called.

use std::collections::BTreeSet;

use hotfix_core::model::{Layout, Verb, VerbName, Weights};
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
    offered(visit.capabilities().split == TrafficSplit::Percent, "a split by percent")?;
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
    offered(!visit.shares_instances(), "traffic that moves without its instances")?;
    visit.move_to_next().await?;
    equal("the weights", &visit.workload().await?.weights, &Some(Weights::all(visit.spare.clone())))?;
    let weights = Weights::all(visit.live.clone());
    applied("shift back", &visit.apply(Verb::Shift { weights: weights.clone() }).await)?;
    equal("the weights", &visit.workload().await?.weights, &Some(weights))
}

/// Where the slots share their instances, `stage` moves the traffic: a slot's share is that of its instances. The live
/// slot stays what it is, and keeps its release when it has no instance left.
pub async fn stage_moves_the_share_of_its_instances(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = sharing(fixture).await?;
    let (before, all) = (visit.shape().await?, visit.snapshot().await?.replicas);
    for replicas in BTreeSet::from([visit.size, all]) {
        let (slot, release) = (visit.spare.clone(), visit.site.next.clone());
        let mut expected = before.clone();
        expected.0.insert(slot.clone(), Some((release.clone(), replicas)));
        expected.2 = Some(Layout::shared(&visit.live, &slot, replicas, all));
        applied("stage", &visit.apply(Verb::Stage { slot, release, replicas }).await)?;
        visit.until_ready(&visit.spare.clone(), true).await?;
        equal("the workload", &visit.shape().await?, &expected)?;
    }
    let live = visit.live.clone();
    visit.until_ready(&live, false).await?;
    let (slot, release) = (visit.spare.clone(), visit.site.next.clone());
    let more = Verb::Stage { slot, release, replicas: all.saturating_add(1) };
    refused("stage of more instances than there are", &visit.apply(more).await)?;
    let (slot, release) = (visit.spare.clone(), visit.site.next.clone());
    let fewer = Verb::Stage { slot, release, replicas: ONE };
    refused("stage of fewer instances under traffic", &visit.apply(fewer).await)
}

/// Where the slots share their instances, `shift` is accepted for the split that they make, and for no other.
pub async fn shift_is_accepted_for_what_the_instances_give(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = sharing(fixture).await?;
    let all = visit.snapshot().await?.replicas;
    visit.stage_next().await?;
    let before = visit.shape().await?;
    let given = Layout::shared(&visit.live, &visit.spare, visit.size, all);
    applied("shift to what is given", &visit.apply(Verb::Shift { weights: given.clone() }).await)?;
    let others = [split(&visit, 10)?, Weights::all(visit.spare.clone()), Weights::all(visit.live.clone())];
    for other in others.into_iter().filter(|other| *other != given) {
        refused("shift to another split", &visit.apply(Verb::Shift { weights: other }).await)?;
    }
    equal("the workload", &visit.shape().await?, &before)
}

async fn sharing(fixture: &dyn DeployerFixture) -> Result<Visit, Unmet> {
    let visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    offered(visit.shares_instances(), "slots that share their instances")?;
    Ok(visit)
}

/// A backend that can only switch refuses a split.
pub async fn a_split_is_refused_where_traffic_only_switches(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift])?;
    offered(visit.capabilities().split == TrafficSplit::Switch, "traffic that only switches")?;
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
    let given = before.2.clone().filter(|_| visit.shares_instances());
    let weights = given.unwrap_or_else(|| Weights::all(visit.spare.clone()));
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
