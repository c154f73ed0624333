//! The contract of [`IncidentStore`].

pub mod claims;
pub mod incidents;
pub mod journal;
pub mod outbox;
pub mod signals;

mod ledger;

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::Period;
use hotfix_core::port::IncidentStore;

use super::report::Report;
use super::run_cases;

/// What the author of a store provides.
#[async_trait]
pub trait IncidentStoreFixture: Send + Sync {
    /// Makes an empty store.
    async fn site(&self) -> StoreSite;

    /// Lets that much time pass by the clock that the store judges leases with.
    async fn pass(&self, site: &StoreSite, period: Period);
}

/// An empty store, ready for one case.
#[derive(Debug, Clone)]
pub struct StoreSite {
    /// The store.
    pub store: Arc<dyn IncidentStore>,
    /// The same data through a handle of its own: another connection, or the file opened again.
    pub second: Arc<dyn IncidentStore>,
}

/// Runs every case.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn IncidentStoreFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case and returns what came out.
pub async fn report(fixture: &dyn IncidentStoreFixture) -> Report {
    let mut report = Report::new("incident_store");
    run_cases!(report, fixture, [
        claims::{
            a_new_run_claims_its_targets,
            a_claimed_target_is_refused_with_who_holds_it,
            a_refused_run_leaves_nothing,
            a_run_id_is_used_once,
            senseless_claims_are_refused,
            an_expired_lease_does_not_free_a_target,
            a_quarantined_run_keeps_its_targets,
            the_end_frees_the_targets,
            epochs_rise_on_a_target_for_ever,
            an_epoch_that_was_given_out_elsewhere_is_exceeded,
            a_renewed_lease_lasts_longer,
            only_the_owner_renews,
            a_run_is_taken_over_only_after_its_lease,
            a_worker_takes_its_own_run_over_at_once,
            an_ended_run_is_not_taken_over,
            of_two_runs_one_gets_the_target,
            of_two_workers_one_takes_over,
        },
        journal::{
            entries_are_read_as_written,
            only_the_next_number_is_written,
            only_the_current_epoch_writes,
            a_repeated_entry_is_written_once,
            nothing_follows_the_end,
            a_lost_append_leaves_nothing,
            of_two_appends_one_is_written,
            an_unknown_run_is_not_found,
        },
        signals::{
            signals_are_read_in_order,
            signals_of_several_runs_are_read_at_once,
            a_signal_is_stored_once,
            an_ended_run_takes_no_signal,
        },
        incidents::{
            the_first_run_opens_an_incident,
            a_second_run_joins_it,
            a_resolved_incident_is_not_joined,
            the_timeline_moves_the_status,
            an_unknown_incident_is_not_found,
            the_known_good_releases_are_kept,
        },
        outbox::{
            the_root_goes_first_and_its_receipt_reaches_the_replies,
            threads_and_destinations_do_not_wait_for_each_other,
            a_leased_posting_is_not_handed_out_again,
            a_lease_that_ran_out_is_uncertain,
            who_lost_a_posting_does_not_settle_it,
            a_late_delivery_counts,
            a_retry_waits_and_is_counted,
            an_uncertain_posting_comes_back_as_such,
            a_dead_posting_does_not_block_its_thread,
            what_was_not_delivered_is_listed,
            the_limit_is_kept,
        what_is_asked_about_alerts_is_kept,
            an_unknown_posting_is_not_found,
        },
    ]);
    report
}
