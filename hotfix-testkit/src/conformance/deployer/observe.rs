//! Reading: what is there, what changes.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Rollout, Target, VerbName, Weights, WorkloadSnapshot};
use hotfix_core::port::WorkloadChange;

use super::super::expect::{applied, equal, fails, holds};
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

/// The first items of a watch are the present state of every filled slot.
pub async fn a_watch_gives_the_present_state_first(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = Visit::begin(fixture.site().await).await?;
    visit.needs(&[VerbName::Stage])?;
    visit.stage_next().await?;
    let workload = visit.workload().await?;
    let mut watch = visit.watch().await?;
    let mut expected: Vec<WorkloadChange> = Vec::new();
    let mut found = Vec::new();
    for (slot, held) in &workload.slots {
        if let Some(held) = held {
            let (replicas, ready, slot) = (held.replicas.get(), held.ready, slot.clone());
            expected.push(WorkloadChange::Instances { slot, replicas, ready });
            found.push(next_change(&mut watch).await?);
        }
    }
    found.sort_by_key(|change| format!("{change:?}"));
    expected.sort_by_key(|change| format!("{change:?}"));
    equal("the first items", &found, &expected)
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
