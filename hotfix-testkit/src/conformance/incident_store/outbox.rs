//! The outbox: one posting at a time per thread and destination, handed out until its end is known.

use hotfix_core::ErrorKind;
use hotfix_core::model::{Period, RunId};
use hotfix_core::port::{OutboxItem, OutboxState, Posting, PostingKind, Settlement, Silence, Silencing};

use super::super::expect::{equal, fails, succeeds};
use super::super::report::{Outcome, Unmet};
use super::IncidentStoreFixture;
use super::ledger::{Ledger, MAIL, SLACK, TTL, end, entry, names, new_run, posting, receipt, target};

/// Opens a run whose postings go to the destinations, in order.
async fn told<'a>(
    fixture: &'a dyn IncidentStoreFixture,
    postings: &[(&str, PostingKind, &str)],
) -> Result<Ledger<'a>, Unmet> {
    let ledger = Ledger::begin(fixture).await;
    let mut run = new_run("r1");
    let told = postings.iter().map(|(place, kind, text)| ((*place).to_owned(), posting("r1", *kind, text)));
    run.postings = told.collect();
    ledger.open(run).await?;
    Ok(ledger)
}

const THREAD: [(&str, PostingKind, &str); 3] = [
    (SLACK, PostingKind::Root, "root"),
    (SLACK, PostingKind::Reply, "reply"),
    (SLACK, PostingKind::Update, "update"),
];

/// Within a thread the order is kept, and everything after the root carries the root's receipt.
pub async fn the_root_goes_first_and_its_receipt_reaches_the_replies(
    fixture: &dyn IncidentStoreFixture,
) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let root = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    equal("the root's own root", &root.posting.root, &None)?;
    ledger.take_exactly(&[]).await?;
    ledger.settle(&root, Settlement::Delivered(receipt("1"))).await?;
    for (text, own) in [("reply", "2"), ("update", "1")] {
        let item = ledger.take_exactly(&[(SLACK, text)]).await?.remove(0);
        equal("the root of what follows", &item.posting.root, &Some(receipt("1")))?;
        ledger.settle(&item, Settlement::Delivered(receipt(own))).await?;
    }
    ledger.take_exactly(&[]).await.map(drop)
}

/// Two destinations of a thread, and two threads of a destination, are independent; the older comes first.
pub async fn threads_and_destinations_do_not_wait_for_each_other(
    fixture: &dyn IncidentStoreFixture,
) -> Outcome {
    let mail = [(MAIL, PostingKind::Root, "mail"), (MAIL, PostingKind::Reply, "more mail")];
    let ledger = told(fixture, &[&THREAD[..], &mail].concat()).await?;
    let mut second = new_run("r2");
    second.claims = vec![target("staging/shop")];
    second.postings.push((SLACK.to_owned(), posting("r2", PostingKind::Root, "second root")));
    ledger.open(second).await?;
    let due = [(SLACK, "root"), (MAIL, "mail"), (SLACK, "second root")];
    let items = ledger.take_exactly(&due).await?;
    ledger.settle(&items[1], Settlement::Delivered(receipt("m1"))).await?;
    let item = ledger.take_exactly(&[(MAIL, "more mail")]).await?.remove(0);
    equal("the root at the other destination", &item.posting.root, &Some(receipt("m1")))
}

/// What was handed out is not handed out again before its lease has run out, through any handle.
pub async fn a_leased_posting_is_not_handed_out_again(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD[..1]).await?;
    let (first, second) = tokio::join!(
        ledger.site.store.lease_outbox(SLACK, TTL, 10),
        ledger.site.second.lease_outbox(SLACK, TTL, 10)
    );
    let taken = [succeeds("lease_outbox", first)?, succeeds("lease_outbox", second)?].concat();
    equal("what two takers got together", &names(&taken), &vec![(SLACK, "root".to_owned())])?;
    ledger.pass(Period::from_secs(14)).await;
    ledger.take_exactly(&[]).await.map(drop)
}

/// What was handed out and never settled comes back as uncertain: somebody must look first.
pub async fn a_lease_that_ran_out_is_uncertain(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let first = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    equal("at first", &(first.state, first.attempts), &(OutboxState::Waiting, 0))?;
    ledger.pass(Period::from_secs(16)).await;
    let again = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    equal("the number", &again.id, &first.id)?;
    equal("afterwards", &(&again.state, again.attempts), &(&OutboxState::Uncertain, 1))?;
    ledger.settle(&again, Settlement::Delivered(receipt("1"))).await?;
    ledger.take_exactly(&[(SLACK, "reply")]).await.map(drop)
}

/// Whoever lost a posting to another worker, because its lease ran out, has nothing more to say about it.
pub async fn who_lost_a_posting_does_not_settle_it(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let lost = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    ledger.pass(Period::from_secs(16)).await;
    let item = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    let (after, cause) = (Period::from_secs(0), "late".to_owned());
    for late in [
        Settlement::Retry { after, cause: cause.clone() },
        Settlement::Uncertain { after, cause: cause.clone() },
        Settlement::Dead { cause },
    ] {
        ledger.settle(&lost, late).await?;
        ledger.take_exactly(&[]).await?;
    }
    ledger.settle(&item, Settlement::Delivered(receipt("1"))).await?;
    ledger.take_exactly(&[(SLACK, "reply")]).await.map(drop)
}

