//! Stage, promote, retire, pause and resume, each an "ensure", each with what it refuses.

use hotfix_core::model::{Precondition, Rollout, SlotName, Verb, VerbName, Weights};

use super::super::expect::{applied, equal, holds, offered, refused};
use super::super::report::Outcome;
use super::DeployerFixture;
use super::observe::unknown;
use super::site::{ONE, Visit};

/// `stage` fills a slot, and the traffic stays where it is, unless the slots share their instances.
pub async fn stage_fills_a_slot_and_sends_no_traffic(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    offered(!visit.shares_instances(), "slots with instances of their own")?;
    let mut expected = visit.shape().await?;
    expected.0.insert(visit.spare.clone(), Some((visit.site.next.clone(), ONE)));
    visit.stage_next().await?;
    equal("the workload", &visit.shape().await?, &expected)
}

/// `stage` of the release that a slot holds changes nothing, live or not.
pub async fn stage_of_what_is_there_changes_nothing(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    visit.stage_next().await?;
    let before = visit.shape().await?;
    let again = visit.stage(&visit.site.next.clone());
    applied("the same stage with another key", &visit.apply(again).await)?;
    let snapshot = visit.snapshot().await?;
    let (slot, release, replicas) = (snapshot.slot, snapshot.release, snapshot.replicas);
    let live = Verb::Stage { slot, release, replicas };
    applied("stage of the live release on the live slot", &visit.apply(live).await)?;
    equal("the workload", &visit.shape().await?, &before)
}

/// `stage` of another release on the live slot is refused.
pub async fn stage_keeps_the_live_release(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    let before = visit.shape().await?;
    let (slot, release) = (visit.live.clone(), visit.site.next.clone());
    let verb = Verb::Stage { slot, release, replicas: ONE };
    refused("stage of another release on the live slot", &visit.apply(verb).await)?;
    equal("the workload", &visit.shape().await?, &before)
}

/// `promote` is refused for a slot without all the traffic, makes one with it live, and can be repeated.
pub async fn promote_takes_all_the_traffic(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift, VerbName::Promote])?;
    let promote = Verb::Promote { slot: visit.spare.clone() };
    refused("promote of an empty slot", &visit.apply(promote.clone()).await)?;
    visit.stage_next().await?;
    if !visit.is_at_once() {
        refused("promote of a slot without all the traffic", &visit.apply(promote.clone()).await)?;
    }
    equal("the live slot", &visit.workload().await?.live, &Some(visit.live.clone()))?;
    visit.send_all_to_next().await?;
    equal("the live slot before promote", &visit.workload().await?.live, &Some(visit.live.clone()))?;
    applied("promote", &visit.apply(promote.clone()).await)?;
    equal("the live slot after promote", &visit.workload().await?.live, &Some(visit.spare.clone()))?;
    applied("promote again", &visit.apply(promote).await)
}

/// `retire` is refused for the live slot and for one with traffic, empties any other, and can be repeated.
pub async fn retire_empties_an_idle_slot_only(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Shift, VerbName::Retire])?;
    let (live, spare) = (visit.live.clone(), visit.spare.clone());
    let retire = |slot: &SlotName| Verb::Retire { slot: slot.clone() };
    applied("retire of an empty slot", &visit.apply(retire(&spare)).await)?;
    visit.move_to_next().await?;
    refused("retire of the live slot without traffic", &visit.apply(retire(&live)).await)?;
    refused("retire of a slot with traffic", &visit.apply(retire(&spare)).await)?;
    let idle = if visit.shares_instances() {
        // Traffic does not leave instances that are there, so the slot that lost its own is the idle one.
        applied("promote", &visit.apply(Verb::Promote { slot: spare }).await)?;
        live
    } else {
        let weights = Weights::all(live);
        applied("shift back", &visit.apply(Verb::Shift { weights }).await)?;
        spare
    };
    let mut expected = visit.shape().await?;
    expected.0.insert(idle.clone(), None);
    applied("retire of an idle slot", &visit.apply(retire(&idle)).await)?;
    applied("retire again", &visit.apply(retire(&idle)).await)?;
    equal("the workload", &visit.shape().await?, &expected)
}

/// While paused, changes are refused; `resume` lets them in again. Both can be repeated.
pub async fn pause_keeps_changes_out_until_resume(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage, VerbName::Pause, VerbName::Resume])?;
    applied("pause", &visit.apply(Verb::Pause).await)?;
    applied("pause again", &visit.apply(Verb::Pause).await)?;
    let paused = visit.shape().await?;
    equal("the rollout", &paused.3, &Rollout::Paused)?;
    let stage = visit.stage(&visit.site.next.clone());
    refused("stage while paused", &visit.apply(stage).await)?;
    equal("the workload", &visit.shape().await?, &paused)?;
    applied("resume", &visit.apply(Verb::Resume).await)?;
    applied("resume again", &visit.apply(Verb::Resume).await)?;
    visit.stage_next().await
}

/// A verb that is not in the capabilities is refused and changes nothing.
pub async fn what_is_not_offered_is_refused(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    let before = visit.shape().await?;
    let (live, spare) = (visit.live.clone(), visit.spare.clone());
    let verbs = [
        visit.stage(&visit.site.next.clone()),
        Verb::Shift { weights: Weights::all(live.clone()) },
        Verb::Promote { slot: live },
        Verb::Retire { slot: spare },
        Verb::Restore { snapshot: visit.snapshot().await? },
        Verb::Pause,
        Verb::Resume,
    ];
    let offers = visit.capabilities().verbs;
    for verb in verbs.into_iter().filter(|verb| !offers.contains(&verb.name())) {
        refused("a verb that is not offered", &visit.apply(verb).await)?;
    }
    equal("the workload", &visit.shape().await?, &before)
}

/// A verb for a slot or a target that does not exist is refused.
pub async fn an_unknown_slot_or_target_is_refused(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    let slots = visit.workload().await?.slots;
    let slot = missing_slot();
    holds(!slots.contains_key(&slot), "no target has a slot named no-such-slot")?;
    let release = visit.site.next.clone();
    let verb = Verb::Stage { slot, release, replicas: ONE };
    refused("stage in a slot that does not exist", &visit.apply(verb).await)?;
    let (call, nowhere) = (visit.caller.call("nowhere"), unknown(&visit.site.target));
    let stage = visit.stage(&visit.site.next);
    let reply = visit.site.deployer.apply(&call, &nowhere, &stage, &Precondition::default()).await;
    refused("stage on a target that does not exist", &reply)
}

fn missing_slot() -> SlotName {
    SlotName::new("no-such-slot").expect("a valid name")
}
