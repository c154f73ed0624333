//! `Deployer` for this host: each verb is accepted under the target's fence, then the agent is asked to bring it about.

use std::time::Duration;

use async_trait::async_trait;
use hotfix_core::model::{
    IdempotencyKey, Precondition, ReadyInstances, Stamp, Target, Timestamp, Verb, VerbName, Workload,
    WorkloadSnapshot,
};
use hotfix_core::port::{
    Ambiguity, Call, Conflict, Deployer, DeployerCapabilities, Fence, Probe, Receipt, Rejection, Reply, Seal,
    Sealed, TrafficSplit, WorkloadWatch,
};
use hotfix_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::agent::{Report, Until};
use crate::deployer::LocalDeployer;
use crate::error::LocalError;
use crate::ledger::{self, LedgerError, Request, SealVerdict, Verdict};
use crate::state::TargetState;
use crate::{watch, workload};

/// How long a read waits for the agent to take notice of the newest wishes.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How long a seal waits for whoever holds the target's lock.
const SEAL_LIMIT: Duration = Duration::from_secs(5);

#[async_trait]
impl Deployer for LocalDeployer {
    fn capabilities(&self, _target: &Target) -> DeployerCapabilities {
        use VerbName::{Pause, Promote, Restore, Resume, Retire, Shift, Stage};
        DeployerCapabilities {
            verbs: [Stage, Shift, Promote, Retire, Restore, Pause, Resume].into(),
            split: TrafficSplit::Percent,
            fence: Fence::Checked,
        }
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        let (state, report) = self.read(target).await.map_err(|error| error.into_port("deployer.observe"))?;
        match report.trouble {
            None => Ok(workload::workload(&state, &report)),
            Some(trouble) => {
                Err(Error::new(ErrorKind::Unavailable, "deployer.observe", trouble).with("target", target))
            }
        }
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        let (_, report) = self.read(target).await.map_err(|error| error.into_port("deployer.watch"))?;
        Ok(watch::watch(self.client.clone(), target.clone(), &report))
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        let state = self.state(target).map_err(|error| error.into_port("deployer.snapshot"))?;
        workload::snapshot(&state.desired).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "deployer.snapshot", "nothing is live").with("target", target)
        })
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        let Some(deadline) = self.instant(call.deadline) else {
            return busy("the deadline had passed before anything was done");
        };
        let request = Request {
            key: call.key.clone(),
            stamp: call.stamp,
            verb: verb.clone(),
            precondition: precondition.clone(),
        };
        match timeout_at(deadline, self.prepare(target, &request)).await {
            Ok(Ok(Prepared::Ready(ready))) => self.commit(target, request, ready, deadline).await,
            Ok(Ok(Prepared::Answer(reply))) => reply,
            Ok(Err(error)) => rejected(&error),
            Err(_) => busy("the deadline passed before anything was changed"),
        }
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        let sealing = async {
            let ledger = self.ledger(target, Instant::now() + SEAL_LIMIT).await?;
            self.blocking(move || ledger.seal(stamp)).await
        };
        match sealing.await {
            Ok(SealVerdict::Sealed { previous }) => Seal::Sealed(Sealed { previous }),
            Ok(SealVerdict::Overtaken { current }) => Seal::Overtaken { current },
            Err(LedgerError::NotWritten(error) | LedgerError::Unsure(error)) => {
                Seal::Unreachable { cause: error.with_causes() }
            }
        }
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        match self.find(target, key).await {
            Ok(probe) => probe,
            Err(error) => Probe::Unreadable { cause: error.with_causes() },
        }
    }
}

/// What is known before the lock is taken.
enum Prepared {
    /// The request can be decided on, with these instances ready.
    Ready(ReadyInstances),
    Answer(Reply),
}

impl LocalDeployer {
    /// Everything that takes long and changes nothing: the export, and what the agent knows.
    async fn prepare(&self, target: &Target, request: &Request) -> Result<Prepared, LocalError> {
        let state = self.state(target)?;
        let folder = self.root.target(target);
        if ledger::find_key(&folder, &state, &request.key)?.is_some() {
            // Nothing more will be changed, so neither the release nor the agent is needed.
            return Ok(Prepared::Ready(ReadyInstances::new()));
        }
        if request.stamp <= state.fence {
            return Ok(Prepared::Answer(Reply::Conflict(Conflict::Fenced { current: state.fence })));
        }
        let is_restore = request.verb.name() == VerbName::Restore;
        let report = match self.caught_up(target, &state).await {
            Ok(report) => report,
            // A rollback is accepted all the same: whoever starts the agent then finds it under way.
            Err(LocalError::AgentDown { .. } | LocalError::Agent { .. }) if is_restore => Report::default(),
            Err(error) => return Err(error),
        };
        self.export(target, &request.verb).await?;
        Ok(Prepared::Ready(workload::ready(&state.desired, &report)))
    }

