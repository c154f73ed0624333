//! Claims that nobody renews any more: showing them, and giving one back in the place of whoever left it.

use std::collections::BTreeMap;
use std::fmt;

use hotfix_core::model::{Fenced, Period, RunId, Stamp};
use hotfix_core::port::{self, Claim, Deployer, Seal, VersionControl};
use hotfix_core::{Error, ErrorKind, Result, RetryClass};
use tokio::time::sleep_until;

use super::claimant::{Claimant, Hold, LeaseTerm};
use super::connection::Leases;
use super::holding::{Claimed, Holding, Kept};
use super::note::{ByHand, Note, Stage};
use super::survey::{Found, Look};

const SHOW: &str = "leases.claim_on";
const RELEASE: &str = "leases.release_orphan";

/// How long the seals may take before somebody else may try.
const TERM: Period = Period::from_secs(15);

/// How often the fences are raised again because they stood higher than the Lease knows.
const TRIES: usize = 4;

/// What the Lease of a released claim says of its holder when nobody held it.
const NOBODY: &str = "nobody";

/// Who has a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetClaim {
    /// The run, its holder and since when.
    pub claim: Claim,
    /// Every target that the run has a Lease for.
    pub targets: Vec<Fenced>,
    /// Whether it is renewed.
    pub state: ClaimState,
}

/// Whether a claim is renewed, as far as this process can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimState {
    /// It was renewed, or not yet watched for as long as it lasts.
    Held,
    /// It was not renewed for as long as it lasts: its holder is gone, or does not reach the cluster.
    Expired,
}

impl fmt::Display for TargetClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claim: Claim { target, run, holder, since, expires_at }, state, .. } = self;
        write!(
            f,
            "{target} belongs to run {run} of {holder} since {}",
            since.format("%Y-%m-%d %H:%M:%S UTC")
        )?;
        match state {
            ClaimState::Held => f.write_str(", which renews its claim"),
            ClaimState::Expired => write!(
                f,
                ", which has not renewed its claim since before {}; resume the run where its journal is, or give the \
                 claim back with release_orphan when the journal is gone for good",
                expires_at.format("%H:%M:%S UTC")
            ),
        }
    }
}

/// A claim that was given back in the place of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedClaim {
    /// The run that had it; `None`: nobody had, and only the fences were raised.
    pub run: Option<RunId>,
    /// Every target that was sealed and given back.
    pub targets: Vec<Fenced>,
    /// The epoch that the fences have now. What the run sent under an earlier one is refused.
    pub epoch: u64,
}

/// What is left behind.
struct Orphan {
    note: Note,
    holder: String,
}

impl Leases {
    /// Tells who has a target; `None` when nobody has, or nothing of whoever had it can be under way.
    ///
    /// # Errors
    /// `Invalid` for a watch, which has no Lease; `Corrupt` for a Lease of somebody else; `Unavailable`, `Timeout`,
    /// `Forbidden`.
    pub async fn claim_on(&self, target: &Fenced) -> Result<Option<TargetClaim>> {
        let name = self.leased_name(SHOW, target)?;
        let Look::Held { hold, note, is_expired, .. } = self.look(SHOW, &name).await? else {
            return Ok(None);
        };
        let targets = note.claims.clone();
        let state = if is_expired { ClaimState::Expired } else { ClaimState::Held };
        Ok(Some(TargetClaim { claim: self.claim(SHOW, &name, target, &hold, note)?, targets, state }))
    }

    /// Gives the claim on a target back whose run nobody will resume, because its journal is gone for good, together with
    /// everything else that this run claims. Waits until the claim was not renewed for as long as it lasts.
    ///
    /// Before anything is given back, the fence of each target is raised above everything that the run can have sent, so
    /// that nothing of it arrives later; what has arrived stays as it is. If the fences stand higher than the Leases know,
    /// because a Lease was removed, the Leases are raised above them: this mends that as well.
    ///
    /// *Idempotency*: a repeat raises the fences once more.
    /// *Cancellation*: what was claimed by then stays so; call again.
    ///
    /// # Errors
    /// `Conflict` when the claim is renewed meanwhile: the run goes on, so cancel it instead; `Unavailable` when a target
    /// cannot be sealed: its claim stays, and the same call can be made again; as [`Leases::claim_on`].
    pub async fn release_orphan(
        &self,
        target: &Fenced,
        source: &dyn VersionControl,
        deployer: &dyn Deployer,
        by: &str,
        reason: &str,
    ) -> Result<ReleasedClaim> {
        let (found, orphan) = self.left_behind(target).await?;
        let targets: Vec<Fenced> = found.values().map(|(target, _)| target.clone()).collect();
        let (run, claimant) = self.sealer(orphan, &targets, by, reason);
        let found: Vec<Found> = found.into_values().map(|(_, found)| found).collect();
        let above = found.iter().map(Found::epoch).max().unwrap_or(0);
        let mut holding = match Holding::claim(self, RELEASE, claimant, &found, above).await? {
            Claimed::All(holding) => holding,
            Claimed::Missed { name, said } => return Err(self.refused(RELEASE, &name, said)),
        };
        let epoch = self.raise(&mut holding, &targets, source, deployer).await?;
        holding.give_back(self, RELEASE).await;
        tracing::warn!(
            run = run.as_ref().map(RunId::as_str),
            epoch,
            by,
            reason,
            "an orphaned claim was released"
        );
        Ok(ReleasedClaim { run, targets, epoch })
    }

