//! The Leases that one run holds: claimed all or none, renewed, and given back.

use std::time::Duration;

use hotfix_core::Result;
use hotfix_core::model::RunId;
use tokio::time::Instant;

use super::claimant::{Claimant, Tenure, epoch_of};
use super::connection::{Leases, Written};
use super::note::{Note, Stage};
use super::survey::Found;
use crate::api::READ_LIMIT;

/// How often a write is tried that was refused because the Lease had changed.
pub(super) const TRIES: usize = 4;

/// A healthy server answers in a small part of this.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a run holds.
#[derive(Debug)]
pub(super) struct Holding {
    claimant: Claimant,
    leases: Vec<(String, Tenure)>,
}

/// What came of a claim on several Leases.
#[derive(Debug)]
pub(super) enum Claimed {
    /// All are held.
    All(Holding),
    /// Somebody was faster at one of them; those that were claimed before it were given back.
    Missed { name: String, said: String },
}

/// What came of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// All are held still.
    All,
    /// Somebody else has one of them, under that epoch.
    Lost { epoch: u64 },
}

enum One {
    Held(Tenure),
    Missed(String),
    Lost { epoch: u64 },
}

impl Holding {
    /// Claims Leases as they were found, under an epoch above `above`, which is not below any that they had.
    ///
    /// *Cancellation*: those that were claimed by then stay so until they expire.
    pub(super) async fn claim(
        leases: &Leases,
        operation: &'static str,
        claimant: Claimant,
        found: &[Found],
        above: u64,
    ) -> Result<Claimed> {
        let mut holding = Self { claimant, leases: Vec::with_capacity(found.len()) };
        for found in found {
            let missed = match holding.take(leases, operation, found, above).await {
                Ok(One::Held(tenure)) => {
                    holding.leases.push((found.name.clone(), tenure));
                    continue;
                }
                Ok(One::Missed(said)) => Ok(Claimed::Missed { name: found.name.clone(), said }),
                Ok(One::Lost { .. }) => unreachable!("only what is held can be lost"),
                Err(error) => Err(error),
            };
            holding.give_back(leases, operation).await;
            return missed;
        }
        Ok(Claimed::All(holding))
    }

    async fn take(&self, leases: &Leases, operation: &'static str, found: &Found, above: u64) -> Result<One> {
        let (now, sent, limit) = (leases.now(), Instant::now(), self.limit());
        let (written, tenure) = match &found.value {
            None => {
                let place = (leases.namespace(), found.name.as_str());
                let (lease, tenure) = self.claimant.create(place, above + 1, now, sent);
                (leases.create(operation, &found.name, &lease, limit).await?, tenure)
            }
            Some(lease) => {
                let acquired = self.claimant.acquire(lease, above, now, sent);
                let (patch, tenure) =
                    acquired.map_err(|reason| leases.not_ours(operation, &found.name, &reason))?;
                (leases.patch(operation, &found.name, &patch, limit).await?, tenure)
            }
        };
        Ok(match written {
            Written::Done(_) => One::Held(tenure),
            Written::Refused(said) => One::Missed(said),
            Written::Gone => One::Missed("it was removed meanwhile".to_owned()),
        })
    }

    /// Finds out what a run holds under an epoch, for a process that did not claim it itself. `Err` inside is the epoch
    /// under which somebody else has a Lease.
    pub(super) async fn recall(
        leases: &Leases,
        operation: &'static str,
        run: &RunId,
        epoch: u64,
        names: Vec<String>,
    ) -> Result<Result<Self, u64>> {
        let mut claimant = None;
        let mut held = Vec::with_capacity(names.len());
        for name in names {
            let Some(lease) = leases.read(operation, &name, READ_LIMIT).await? else { return Ok(Err(epoch)) };
            let of_run = Claimant::of_run(&lease, run, Instant::now());
            match of_run.map_err(|reason| leases.not_ours(operation, &name, &reason))? {
                Some((whose, tenure)) if tenure.epoch == epoch => {
                    claimant = Some(whose);
                    held.push((name, tenure));
                }
                Some((_, tenure)) => return Ok(Err(tenure.epoch)),
                None => return Ok(Err(epoch)),
            }
        }
        Ok(claimant.map(|claimant| Self { claimant, leases: held }).ok_or(epoch))
    }

    /// Returns the epoch under which all are held.
    pub(super) fn epoch(&self) -> u64 {
        self.leases.iter().map(|(_, tenure)| tenure.epoch).max().unwrap_or(0)
    }

    /// Says how far the claim is from the next write on.
    pub(super) fn advance(&mut self, change: impl FnOnce(&Note) -> Note) {
        self.claimant.note = self.claimant.note.as_ref().map(change);
    }

    /// Renews all, and writes how far the claim is.
    pub(super) async fn keep(&mut self, leases: &Leases, operation: &'static str) -> Result<Kept> {
        self.keep_under(leases, operation, self.epoch()).await
    }

    /// The same under an epoch that is not below the one they have.
    pub(super) async fn keep_under(
        &mut self,
        leases: &Leases,
        operation: &'static str,
        epoch: u64,
    ) -> Result<Kept> {
        for index in 0..self.leases.len() {
            match self.keep_one(leases, operation, index, epoch).await? {
                One::Held(tenure) => self.leases[index].1 = tenure,
                One::Lost { epoch } => return Ok(Kept::Lost { epoch }),
                One::Missed(said) => return Err(leases.refused(operation, &self.leases[index].0, said)),
            }
        }
        Ok(Kept::All)
    }

    async fn keep_one(
        &self,
        leases: &Leases,
        operation: &'static str,
        index: usize,
        epoch: u64,
    ) -> Result<One> {
        let ((name, tenure), limit) = (&self.leases[index], self.limit());
        let (mut tenure, mut last) = (tenure.clone(), String::new());
        for _ in 0..TRIES {
            let (patch, next) = self.claimant.renew_under(epoch, &tenure, leases.now(), Instant::now());
            match leases.patch(operation, name, &patch, limit).await? {
                Written::Done(_) => return Ok(One::Held(next)),
                Written::Refused(said) => last = said,
                Written::Gone => {}
            }
            match leases.read(operation, name, limit).await? {
                // Somebody removed the Lease and with it what others know of the epoch: it is put back.
                None => {
                    let place = (leases.namespace(), name.as_str());
                    let (lease, made) = self.claimant.create(place, epoch, leases.now(), Instant::now());
                    match leases.create(operation, name, &lease, limit).await? {
                        Written::Done(_) => return Ok(One::Held(made)),
                        Written::Refused(said) => last = said,
                        Written::Gone => {}
                    }
                }
                Some(lease) => match self.claimant.still_holds(&lease, &tenure) {
                    Some(found) => tenure = found,
                    None => return Ok(One::Lost { epoch: epoch_of(&lease) }),
                },
            }
        }
        Ok(One::Missed(last))
    }

    /// Gives all back. What cannot be given back now expires, and says until then how far its claim was.
    pub(super) async fn give_back(mut self, leases: &Leases, operation: &'static str) {
        self.advance(|note| note.at(Stage::Released));
        for (name, tenure) in &self.leases {
            leases.give_back(operation, &self.claimant, name, tenure, self.limit()).await;
        }
    }

    /// How long one request may take: short enough that another one fits into what is left of the Lease.
    fn limit(&self) -> Duration {
        (self.claimant.lasts.duration() / 3).max(SHORTEST)
    }
}
