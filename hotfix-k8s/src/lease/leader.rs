//! One leader among replicas, by a Lease.

use std::time::Duration;

use hotfix_core::model::{Period, WorkerName};
use hotfix_core::{Error, ErrorKind, Result};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::claimant::{Claimant, LeaseTerm, NotOurs, Standing, Tenure, epoch_of};
use super::connection::{Leases, Seen, Written};
use super::note::Note;

const CAMPAIGN: &str = "leases.campaign";
const RESIGN: &str = "leases.resign";

/// How long whoever gives the lead back is waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// A healthy server answers in a small part of this.
const SHORTEST: Duration = Duration::from_millis(250);

/// A candidate for the lead, and the leader for as long as nobody else is.
///
/// A task of its own claims the Lease, renews it, and steps down when two thirds of its time have passed since the last
/// renewal was *sent*, by this process' monotonic clock: before anybody else can begin to lead. Whoever is cut off from
/// the cluster therefore stops by itself.
///
/// To lead is to be the one who tries: who resumes runs, who cleans up. It protects nothing: a process can sleep between
/// asking whether it leads and acting on it. What a run may change is protected by its claim and by the fence.
///
/// Dropping it gives the lead back in the background; [`Leadership::resign`] waits for that.
#[derive(Debug)]
pub struct Leadership {
    term: watch::Receiver<Option<LeadershipTerm>>,
    /// Dropping it is the sign to stop.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// One time of leading without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadershipTerm {
    /// Rises with every leader, for as long as the Lease is there. If somebody removed it, the next leader begins above
    /// every epoch that it has seen itself since it began to run for the lead: at 1 if it has seen none.
    pub epoch: u64,
}

impl Leases {
    /// Begins to run for the lead under a name that no other process has. A leader that dies is followed after `lasts`,
    /// which is rounded up to whole seconds; one that resigns, within a quarter of it. Must be called within a tokio
    /// runtime.
    #[must_use = "it gives up the lead when it is dropped"]
    pub fn campaign(&self, candidate: &WorkerName, lasts: Period) -> Leadership {
        let (tell, term) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let lasts = LeaseTerm::of(lasts);
        let claimant = Claimant { holder: candidate.as_str().to_owned(), lasts, note: None };
        let candidate = Candidate {
            name: self.name_of_leader(),
            leases: self.clone(),
            claimant,
            tell,
            held: None,
            last: None,
            highest: 0,
        };
        Leadership { term, stop, task: tokio::spawn(candidate.until_stopped(stopped)) }
    }
}

impl Leadership {
    /// Returns the present term, if this process leads.
    #[must_use]
    pub fn current(&self) -> Option<LeadershipTerm> {
        // Without the task nobody renews.
        self.term.has_changed().ok()?;
        *self.term.borrow()
    }