    /// Waits until the claim on a target is seen to be left, and finds the others of the same run.
    async fn left_behind(
        &self,
        target: &Fenced,
    ) -> Result<(BTreeMap<String, (Fenced, Found)>, Option<Orphan>)> {
        let name = self.leased_name(RELEASE, target)?;
        let (first, orphan) = self.watch(&name).await?;
        let mut all = BTreeMap::from([(name, (target.clone(), first))]);
        let others = orphan.iter().flat_map(|orphan| &orphan.note.claims);
        for other in others {
            let Some(name) = self.name_of(other).filter(|name| !all.contains_key(name)) else { continue };
            let (found, of) = self.watch(&name).await?;
            if of.map(|of| of.note.run) == orphan.as_ref().map(|orphan| orphan.note.run.clone()) {
                all.insert(name, (other.clone(), found));
            }
        }
        Ok((all, orphan))
    }

    /// Watches a Lease until nobody can be renewing it.
    async fn watch(&self, name: &str) -> Result<(Found, Option<Orphan>)> {
        let left = |found, note, hold: Hold| (found, Some(Orphan { note, holder: hold.holder }));
        let expires = match self.look(RELEASE, name).await? {
            Look::Free(found) => return Ok((found, None)),
            Look::Held { found, hold, note, is_expired: true } => return Ok(left(found, note, hold)),
            Look::Held { hold, .. } => hold.expires,
        };
        sleep_until(expires).await;
        match self.look(RELEASE, name).await? {
            Look::Free(found) => Ok((found, None)),
            Look::Held { found, hold, note, is_expired: true } => Ok(left(found, note, hold)),
            Look::Held { hold, note, .. } => {
                let (run, holder) = (note.run, hold.holder);
                let message = format!(
                    "run {run} of {holder} renewed its claim while it was watched: it goes on; cancel it instead"
                );
                Err(Error::new(ErrorKind::Conflict, RELEASE, message).with("lease", name))
            }
        }
    }

    fn sealer(
        &self,
        orphan: Option<Orphan>,
        targets: &[Fenced],
        by: &str,
        reason: &str,
    ) -> (Option<RunId>, Claimant) {
        let (by, reason, at) = (by.to_owned(), reason.to_owned(), self.now());
        let released = Some(ByHand { by, reason, at });
        let run = orphan.as_ref().map(|orphan| orphan.note.run.clone());
        let (holder, note) = match orphan {
            // The claim keeps its names, so whoever is refused meanwhile hears the same as before.
            Some(Orphan { note, holder }) => (holder, Some(Note { stage: Stage::Sealing, released, ..note })),
            None => (NOBODY.to_owned(), self.realignment(targets, released)),
        };
        (run, Claimant { holder, lasts: LeaseTerm::of(TERM), note })
    }

    /// What a Lease says that nobody held while its fence is raised.
    fn realignment(&self, targets: &[Fenced], released: Option<ByHand>) -> Option<Note> {
        let run = RunId::new(NOBODY).ok()?;
        Some(Note { run, claims: targets.to_vec(), since: self.now(), stage: Stage::Opening, released })
    }

    /// Raises all fences to one epoch, that of the Leases or a higher one, and returns it.
    async fn raise(
        &self,
        holding: &mut Holding,
        targets: &[Fenced],
        source: &dyn VersionControl,
        deployer: &dyn Deployer,
    ) -> Result<u64> {
        let mut epoch = holding.epoch();
        for _ in 0..TRIES {
            let Some(higher) = seal_all(targets, Stamp::new(epoch, 1), source, deployer).await? else {
                return Ok(epoch);
            };
            epoch = higher;
            if let Kept::Lost { epoch } = holding.keep_under(self, RELEASE, epoch).await? {
                let message = "the run was taken up again meanwhile; cancel it instead";
                return Err(Error::new(ErrorKind::Conflict, RELEASE, message).with("epoch", epoch));
            }
        }
        let message = "the fences rose at every try: somebody changes the targets";
        Err(Error::new(ErrorKind::Conflict, RELEASE, message).with_retry(RetryClass::Later))
    }

    fn leased_name(&self, operation: &'static str, target: &Fenced) -> Result<String> {
        let none = "a watch has no lease: nothing is ever sent to it";
        self.name_of(target)
            .ok_or_else(|| Error::new(ErrorKind::Invalid, operation, none).with("target", target))
    }
}

/// Raises all fences to the stamp; returns the epoch to try instead when one of them stands higher.
async fn seal_all(
    targets: &[Fenced],
    stamp: Stamp,
    source: &dyn VersionControl,
    deployer: &dyn Deployer,
) -> Result<Option<u64>> {
    for target in targets {
        match port::seal(source, deployer, target, stamp).await {
            Seal::Sealed(_) => {}
            Seal::Overtaken { current } => {
                let higher = current.epoch.checked_add(1).ok_or_else(|| {
                    let message = format!(
                        "its fence is at {current}, beyond which nobody counts; repair its annotation"
                    );
                    Error::new(ErrorKind::Corrupt, RELEASE, message).with("target", target)
                })?;
                return Ok(Some(higher));
            }
            Seal::Unreachable { cause } => {
                let message = format!("it cannot be sealed, so its claim stays: {cause}");
                return Err(Error::new(ErrorKind::Unavailable, RELEASE, message).with("target", target));
            }
        }
    }
    Ok(None)
}