/// That a posting arrived is a fact, also from a worker that lost it meanwhile: nobody has to send it again.
pub async fn a_late_delivery_counts(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let lost = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    ledger.pass(Period::from_secs(16)).await;
    let item = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    ledger.settle(&lost, Settlement::Delivered(receipt("1"))).await?;
    let (after, cause) = (Period::from_secs(0), "status 503".to_owned());
    ledger.settle(&item, Settlement::Retry { after, cause }).await?;
    let next = ledger.take_exactly(&[(SLACK, "reply")]).await?.remove(0);
    equal("the root of what follows", &next.posting.root, &Some(receipt("1")))
}

/// A posting to be tried again waits its time, is counted, and still blocks its thread.
pub async fn a_retry_waits_and_is_counted(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    for attempts in 0..3 {
        let item = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
        equal("state and attempts", &(&item.state, item.attempts), &(&OutboxState::Waiting, attempts))?;
        let (after, cause) = (Period::from_secs(30), "status 503".to_owned());
        ledger.settle(&item, Settlement::Retry { after, cause }).await?;
        ledger.take_exactly(&[]).await?;
        ledger.pass(Period::from_secs(29)).await;
        ledger.take_exactly(&[]).await?;
        ledger.pass(Period::from_secs(2)).await;
    }
    ledger.take_exactly(&[(SLACK, "root")]).await.map(drop)
}

/// A posting whose arrival is not known comes back as uncertain, when it was said.
pub async fn an_uncertain_posting_comes_back_as_such(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let item = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    let (after, cause) = (Period::from_secs(5), "no answer".to_owned());
    ledger.settle(&item, Settlement::Uncertain { after, cause }).await?;
    ledger.take_exactly(&[]).await?;
    ledger.pass(Period::from_secs(6)).await;
    let again = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    equal("its state", &again.state, &OutboxState::Uncertain)?;
    let (after, cause) = (Period::from_secs(1), "it did not arrive".to_owned());
    ledger.settle(&again, Settlement::Retry { after, cause }).await?;
    ledger.pass(Period::from_secs(2)).await;
    let third = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    equal("its state once it is known not to have arrived", &third.state, &OutboxState::Waiting)
}

/// A posting that was given up is not handed out again, and what follows it in the thread is.
pub async fn a_dead_posting_does_not_block_its_thread(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let item = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    let cause = "channel_not_found".to_owned();
    ledger.settle(&item, Settlement::Dead { cause }).await?;
    let next = ledger.take_exactly(&[(SLACK, "reply")]).await?.remove(0);
    equal("the root of what follows a dead root", &next.posting.root, &None)
}

/// What waits, is uncertain or was given up is listed; what arrived is not.
pub async fn what_was_not_delivered_is_listed(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let root = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    ledger.settle(&root, Settlement::Delivered(receipt("1"))).await?;
    let reply = ledger.take_exactly(&[(SLACK, "reply")]).await?.remove(0);
    let cause = "msg_too_long".to_owned();
    ledger.settle(&reply, Settlement::Dead { cause: cause.clone() }).await?;
    let listed = succeeds("undelivered", ledger.site.second.undelivered().await)?;
    let expected = vec![(SLACK, "reply".to_owned()), (SLACK, "update".to_owned())];
    equal("what was not delivered", &names(&listed), &expected)?;
    let states: Vec<_> = listed.into_iter().map(|item| item.state).collect();
    equal("where it stands", &states, &vec![OutboxState::Dead { cause }, OutboxState::Waiting])
}

/// No more postings are handed out than asked for, and the end of a run does not take the rest away.
pub async fn the_limit_is_kept(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    for (run, place) in [("a", "production/shop"), ("b", "staging/shop"), ("c", "production/cart")] {
        let mut new = new_run(run);
        new.claims = vec![target(place)];
        let (lease, _) = ledger.open(new).await?;
        let mut one = entry(&lease, 1, "one");
        one.postings.push((SLACK.to_owned(), posting(run, PostingKind::Root, run)));
        ledger.write(one).await?;
        ledger.write(end(&lease, 2)).await?;
    }
    let first = succeeds("lease_outbox", ledger.site.store.lease_outbox(SLACK, TTL, 2).await)?;
    equal("the first two", &names(&first), &vec![(SLACK, "a".to_owned()), (SLACK, "b".to_owned())])?;
    ledger.take_exactly(&[(SLACK, "c")]).await.map(drop)
}

/// What a posting asks of those who silence alerts comes back as it was written.
pub async fn what_is_asked_about_alerts_is_kept(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = Ledger::begin(fixture).await;
    let mut run = new_run("r1");
    let silencing = Some(Silencing::Begin(silence(&run.run)));
    let asking = Posting { silencing, ..posting("r1", PostingKind::Reply, "silence") };
    run.postings = vec![(MAIL.to_owned(), asking.clone())];
    ledger.open(run).await?;
    let item = ledger.take_exactly(&[(MAIL, "silence")]).await?.remove(0);
    equal("the posting", &item.posting, &asking)
}

fn silence(run: &RunId) -> Silence {
    Silence {
        run: run.clone(),
        target: "production/shop".parse().expect("a target"),
        until: "2026-11-21T10:00:00.125Z".parse().expect("a time"),
    }
}

/// Settling a posting that does not exist is an error.
pub async fn an_unknown_posting_is_not_found(fixture: &dyn IncidentStoreFixture) -> Outcome {
    let ledger = told(fixture, &THREAD).await?;
    let item = ledger.take_exactly(&[(SLACK, "root")]).await?.remove(0);
    let unknown = OutboxItem { id: 999_999, ..item };
    let settled = ledger.site.store.settle_outbox(&unknown, Settlement::Delivered(receipt("1"))).await;
    fails("settle_outbox", settled, ErrorKind::NotFound)
}