    /// Waits until this process leads. *Cancellation*: leaves nothing.
    pub async fn gained(&mut self) -> LeadershipTerm {
        loop {
            self.term.mark_unchanged();
            if let Some(term) = self.current() {
                return term;
            }
            if self.term.changed().await.is_err() {
                // The task ended with its runtime: nobody leads here any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this process does not lead any more under that term. *Cancellation*: leaves nothing.
    pub async fn lost(&mut self, term: LeadershipTerm) {
        loop {
            self.term.mark_unchanged();
            if self.current() != Some(term) {
                return;
            }
            if self.term.changed().await.is_err() {
                return;
            }
        }
    }

    /// Gives the lead back, if this process has it, so that another begins without waiting for the end of the Lease.
    pub async fn resign(self) {
        drop(self.stop);
        // Without the task there is nothing to give back.
        let _ended = tokio::time::timeout(FAREWELL, self.task).await;
    }
}

struct Candidate {
    name: String,
    leases: Leases,
    claimant: Claimant,
    tell: watch::Sender<Option<LeadershipTerm>>,
    held: Option<Tenure>,
    /// The claim that was held last, which the Lease may still show.
    last: Option<Tenure>,
    /// The highest epoch that it has seen, which a Lease that was removed does not tell any more.
    highest: u64,
}

impl Candidate {
    async fn until_stopped(mut self, stopped: oneshot::Receiver<()>) {
        tokio::select! {
            // The other end sends nothing: it is dropped.
            _ = stopped => {}
            () = self.campaign() => {}
        }
        self.tell.send_replace(None);
        let Some(tenure) = self.held.take() else { return };
        // A renewal may have been cut off, so that it takes two tries.
        self.leases.give_back(RESIGN, &self.claimant, &self.name, &tenure, FAREWELL / 4).await;
    }

    async fn campaign(&mut self) {
        loop {
            let tenure = self.follow().await;
            // An answer that came late is worth nothing.
            if Instant::now() < self.steps_down_at(&tenure) {
                tracing::info!(lease = %self.name, epoch = tenure.epoch, "this process leads");
                self.tell.send_replace(Some(LeadershipTerm { epoch: tenure.epoch }));
                self.lead(tenure).await;
                self.tell.send_replace(None);
                tracing::warn!(lease = %self.name, "this process does not lead any more");
            } else {
                self.last = Some(tenure);
            }
            self.held = None;
        }
    }

    /// Waits for the Lease to be free, and claims it.
    async fn follow(&mut self) -> Tenure {
        loop {
            let wait = match self.try_acquire().await {
                Ok(Tried::Acquired(tenure)) => return tenure,
                Ok(Tried::Held { until }) => until,
                Err(error) => {
                    tracing::warn!(lease = %self.name, %error, "the lead cannot be claimed now");
                    Instant::now() + self.pause()
                }
            };
            // Also before its end: it may have been given back.
            sleep_until(wait.min(Instant::now() + self.pause())).await;
        }
    }

    async fn try_acquire(&mut self) -> Result<Tried> {
        let (now, sent, limit) = (self.leases.now(), Instant::now(), self.limit());
        let seen = self.leases.see(CAMPAIGN, &self.name, limit).await?;
        let above = seen.as_ref().map_or(0, |seen| epoch_of(&seen.value)).max(self.highest);
        self.highest = above;
        let (written, tenure) = match seen {
            None => {
                let place = (self.leases.namespace(), self.name.as_str());
                let (lease, tenure) = self.claimant.create(place, above + 1, now, sent);
                (self.leases.create(CAMPAIGN, &self.name, &lease, limit).await?, tenure)
            }
            Some(Seen { value, standing }) => {
                let not_ours = |reason| self.leases.not_ours(CAMPAIGN, &self.name, &reason);
                if Note::read(&value).map_err(not_ours)?.is_some() {
                    return Err(not_ours(NotOurs::Otherwise { holder: "a run".to_owned() }));
                }
                let is_ours =
                    self.last.as_ref().is_some_and(|last| self.claimant.still_holds(&value, last).is_some());
                if let Standing::Held(hold) = standing
                    && !is_ours
                {
                    return Ok(Tried::Held { until: hold.expires });
                }
                let (patch, tenure) = self.claimant.acquire(&value, above, now, sent).map_err(not_ours)?;
                (self.leases.patch(CAMPAIGN, &self.name, &patch, limit).await?, tenure)
            }
        };
        Ok(match written {
            Written::Done(_) => {
                self.highest = tenure.epoch;
                Tried::Acquired(tenure)
            }
            Written::Refused(_) | Written::Gone => Tried::Held { until: Instant::now() + self.pause() },
        })
    }

    /// Renews for as long as that succeeds in time.
    async fn lead(&mut self, tenure: Tenure) {
        let mut tenure = tenure;
        loop {
            self.held = Some(tenure.clone());
            self.last = Some(tenure.clone());
            match timeout_at(self.steps_down_at(&tenure), self.renewed(tenure.clone())).await {
                Ok(Some(renewed)) => tenure = renewed,
                // Somebody else has it, or nobody answered in time.
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Renews after a while, again and again until the server answers; `None` when the Lease is lost.
    async fn renewed(&self, mut tenure: Tenure) -> Option<Tenure> {
        sleep(self.pause()).await;
        loop {
            match self.try_renew(&tenure).await {
                Ok(Renewal::Renewed(renewed)) => return Some(renewed),
                Ok(Renewal::Known(found)) => tenure = found,
                Ok(Renewal::Lost) => return None,
                Err(error) => {
                    tracing::warn!(lease = %self.name, %error, "the lead cannot be renewed now");
                    sleep(self.pause() / 3).await;
                }
            }
        }
    }

    async fn try_renew(&self, tenure: &Tenure) -> Result<Renewal> {
        let (patch, renewed) = self.claimant.renew(tenure, self.leases.now(), Instant::now());
        match self.leases.patch(CAMPAIGN, &self.name, &patch, self.limit()).await? {
            Written::Done(_) => return Ok(Renewal::Renewed(renewed)),
            Written::Gone => return Ok(Renewal::Lost),
            Written::Refused(_) => {}
        }
        // The answer to an earlier renewal may have been lost.
        let lease = self.leases.read(CAMPAIGN, &self.name, self.limit()).await?;
        let lease =
            lease.ok_or_else(|| Error::new(ErrorKind::NotFound, CAMPAIGN, "the lease was removed"))?;
        Ok(self.claimant.still_holds(&lease, tenure).map_or(Renewal::Lost, Renewal::Known))
    }

    /// Two thirds of the time since the renewal was sent. Whoever follows counts from when he saw it, so from later.
    fn steps_down_at(&self, tenure: &Tenure) -> Instant {
        tenure.until - self.claimant.lasts.duration() / 3
    }

    fn pause(&self) -> Duration {
        self.claimant.lasts.duration() / 4
    }

    /// How long one request may take: short enough that a second one fits in before it is time to step down.
    fn limit(&self) -> Duration {
        (self.claimant.lasts.duration() / 6).max(SHORTEST)
    }
}

enum Tried {
    Acquired(Tenure),
    Held { until: Instant },
}

enum Renewal {
    Renewed(Tenure),
    /// The Lease shows an earlier renewal, whose answer was lost.
    Known(Tenure),
    Lost,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hotfix_core::memory::ManualClock;
    use hotfix_testkit::http::{Answer, ScriptedServer};
    use serde_json::{Value, json};

    use super::super::connection::LeaseConfig;
    use super::*;

    fn missing() -> Answer {
        Answer::json(404, &json!({"kind": "Status", "code": 404, "reason": "NotFound"}))
    }

    /// The epoch that a request writes.
    fn epoch_in(body: &Value) -> u64 {
        let lease = match body {
            Value::Array(patch) => {
                json!({"metadata": {"annotations": {"hotfix.dev/lease": patch[1]["value"]}}})
            }
            lease => lease.clone(),
        };
        epoch_of(&lease)
    }

    #[tokio::test]
    async fn a_lease_that_was_removed_begins_above_what_the_next_leader_has_seen() {
        let mark = |epoch: u64| json!({"hotfix.dev/lease": format!(r#"{{"epoch":{epoch},"beat":0}}"#)});
        let held = |epoch| {
            let lease = json!({
                "metadata": {"annotations": mark(epoch)},
                "spec": {"holderIdentity": "replica-1", "leaseDurationSeconds": 15},
            });
            Answer::json(200, &lease)
        };
        let free = |epoch| Answer::json(200, &json!({"metadata": {"annotations": mark(epoch)}, "spec": {}}));
        let cases = [
            // What is read of the Lease at each try until it is claimed, and under which epoch that is.
            (vec![missing()], 1),
            (vec![free(4)], 5),
            (vec![held(7), missing()], 8),
            (vec![held(7), free(2)], 8),
        ];
        for (reads, expected) in cases {
            let (server, tries) = (ScriptedServer::start().await, reads.len());
            reads.into_iter().for_each(|read| server.respond(read));
            server.otherwise(Answer::json(200, &json!({})));
            let cluster = kube::Config::new(server.url("").parse().unwrap());
            let clock = Arc::new(ManualClock::default());
            let leases = Leases::connect(LeaseConfig::default(), cluster, clock).unwrap();
            let name = WorkerName::new("replica-2").unwrap();
            let mut leadership = leases.campaign(&name, Period::from_secs(3));
            assert_eq!(leadership.gained().await, LeadershipTerm { epoch: expected });
            let written = server.request(tries).await;
            assert_eq!(epoch_in(&written.json()), expected);
        }
    }
}
