//! The contract of [`Notifier`].

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::model::{IncidentId, Message, Part, Phase, RunId, Tone};
use hotfix_core::port::{
    Delivered, DeliveryOutcome, Notifier, Offered, Posting, PostingKind, PostingProbe, ThreadKey,
};

use super::expect::{broken, equal, fails, holds, offered, succeeds};
use super::report::{Outcome, Report, Unmet};
use super::run_cases;

/// What the author of a notifier provides: usually the notifier and a scripted server that plays its service.
#[async_trait]
pub trait NotifierFixture: Send + Sync {
    /// Makes a destination that shows nothing yet and accepts everything.
    async fn site(&self) -> NotifierSite;
}

/// A destination that is ready for one case.
#[derive(Debug, Clone)]
pub struct NotifierSite {
    /// The backend.
    pub notifier: Arc<dyn Notifier>,
    /// What the people at the destination see.
    pub board: Arc<dyn Board>,
    /// What the service does with a posting that it got before.
    pub repeats: Repeats,
}

/// What the people at a destination see.
#[async_trait]
pub trait Board: std::fmt::Debug + Send + Sync {
    /// Returns everything that is shown now, in the order of arrival.
    async fn shown(&self) -> Vec<Seen>;
}

/// One message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it says, laid out by the backend: a case looks whether it contains its words.
    pub text: String,
    /// The message it stands below, if it is an answer.
    pub under: Option<Delivered>,
}

/// What a service does with a posting that it got before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// It knows its key and shows it once.
    Dropped,
    /// It cannot tell and shows it again.
    Shown,
}

/// Runs every case that the backend's capabilities allow.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn NotifierFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case that the backend's capabilities allow and returns what came out.
pub async fn report(fixture: &dyn NotifierFixture) -> Report {
    let mut report = Report::new("notifier");
    run_cases!(report, fixture, [cases::{
        the_destination_has_a_stable_name,
        a_root_is_shown,
        words_from_outside_are_shown_literally,
        a_reply_stands_below_its_root,
            a_broadcast_is_a_reply,
        a_reply_without_threads_stands_alone,
        an_update_changes_the_root,
        an_update_is_skipped_where_it_is_not_offered,
        a_repeated_posting_is_shown_once,
        a_posting_is_found_once_it_arrived,
    }]);
    report
}

/// The cases, one per sentence of the contract.
pub mod cases {
    use super::*;

    /// The destination's name is not empty, has no blanks, and does not change.
    pub async fn the_destination_has_a_stable_name(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        let name = site.notifier.destination().to_owned();
        let is_token = !name.is_empty() && !name.chars().any(char::is_whitespace);
        holds(is_token, &format!("{name:?} is a name without blanks"))?;
        deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        equal("the name afterwards", &site.notifier.destination(), &name.as_str())
    }

    /// A root is shown as a message of its own.
    pub async fn a_root_is_shown(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        shows(&site, &[("root", None)]).await
    }

    /// Words from outside lose nothing and become no markup: the text arrives as it is, or as the service escapes it.
    pub async fn words_from_outside_are_shown_literally(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        let mut root = posting("root", PostingKind::Root, None);
        root.message.title = vec![
            Part::Ours("Checkout ".to_owned()),
            Part::Foreign("outage-in-eu-1".to_owned()),
            Part::Ours(" is being fixed".to_owned()),
        ];
        deliver(&site, &root).await?;
        let shown = site.board.shown().await;
        let text = shown.first().map(|seen| seen.text.clone()).unwrap_or_default();
        for words in ["Checkout", "outage-in-eu-1", "is being fixed"] {
            holds(text.contains(words), &format!("{text:?} contains {words:?}"))?;
        }
        Ok(())
    }

    /// Where threads are offered, a reply stands below the root whose receipt it carries.
    pub async fn a_reply_stands_below_its_root(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        offered(site.notifier.capabilities().threads == Offered::Yes, "a thread")?;
        let root = deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        deliver(&site, &posting("reply", PostingKind::Reply, Some(&root))).await?;
        shows(&site, &[("root", None), ("reply", Some(&root))]).await
    }

