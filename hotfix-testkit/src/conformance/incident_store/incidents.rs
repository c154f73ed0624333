//! Incidents, their timelines, and the releases that were proven healthy.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Artifact, Incident, IncidentStatus, Period, Release, Severity, Target, Version};
use hotfix_core::port::{Basis, KnownGood, NewRun, PostingKind};

use super::super::expect::{equal, fails, succeeds};
use super::super::report::Outcome;
use super::IncidentStoreFixture;
use super::ledger::{Ledger, SLACK, end, entry, event, incident_id, issue, new_run, posting, target};

pub(super) fn workload(text: &str) -> Target {
    text.parse().expect("targets of cases are valid")
}

/// A release whose artifact is determined by the last digit of its version.
pub(super) fn release(version: &str) -> Release {
    let tree = version[version.len() - 1..].repeat(40).parse().expect("forty digits");
    Release {
        version: Version::parse(version).expect("versions of cases are valid"),
        tag: format!("v{version}").parse().expect("tags of cases are valid"),
        artifact: Artifact::Tree(tree),
    }
}

fn on_staging(run: &str) -> NewRun {
    NewRun { claims: vec![target("staging/shop")], ..new_run(run) }
}

/// The first run for an issue opens the incident it brings.
pub async fn the_first_run_opens_an_incident(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let mut run = new_run("r1");
    run.timeline = vec![event("r1", "first", None), event("r1", "second", None)];
    let (_, id) = ledger.open(run.clone()).await?;
    equal("its id", &id, &incident_id("inc-r1"))?;
    let found = succeeds("incident", ledger.site.second.incident(&id).await)?;
    let expected = Incident {
        id: id.clone(),
        issue: run.incident.issue,
        title: "Checkout is down".to_owned(),
        severity: Severity::P1,
        status: IncidentStatus::Declared,
        opened_at: found.opened_at,
    };
    equal("the incident", &found, &expected)?;
    equal("its timeline", &succeeds("timeline", ledger.site.second.timeline(&id).await)?, &run.timeline)
}

/// Another run for the same issue joins the open incident, and its postings go to that incident's thread.
pub async fn a_second_run_joins_it(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (first, incident) = ledger.open(new_run("r1")).await?;
    ledger.write(end(&first, 1)).await?;
    let mut second = new_run("r2");
    second.timeline.push(event("r2", "again", None));
    second.postings.push((SLACK.to_owned(), posting("r2", PostingKind::Root, "root")));
    let (lease, joined) = ledger.open(second).await?;
    equal("the incident of the second run", &joined, &incident)?;
    fails("its own", ledger.site.second.incident(&incident_id("inc-r2")).await, ErrorKind::NotFound)?;
    let timeline = succeeds("timeline", ledger.site.second.timeline(&incident).await)?;
    equal("the timeline", &timeline, &vec![event("r2", "again", None)])?;
    let mut more = entry(&lease, 1, "more");
    let mut other = posting("r2", PostingKind::Root, "elsewhere");
    other.thread.incident = incident.clone();
    more.postings.push(("email:oncall".to_owned(), other));
    ledger.write(more).await?;
    let items = ledger.take_exactly(&[(SLACK, "root"), ("email:oncall", "elsewhere")]).await?;
    let threads: Vec<_> = items.iter().map(|item| item.posting.thread.incident.clone()).collect();
    equal("the incident of the threads", &threads, &vec![incident.clone(), incident])
}

/// A resolved incident is over: the next run for the issue opens its own.
pub async fn a_resolved_incident_is_not_joined(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, first) = ledger.open(new_run("r1")).await?;
    let mut last = end(&lease, 1);
    last.timeline.push(event("r1", "over", Some(IncidentStatus::Resolved)));
    ledger.write(last).await?;
    let (_, second) = ledger.open(new_run("r2")).await?;
    equal("the incident of the second run", &second, &incident_id("inc-r2"))?;
    let old = succeeds("incident", ledger.site.second.incident(&first).await)?;
    equal("the status of the first", &old.status, &IncidentStatus::Resolved)?;
    let mut third = on_staging("r3");
    third.incident.issue = issue("ENG-2");
    let (_, other) = ledger.open(third).await?;
    equal("the incident of another issue", &other, &incident_id("inc-r3"))
}

/// An event with a status moves the incident there; one without leaves it; the timeline keeps the order of writing.
pub async fn the_timeline_moves_the_status(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let mut run = new_run("r1");
    run.timeline.push(event("r1", "z", Some(IncidentStatus::Mitigating)));
    let (lease, id) = ledger.open(run).await?;
    let status = || async {
        let incident = succeeds("incident", ledger.site.second.incident(&id).await)?;
        Ok::<_, super::super::Unmet>(incident.status)
    };
    equal("after the first event", &status().await?, &IncidentStatus::Mitigating)?;
    let mut one = entry(&lease, 1, "one");
    one.timeline = vec![event("r1", "y", Some(IncidentStatus::Mitigated)), event("r1", "x", None)];
    ledger.write(one).await?;
    equal("after two more", &status().await?, &IncidentStatus::Mitigated)?;
    let timeline = succeeds("timeline", ledger.site.second.timeline(&id).await)?;
    let texts: Vec<&str> = timeline.iter().map(|event| event.text.as_str()).collect();
    equal("the timeline", &texts, &vec!["z", "y", "x"])
}

/// An incident that was never opened is not found.
pub async fn an_unknown_incident_is_not_found(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let id = incident_id("inc-r9");
    fails("incident", ledger.site.store.incident(&id).await, ErrorKind::NotFound)?;
    fails("timeline", ledger.site.store.timeline(&id).await, ErrorKind::NotFound)
}

/// The releases that are known to be good on a target are remembered beyond the run: the newest first, each artifact once,
/// no more than asked for, and for that target only.
pub async fn the_known_good_releases_are_kept(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let (lease, _) = ledger.open(new_run("r1")).await?;
    let (production, staging) = (workload("production/shop"), workload("staging/shop"));
    let good = |version: &str, seconds| KnownGood {
        target: production.clone(),
        release: release(version),
        at: lease.expires_at + Period::from_secs(seconds).to_delta(),
        basis: if seconds == 0 { Basis::Served } else { Basis::Proven },
    };
    let store = &ledger.site.second;
    let known = async |target, limit| succeeds("known_good", store.known_good(target, limit).await);
    equal("before any proof", &known(&production, 5).await?, &Vec::new())?;
    let mut one = entry(&lease, 1, "one");
    one.known_good = vec![good("2.1.0", 0), good("2.1.1", 1)];
    ledger.write(one).await?;
    equal("after two", &known(&production, 5).await?, &vec![good("2.1.1", 1), good("2.1.0", 0)])?;
    let mut two = end(&lease, 2);
    two.known_good.push(good("2.1.0", 5));
    ledger.write(two).await?;
    let expected = vec![good("2.1.0", 5), good("2.1.1", 1)];
    equal("after the first was proven again", &known(&production, 5).await?, &expected)?;
    equal("the last alone", &known(&production, 1).await?, &expected[..1].to_vec())?;
    equal("another target", &known(&staging, 5).await?, &Vec::new())
}