    /// Decides under the lock, then waits for the agent.
    async fn commit(
        &self,
        target: &Target,
        request: Request,
        ready: ReadyInstances,
        deadline: Instant,
    ) -> Reply {
        let verb = request.verb.name();
        let deciding = async {
            let ledger = self.ledger(target, deadline).await?;
            self.blocking(move || ledger.apply(&request, &ready)).await
        };
        match deciding.await {
            Ok(Verdict::Accepted { generation, receipt }) => {
                self.brought_about(target, verb, generation, Receipt(receipt), deadline).await
            }
            Ok(Verdict::Fenced(current)) => Reply::Conflict(Conflict::Fenced { current }),
            Ok(Verdict::Drifted(drift)) => {
                Reply::Conflict(Conflict::Drifted { expected: drift.expected, found: drift.found })
            }
            Ok(Verdict::Refused(refusal)) => permanent(refusal.to_string()),
            Ok(Verdict::KeyReused) => {
                permanent("this key was applied to another effect; use a new key".to_owned())
            }
            Err(LedgerError::NotWritten(error)) => rejected(&error),
            Err(LedgerError::Unsure(error)) => {
                Reply::Ambiguous(Ambiguity::Interrupted { cause: error.with_causes() })
            }
        }
    }

    /// Waits until the agent has done what was accepted.
    async fn brought_about(
        &self,
        target: &Target,
        verb: VerbName,
        generation: u64,
        receipt: Receipt,
        deadline: Instant,
    ) -> Reply {
        let until = done(verb, generation);
        let wait = deadline.saturating_duration_since(Instant::now());
        match self.client.report(target, until, wait).await {
            Ok(report) if until.holds(&report) => Reply::Applied(receipt),
            Ok(_) => Reply::Ambiguous(Ambiguity::Timeout),
            Err(error) => Reply::Ambiguous(Ambiguity::Interrupted { cause: error.with_causes() }),
        }
    }

    async fn find(&self, target: &Target, key: &IdempotencyKey) -> Result<Probe, LocalError> {
        let state = self.state(target)?;
        let Some(applied) = ledger::find_key(&self.root.target(target), &state, key)? else {
            return Ok(Probe::NotApplied);
        };
        let until = done(applied.verb, applied.generation);
        let report = self.client.report(target, until, CATCH_UP).await;
        let receipt = Probe::Applied(Receipt(applied.receipt));
        // What was accepted will be done. Only of a restore it must be known that it is done: a run ends with it.
        match report {
            Ok(report) if applied.verb == VerbName::Restore && !until.holds(&report) => {
                let held = report.held.unwrap_or_else(|| "is not routed yet".to_owned());
                Ok(Probe::Unreadable { cause: format!("the restore was accepted; {target} {held}") })
            }
            Err(error) if applied.verb == VerbName::Restore => Err(error),
            _ => Ok(receipt),
        }
    }

    /// What is wanted, and what the agent made of it so far.
    async fn read(&self, target: &Target) -> Result<(TargetState, Report), LocalError> {
        let state = self.state(target)?;
        let report = self.caught_up(target, &state).await?;
        Ok((state, report))
    }

    async fn caught_up(&self, target: &Target, state: &TargetState) -> Result<Report, LocalError> {
        let generation = state.desired.generation;
        let until = Until { seen: generation, routed: generation, ..Until::default() };
        self.client.report(target, until, CATCH_UP).await
    }

    /// The deadline on the clock that waits; nothing when it has passed.
    fn instant(&self, deadline: Timestamp) -> Option<Instant> {
        let left = (deadline - self.clock.now()).to_std().ok()?;
        Instant::now().checked_add(left)
    }
}

/// What the agent reports once a verb is done.
fn done(verb: VerbName, generation: u64) -> Until {
    let until = Until { seen: generation, ..Until::default() };
    match verb {
        VerbName::Shift | VerbName::Restore => Until { routed: generation, ..until },
        VerbName::Retire => Until { settled: generation, ..until },
        VerbName::Stage | VerbName::Promote | VerbName::Pause | VerbName::Resume => until,
    }
}

fn busy(reason: &str) -> Reply {
    Reply::Rejected(Rejection::Busy { reason: reason.to_owned(), retry_after: None })
}

fn permanent(reason: String) -> Reply {
    Reply::Rejected(Rejection::Permanent { reason })
}

/// Nothing was changed; whether the same request may succeed later depends on what failed.
fn rejected(error: &LocalError) -> Reply {
    let reason = error.with_causes();
    if error.may_pass() { busy(&reason) } else { permanent(reason) }
}
