//! Runs, entries and postings as the cases write them.

use hotfix_core::model::{
    Fenced, IncidentId, IncidentStatus, IssueKey, Message, Part, Period, Phase, RunId, Severity,
    TimelineEvent, TimelineKind, Timestamp, Tone, WorkerName,
};
use hotfix_core::port::{
    Append, Appended, Delivered, Lease, NewIncident, NewRun, Opened, OutboxItem, Posting, PostingKind,
    RunState, Settlement, ThreadKey,
};

use super::super::expect::{broken, equal, succeeds};
use super::super::report::{Outcome, Unmet};
use super::{IncidentStoreFixture, StoreSite};

/// How long leases of the cases last.
pub(super) const TTL: Period = Period::from_secs(15);

/// A store with the fixture that lets its time pass.
pub(super) struct Ledger<'a> {
    fixture: &'a dyn IncidentStoreFixture,
    pub(super) site: StoreSite,
}

pub(super) fn run_id(text: &str) -> RunId {
    RunId::new(text).expect("run ids of cases are valid")
}

pub(super) fn worker(text: &str) -> WorkerName {
    WorkerName::new(text).expect("worker names of cases are valid")
}

pub(super) fn incident_id(text: &str) -> IncidentId {
    IncidentId::new(text).expect("incident ids of cases are valid")
}

pub(super) fn issue(text: &str) -> IssueKey {
    IssueKey::new(text).expect("issue keys of cases are valid")
}

pub(super) fn target(text: &str) -> Fenced {
    text.parse().expect("targets of cases are valid")
}

pub(super) const SLACK: &str = "slack:incidents";
pub(super) const MAIL: &str = "email:oncall";

/// A run by worker `w1` on `production/shop`, about the incident `inc-<run>` of issue ENG-1, that tells nobody.
pub(super) fn new_run(run: &str) -> NewRun {
    NewRun {
        run: run_id(run),
        worker: worker("w1"),
        claims: vec![target("production/shop")],
        ttl: TTL,
        epoch_above: 0,
        incident: NewIncident {
            id: incident_id(&format!("inc-{run}")),
            issue: issue("ENG-1"),
            title: "Checkout is down".to_owned(),
            severity: Severity::P1,
        },
        body: format!("{{\"planned\":\"{run}\"}}"),
        timeline: Vec::new(),
        postings: Vec::new(),
    }
}

/// An entry that only goes on.
pub(super) fn entry(lease: &Lease, seq: u64, body: &str) -> Append {
    Append {
        run: lease.run.clone(),
        epoch: lease.epoch,
        seq,
        body: body.to_owned(),
        state: RunState::Active,
        timeline: Vec::new(),
        postings: Vec::new(),
        known_good: Vec::new(),
    }
}

/// A last entry.
pub(super) fn end(lease: &Lease, seq: u64) -> Append {
    Append { state: RunState::Ended, ..entry(lease, seq, "end") }
}

pub(super) fn event(run: &str, text: &str, status: Option<IncidentStatus>) -> TimelineEvent {
    TimelineEvent {
        at: Timestamp::from_timestamp(1_760_000_000, 0).expect("a constant within range"),
        run: run_id(run),
        kind: TimelineKind::Progress,
        text: text.to_owned(),
        status,
    }
}

/// A posting of a run, about the incident that the run would open.
pub(super) fn posting(run: &str, kind: PostingKind, text: &str) -> Posting {
    Posting {
        dedup: format!("{run}:{text}"),
        thread: ThreadKey { incident: incident_id(&format!("inc-{run}")), run: run_id(run) },
        kind,
        message: Message {
            tone: Tone::Neutral,
            phase: Phase::Started,
            title: vec![Part::Ours(text.to_owned())],
            body: Vec::new(),
            facts: Vec::new(),
        },
        silencing: None,
        root: None,
    }
}

pub(super) fn receipt(id: &str) -> Delivered {
    Delivered { channel: "C1".to_owned(), id: id.to_owned() }
}

/// What identifies a handed out posting to a case: destination and text.
pub(super) fn names(items: &[OutboxItem]) -> Vec<(&str, String)> {
    let name = |item: &OutboxItem| item.posting.message.plain_title();
    items.iter().map(|item| (item.destination.as_str(), name(item))).collect()
}

impl<'a> Ledger<'a> {
    pub(super) async fn begin(fixture: &'a dyn IncidentStoreFixture) -> Self {
        let site = fixture.site().await;
        Self { fixture, site }
    }

    pub(super) async fn pass(&self, period: Period) {
        self.fixture.pass(&self.site, period).await;
    }

    /// Opens a run that must be granted.
    pub(super) async fn open(&self, run: NewRun) -> Result<(Lease, IncidentId), Unmet> {
        match succeeds("open_run", self.site.store.open_run(run).await)? {
            Opened::Claimed { lease, incident } => Ok((lease, incident)),
            Opened::Busy(claim) => {
                Err(broken(format!("open_run: expected Claimed, found Busy by {claim:?}")))
            }
        }
    }

    pub(super) async fn append(&self, append: Append) -> Result<Appended, Unmet> {
        succeeds("append", self.site.store.append(append).await)
    }

    /// Appends an entry that must be written.
    pub(super) async fn write(&self, append: Append) -> Outcome {
        let what = format!("the append of entry {}", append.seq);
        equal(&what, &self.append(append).await?, &Appended::Written)
    }

    /// Reads the bodies of a journal through the second handle.
    pub(super) async fn bodies(&self, run: &str) -> Result<Vec<String>, Unmet> {
        let journal = succeeds("journal", self.site.second.journal(&run_id(run), 0).await)?;
        Ok(journal.into_iter().map(|entry| entry.body).collect())
    }

    /// Takes what is due from the outbox, whatever the destination.
    pub(super) async fn take(&self) -> Result<Vec<OutboxItem>, Unmet> {
        let mut items = Vec::new();
        for destination in [SLACK, MAIL] {
            let due = self.site.store.lease_outbox(destination, TTL, 100).await;
            items.extend(succeeds("lease_outbox", due)?);
        }
        items.sort_by_key(|item| item.id);
        Ok(items)
    }

    pub(super) async fn settle(&self, item: &OutboxItem, settlement: Settlement) -> Outcome {
        succeeds("settle_outbox", self.site.store.settle_outbox(item, settlement).await)
    }

    /// Takes what is due, which must be exactly this, in this order.
    pub(super) async fn take_exactly(&self, expected: &[(&str, &str)]) -> Result<Vec<OutboxItem>, Unmet> {
        let items = self.take().await?;
        let expected: Vec<_> = expected.iter().map(|(place, text)| (*place, (*text).to_owned())).collect();
        equal("what is due in the outbox", &names(&items), &expected)?;
        Ok(items)
    }
}
