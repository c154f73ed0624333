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
    /// Somebody was faster at one of them. Of those that were claimed before it, a claim under which nothing can have been
    /// sent was given back.
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
    /// When it comes to nothing, an opening claim is given back, because nothing was sent under it. One that takes over
    /// what had been sent before keeps what it has: only its own journal says what may still arrive.
    ///
    /// *Cancellation*: those that were claimed by then stay so, an opening claim until it expires.
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
            if !holding.may_be_under_way() {
                holding.give_back(leases, operation).await;
            }
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

    /// Whether anything may be under way to a target in the name of this claim.
    fn may_be_under_way(&self) -> bool {
        self.claimant.note.as_ref().is_none_or(|note| note.stage.may_be_under_way())
    }

    /// How long one request may take: short enough that another one fits into what is left of the Lease.
    fn limit(&self) -> Duration {
        (self.claimant.lasts.duration() / 3).max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hotfix_core::ErrorKind;
    use hotfix_core::memory::ManualClock;
    use hotfix_core::model::Period;
    use hotfix_core::port::Clock;
    use hotfix_testkit::http::{Answer, ScriptedServer};
    use serde_json::json;

    use super::super::claimant::LeaseTerm;
    use super::super::connection::LeaseConfig;
    use super::*;

    const NAMES: [&str; 2] = ["hotfix.production.shop", "hotfix.staging.shop"];

    /// Claims two Leases of a run that is so far. The server takes the first claim and has no answer to the second, or
    /// lets somebody else be faster. Returns the error and what was written after that.
    async fn written_after_a_failed_claim(stage: Stage, second: Answer) -> (Option<ErrorKind>, Vec<String>) {
        let server = ScriptedServer::start().await;
        let claims = vec!["production/shop".parse().unwrap(), "staging/shop".parse().unwrap()];
        let clock = Arc::new(ManualClock::default());
        let note = Note { run: RunId::new("r").unwrap(), claims, since: clock.now(), stage, released: None };
        let lasts = LeaseTerm::of(Period::from_secs(15));
        let claimant = Claimant { holder: "w1".to_owned(), lasts, note: Some(note) };
        let before = NAMES.map(|name| {
            let (lease, _) = claimant.create(("prod", name), 4, clock.now(), Instant::now());
            Found { name: name.to_owned(), value: Some(lease) }
        });
        server.respond(Answer::json(200, &json!({})));
        server.respond(second);
        // What gives the first back, if anything does.
        server.otherwise(Answer::json(200, &json!({})));
        let cluster = kube::Config::new(server.url("").parse().unwrap());
        let leases = Leases::connect(LeaseConfig::default(), cluster, clock).unwrap();
        let claimed = Holding::claim(&leases, "store.take_over", claimant, &before, 4).await;
        let error = match claimed {
            Ok(Claimed::All(holding)) => panic!("{holding:?}"),
            Ok(Claimed::Missed { name, .. }) => {
                assert_eq!(name, NAMES[1]);
                None
            }
            Err(error) => Some(error.kind()),
        };
        let requests = server.requests();
        assert!(requests[0].path.ends_with(NAMES[0]) && requests[1].path.ends_with(NAMES[1]));
        let after = requests[2..].iter().map(|request| {
            let is_release = request.text().contains(r#"\"stage\":\"released\""#)
                && request.text().contains(r#"{"op":"remove","path":"/spec/holderIdentity"}"#);
            format!(
                "{} {}: {}",
                request.method,
                request.path.rsplit('/').next().unwrap_or_default(),
                is_release
            )
        });
        (error, after.collect())
    }

    #[tokio::test]
    async fn a_claim_that_comes_to_nothing_is_given_back_only_if_nothing_can_have_been_sent_under_it() {
        let given_back = vec![format!("PATCH {}: true", NAMES[0])];
        let cases = [
            (Stage::Opening, given_back),
            (Stage::Driven, Vec::new()),
            // What is left behind stays so until its fences are raised.
            (Stage::Sealing, Vec::new()),
        ];
        for (stage, after) in cases {
            let failed = written_after_a_failed_claim(stage, Answer::status(500)).await;
            assert_eq!(failed, (Some(ErrorKind::Unavailable), after.clone()), "{stage:?}");
            let missed = written_after_a_failed_claim(stage, Answer::status(422)).await;
            assert_eq!(missed, (None, after), "{stage:?}");
        }
    }
}