    /// A reply that asks for everybody's attention stands below its root too, or alone where threads are not offered.
    pub async fn a_broadcast_is_a_reply(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        let root = deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        deliver(&site, &posting("news", PostingKind::Broadcast, Some(&root))).await?;
        let threads = site.notifier.capabilities().threads == Offered::Yes;
        shows(&site, &[("root", None), ("news", threads.then_some(&root))]).await
    }

    /// Where threads are not offered, a reply is a message of its own.
    pub async fn a_reply_without_threads_stands_alone(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        offered(site.notifier.capabilities().threads == Offered::No, "a destination without threads")?;
        let root = deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        deliver(&site, &posting("reply", PostingKind::Reply, Some(&root))).await?;
        shows(&site, &[("root", None), ("reply", None)]).await
    }

    /// Where updates are offered, an update changes the root in place.
    pub async fn an_update_changes_the_root(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        offered(site.notifier.capabilities().updates == Offered::Yes, "an update")?;
        let root = deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        deliver(&site, &posting("changed", PostingKind::Update, Some(&root))).await?;
        shows(&site, &[("changed", None)]).await
    }

    /// Where updates are not offered, an update counts as delivered and shows nothing.
    pub async fn an_update_is_skipped_where_it_is_not_offered(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        offered(site.notifier.capabilities().updates == Offered::No, "a destination without updates")?;
        let root = deliver(&site, &posting("root", PostingKind::Root, None)).await?;
        deliver(&site, &posting("changed", PostingKind::Update, Some(&root))).await?;
        shows(&site, &[("root", None)]).await
    }

    /// Where the service takes a key, the same posting twice is shown once and has one receipt.
    pub async fn a_repeated_posting_is_shown_once(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        offered(site.repeats == Repeats::Dropped, "a key per posting")?;
        let root = posting("root", PostingKind::Root, None);
        let first = deliver(&site, &root).await?;
        equal("the second receipt", &deliver(&site, &root).await?, &first)?;
        shows(&site, &[("root", None)]).await
    }

    /// `find` tells a posting that arrived from one that did not, or says that it cannot.
    pub async fn a_posting_is_found_once_it_arrived(fixture: &dyn NotifierFixture) -> Outcome {
        let site = fixture.site().await;
        let root = posting("root", PostingKind::Root, None);
        if site.notifier.capabilities().probe == Offered::No {
            return fails("find", site.notifier.find(&root).await, ErrorKind::Unsupported);
        }
        equal("before", &succeeds("find", site.notifier.find(&root).await)?, &PostingProbe::Absent)?;
        let receipt = deliver(&site, &root).await?;
        let found = succeeds("find", site.notifier.find(&root).await)?;
        equal("afterwards", &found, &PostingProbe::Found(receipt))?;
        let other = posting("other", PostingKind::Root, None);
        equal("another one", &succeeds("find", site.notifier.find(&other).await)?, &PostingProbe::Absent)
    }
}

async fn deliver(site: &NotifierSite, posting: &Posting) -> Result<Delivered, Unmet> {
    match site.notifier.deliver(posting).await {
        DeliveryOutcome::Delivered(receipt) => Ok(receipt),
        other => Err(broken(format!("delivering {}: expected Delivered, found {other:?}", posting.dedup))),
    }
}

/// Expects the board to show messages that contain the words, in order, each below the one it answers.
async fn shows(site: &NotifierSite, expected: &[(&str, Option<&Delivered>)]) -> Outcome {
    let shown = site.board.shown().await;
    let matches = |(seen, (words, under)): (&Seen, &(&str, Option<&Delivered>))| {
        seen.text.contains(words) && seen.under.as_ref() == *under
    };
    let as_expected = shown.len() == expected.len() && shown.iter().zip(expected).all(matches);
    if as_expected {
        Ok(())
    } else {
        Err(broken(format!("expected {expected:?} to be shown, found {shown:?}")))
    }
}

fn posting(words: &str, kind: PostingKind, root: Option<&Delivered>) -> Posting {
    Posting {
        dedup: format!("run-1:{words}"),
        thread: ThreadKey {
            incident: IncidentId::new("inc-1").expect("a valid id"),
            run: RunId::new("run-1").expect("a valid id"),
        },
        kind,
        message: Message {
            tone: Tone::Neutral,
            phase: Phase::Started,
            title: vec![Part::Ours(words.to_owned())],
            body: Vec::new(),
            facts: Vec::new(),
        },
        silencing: None,
        root: root.cloned(),
    }
}
