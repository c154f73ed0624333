//! The contract of [`Deployer`](hotfix_core::port::Deployer).

pub mod fence;
pub mod observe;
pub mod restore;
pub mod traffic;
pub mod verbs;

mod site;

use async_trait::async_trait;
use hotfix_core::model::SlotName;

pub use self::site::DeployerSite;
use super::report::Report;
use super::run_cases;

/// What the author of a deployer provides.
#[async_trait]
pub trait DeployerFixture: Send + Sync {
    /// Prepares a target that no call ever touched, with nothing else going on there.
    async fn site(&self) -> DeployerSite;

    /// Makes all instances of a slot lose their readiness, until they are started anew.
    async fn fail(&self, site: &DeployerSite, slot: &SlotName);
}

/// Runs every case that the backend's capabilities allow.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn DeployerFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case that the backend's capabilities allow and returns what came out.
pub async fn report(fixture: &dyn DeployerFixture) -> Report {
    let mut report = Report::new("deployer");
    run_cases!(report, fixture, [
        observe::{
            the_live_release_is_seen,
            an_unknown_target_is_not_found,
            a_snapshot_is_deterministic_and_changes_nothing,
            a_watch_gives_the_present_state_first,
            a_watch_tells_when_a_staged_release_is_ready,
            a_watch_tells_when_readiness_is_lost,
        },
        verbs::{
            stage_fills_a_slot_and_sends_no_traffic,
            stage_of_what_is_there_changes_nothing,
            stage_keeps_the_live_release,
            promote_takes_all_the_traffic,
            retire_empties_an_idle_slot_only,
            pause_keeps_changes_out_until_resume,
            what_is_not_offered_is_refused,
            an_unknown_slot_or_target_is_refused,
        },
        traffic::{
            shift_splits_the_traffic,
            shift_moves_all_the_traffic,
            stage_moves_the_share_of_its_instances,
            shift_is_accepted_for_what_the_instances_give,
            a_split_is_refused_where_traffic_only_switches,
            an_empty_slot_gets_no_traffic,
            a_slot_without_a_ready_instance_gets_no_traffic,
            a_slot_with_traffic_keeps_its_release,
        },
        restore::{
            it_takes_a_half_done_change_back,
            it_takes_a_promoted_release_back,
            a_dead_baseline_does_not_block_it,
            what_is_as_it_was_stays_so,
            a_pause_does_not_block_it,
        },
        fence::{
            stale_and_equal_stamps_are_refused,
            a_repeated_key_is_not_applied_again,
            a_late_duplicate_is_refused,
            a_seal_raises_the_fence_and_nothing_else,
            a_seal_can_be_repeated_and_overtaken,
            nothing_older_passes_a_seal,
            a_probe_tells_applied_from_not_applied,
            of_two_equal_stamps_one_wins,
            a_precondition_on_the_live_release_is_checked,
            a_precondition_on_a_slot_is_checked,
        },
    ]);
    report
}
