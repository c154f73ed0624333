//! Reading: what is there, what changes.

use std::collections::BTreeMap;

use hotfix_core::ErrorKind;
use hotfix_core::model::{Rollout, SlotName, Target, VerbName, Weights, Workload, WorkloadSnapshot};
use hotfix_core::port::WorkloadChange;

use super::super::expect::{applied, broken, equal, fails, holds};
use super::super::report::Outcome;
use super::DeployerFixture;
use super::site::{Visit, next_change};

/// `observe` shows the live release ready and with all the traffic.
pub async fn the_live_release_is_seen(fixture: &dyn DeployerFixture) -> Outcome {
    let visit = Visit::begin(fixture.site().await).await?;
    let workload = visit.workload().await?;
    let live = workload.slot(&visit.live);
    equal("the live release", &live.map(|held| &held.release), &Some(&visit.site.live))?;
    holds(workload.is_healthy(), "the live release is healthy")?;
    equal("the traffic", &workload.weights, &Some(Weights::all(visit.live.clone())))?;
    equal("the rollout", &workload.rollout, &Rollout::Active)?;
    equal("the spare slot", &workload.slot(&visit.spare), &None)
}

/// A target that does not exist is `NotFound` to every read.
pub async fn an_unknown_target_is_not_found(fixture: &dyn DeployerFixture) -> Outcome {
    let site = fixture.site().await;
    let nowhere = unknown(&site.target);
    fails("observe", site.deployer.observe(&nowhere).await, ErrorKind::NotFound)?;
    fails("snapshot", site.deployer.snapshot(&nowhere).await, ErrorKind::NotFound)?;
    fails("watch", site.deployer.watch(&nowhere).await.map(|_| "a watch"), ErrorKind::NotFound)
}

/// A target in an environment that no fixture has.
pub(super) fn unknown(target: &Target) -> Target {
    let environment = "no-such-environment".parse().expect("a valid name");
    Target::new(environment, target.service.clone())
}

/// Two snapshots of an unchanged workload are equal and describe the live slot; taking them changes nothing.
pub async fn a_snapshot_is_deterministic_and_changes_nothing(fixture: &dyn DeployerFixture) -> Outcome {
    let visit = Visit::begin(fixture.site().await).await?;
    let before = visit.workload().await?;
    let snapshot = visit.snapshot().await?;
    equal("the second snapshot", &visit.snapshot().await?, &snapshot)?;
    equal("the workload", &visit.workload().await?, &before)?;
    let WorkloadSnapshot { slot, release, replicas, .. } = snapshot;
    equal("the slot of the snapshot", &slot, &visit.live)?;
    equal("the release of the snapshot", &release, &visit.site.live)?;
    equal("its replicas", &Some(replicas), &before.live_state().map(|held| held.replicas))
}

/// The first items of a watch are the present state of every filled slot. Instances of the release before may still be
/// ending, so a watch is compared that gave its first items between two equal reads.
pub async fn a_watch_gives_the_present_state_first(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    visit.stage_next().await?;
    loop {
        let before = present(&visit.workload().await?);
        let mut watch = visit.watch().await?;
        let mut first = BTreeMap::new();
        for _ in &before {
            match next_change(&mut watch).await? {
                WorkloadChange::Instances { slot, replicas, ready } => first.insert(slot, (replicas, ready)),
                other => return Err(broken(format!("{other:?} was told before the state of every slot"))),
            };
        }
        if present(&visit.workload().await?) == before {
            return equal("how many are wanted and ready", &first, &before);
        }
    }
}

/// How many instances each filled slot wants, and how many are ready.
fn present(workload: &Workload) -> BTreeMap<SlotName, (u16, u16)> {
    let filled = workload.slots.iter().filter_map(|(slot, held)| Some((slot, held.as_ref()?)));
    filled.map(|(slot, held)| (slot.clone(), (held.replicas.get(), held.ready))).collect()
}

/// A watch that was opened before tells when a staged release has its instances ready.
pub async fn a_watch_tells_when_a_staged_release_is_ready(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    let mut watch = visit.watch().await?;
    let verb = visit.stage(&visit.site.next.clone());
    applied("stage", &visit.apply(verb).await)?;
    let (replicas, ready, slot) = (visit.size.get(), visit.size.get(), visit.spare.clone());
    let expected = WorkloadChange::Instances { slot, replicas, ready };
    while next_change(&mut watch).await? != expected {}
    Ok(())
}

/// A watch tells when a slot loses its last ready instance.
pub async fn a_watch_tells_when_readiness_is_lost(fixture: &dyn DeployerFixture) -> Outcome {
    let visit = Visit::begin(fixture.site().await).await?;
    let mut watch = visit.watch().await?;
    fixture.fail(&visit.site, &visit.live).await;
    loop {
        match next_change(&mut watch).await? {
            WorkloadChange::Instances { slot, ready: 0, .. } if slot == visit.live => return Ok(()),
            _ => {}
        }
    }
}
