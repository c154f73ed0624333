//! The fence of a target, and the preconditions that are compared with it in one step.

use async_trait::async_trait;
use hotfix_core::model::{ArtifactId, IdempotencyKey, Precondition, Stamp, Verb, VerbName};
use hotfix_core::port::{Call, Fence, Probe, Reply, Seal};

use super::super::expect::{applied, drifted, equal, offered};
use super::super::fence::{self, Gate};
use super::super::report::{Outcome, Unmet};
use super::DeployerFixture;
use super::site::Visit;

/// Declares a case that is the same for every mutating port.
macro_rules! fence_cases {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        pub async fn $name(fixture: &dyn DeployerFixture) -> Outcome {
            let visit = visit(fixture).await?;
            let back = back(&visit).await?;
            fence::$name(&Gated { visit, back }).await
        }
    )+};
}

fence_cases! {
    /// A stamp that is not above the fence is refused with the fence's stamp, and nothing changes.
    stale_and_equal_stamps_are_refused;
    /// A key that was applied answers `Applied` again and changes nothing, even if its effect was undone since.
    a_repeated_key_is_not_applied_again;
    /// A delayed copy of a call is refused once a later effect was accepted.
    a_late_duplicate_is_refused;
    /// `seal` raises the fence, tells the stamp before, and changes nothing else.
    a_seal_raises_the_fence_and_nothing_else;
    /// The same seal again is `Sealed`; a lower one is `Overtaken`; a call above it passes.
    a_seal_can_be_repeated_and_overtaken;
    /// After a seal no older call is applied, and the probe says so.
    nothing_older_passes_a_seal;
    /// `probe` finds a key that was applied, also after later effects, and no other.
    a_probe_tells_applied_from_not_applied;
    /// Of two calls with the same stamp at the same time, exactly one is applied.
    of_two_equal_stamps_one_wins;
}

/// A precondition on the live release lets a verb through only if one of its artifacts is live.
pub async fn a_precondition_on_the_live_release_is_checked(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = visit(fixture).await?;
    let (live, next) = (visit.site.live.artifact.id(), visit.site.next.artifact.id());
    let before = visit.shape().await?;
    let stage = visit.stage(&visit.site.next.clone());
    let wrong = Precondition { live: vec![next.clone()], holds: None };
    drifted("with another release live", &visit.apply_if(stage.clone(), wrong).await)?;
    equal("the workload", &visit.shape().await?, &before)?;
    let right = Precondition { live: vec![next, live], holds: None };
    applied("with one of the two live", &visit.apply_if(stage, right).await)
}

/// A precondition on a slot lets a verb through only if the slot holds the artifact.
pub async fn a_precondition_on_a_slot_is_checked(fixture: &dyn DeployerFixture) -> Outcome {
    let mut visit = visit(fixture).await?;
    visit.needs(&[VerbName::Retire])?;
    let (live, next) = (visit.site.live.artifact.id(), visit.site.next.artifact.id());
    let retire = Verb::Retire { slot: visit.spare.clone() };
    let spare = visit.spare.clone();
    let holds = |artifact: &ArtifactId| Precondition {
        live: Vec::new(),
        holds: Some((spare.clone(), artifact.clone())),
    };
    drifted("with the slot empty", &visit.apply_if(retire.clone(), holds(&next)).await)?;
    visit.stage_next().await?;
    let before = visit.shape().await?;
    drifted("with another artifact there", &visit.apply_if(retire.clone(), holds(&live)).await)?;
    equal("the workload", &visit.shape().await?, &before)?;
    // A slot that has taken instances is not retired, so there it is a stage that changes nothing.
    let allowed = if visit.shares_instances() { visit.stage(&visit.site.next.clone()) } else { retire };
    applied("with the artifact there", &visit.apply_if(allowed, holds(&next)).await)
}

async fn visit(fixture: &dyn DeployerFixture) -> Result<Visit, Unmet> {
    let visit = Visit::begin(fixture.site().await).await?;
    offered(visit.capabilities().fence == Fence::Checked, "a checked fence")?;
    visit.needs(&[VerbName::Stage, VerbName::Retire])?;
    Ok(visit)
}

/// Returns what takes a stage back.
async fn back(visit: &Visit) -> Result<Verb, Unmet> {
    if visit.shares_instances() {
        return Ok(Verb::Restore { snapshot: visit.snapshot().await? });
    }
    Ok(Verb::Retire { slot: visit.spare.clone() })
}

/// A visit, and what takes its changes back.
struct Gated {
    visit: Visit,
    back: Verb,
}

impl Gated {
    async fn apply(&self, call: &Call, verb: &Verb) -> Reply {
        let site = &self.visit.site;
        site.deployer.apply(call, &site.target, verb, &Precondition::default()).await
    }
}

#[async_trait]
impl Gate for Gated {
    async fn change(&self, call: &Call, number: u16) -> Reply {
        let visit = &self.visit;
        if visit.is_at_once() && number > 0 {
            // Nothing but all instances can be staged, so this is another call that is accepted.
            let (slot, release) = (visit.live.clone(), visit.site.live.clone());
            return self.apply(call, &Verb::Stage { slot, release, replicas: visit.size }).await;
        }
        let (slot, release) = (visit.spare.clone(), visit.site.next.clone());
        let replicas = visit.size.saturating_add(number);
        self.apply(call, &Verb::Stage { slot, release, replicas }).await
    }

    async fn undo(&self, call: &Call) -> Reply {
        self.apply(call, &self.back).await
    }

    async fn seal(&self, stamp: Stamp) -> Seal {
        let site = &self.visit.site;
        site.deployer.seal(&site.target, stamp).await
    }

    async fn probe(&self, key: &IdempotencyKey) -> Probe {
        let site = &self.visit.site;
        site.deployer.probe(&site.target, key).await
    }

    async fn stamp(&self) -> Result<Stamp, Unmet> {
        Ok(self.visit.workload().await?.stamp)
    }

    async fn picture(&self) -> Result<String, Unmet> {
        Ok(format!("{:?}", self.visit.shape().await?))
    }
}
