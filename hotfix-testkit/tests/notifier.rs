//! The reference notifier keeps the contract of its port, whole or narrowed.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::memory::MemoryNotifier;
use hotfix_core::port::{Notifier, NotifierCapabilities, Offered};
use hotfix_testkit::conformance::notifier::{self, Board, NotifierFixture, NotifierSite, Repeats, Seen};

/// Makes a memory destination, seen through a wrapper.
pub(crate) struct Fixture {
    capabilities: NotifierCapabilities,
    wrap: fn(Arc<dyn Notifier>) -> Arc<dyn Notifier>,
}

#[derive(Debug)]
struct MemoryBoard(MemoryNotifier);

#[async_trait]
impl Board for MemoryBoard {
    async fn shown(&self) -> Vec<Seen> {
        let seen = self.0.shown().into_iter();
        seen.map(|shown| Seen { text: shown.message.plain_title(), under: shown.under }).collect()
    }
}

#[async_trait]
impl NotifierFixture for Fixture {
    async fn site(&self) -> NotifierSite {
        let notifier = MemoryNotifier::new("memory:incidents").with_capabilities(self.capabilities);
        NotifierSite {
            board: Arc::new(MemoryBoard(notifier.clone())),
            notifier: (self.wrap)(Arc::new(notifier)),
            repeats: Repeats::Dropped,
        }
    }
}

/// A fixture whose destination offers everything, or nothing that can be left out.
pub(crate) fn offering(all: Offered, wrap: fn(Arc<dyn Notifier>) -> Arc<dyn Notifier>) -> Fixture {
    let capabilities = NotifierCapabilities { threads: all, updates: all, probe: all };
    Fixture { capabilities, wrap }
}

#[tokio::test]
async fn the_reference_notifier_keeps_every_case() {
    let report = notifier::report(&offering(Offered::Yes, |inner| inner)).await;
    report.assert_kept();
    let skipped = [
        "cases::a_reply_without_threads_stands_alone",
        "cases::an_update_is_skipped_where_it_is_not_offered",
    ];
    assert_eq!(report.skipped(), skipped);
}

#[tokio::test]
async fn a_destination_that_only_posts_keeps_what_it_offers() {
    let report = notifier::report(&offering(Offered::No, |inner| inner)).await;
    report.assert_kept();
    assert_eq!(
        report.skipped(),
        ["cases::a_reply_stands_below_its_root", "cases::an_update_changes_the_root"]
    );
}
