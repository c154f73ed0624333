//! The contract of [`VersionControl`](hotfix_core::port::VersionControl).

pub mod batch;
pub mod compose;
pub mod conflict;
pub mod fence;
pub mod file;
pub mod observe;

mod history;

use async_trait::async_trait;

pub use self::history::{CommitScript, HISTORY, History, Repository};
use super::report::Report;
use super::run_cases;

/// What the author of a version control backend provides.
#[async_trait]
pub trait VersionControlFixture: Send + Sync {
    /// Makes a repository with exactly this history, which no call ever touched. With a remote, the remote has the
    /// same history and references.
    async fn repository(&self, history: &History) -> Repository;
}

/// Runs every case that the backend's capabilities allow.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn VersionControlFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case that the backend's capabilities allow and returns what came out.
pub async fn report(fixture: &dyn VersionControlFixture) -> Report {
    let mut report = Report::new("version_control");
    run_cases!(report, fixture, [
        observe::{
            references_are_resolved,
            revisions_are_resolved,
            every_tag_is_listed_with_commit_and_tree,
        },
        compose::{
            the_same_recipe_gives_the_same_ids,
            no_reference_moves,
            a_pick_brings_the_change_and_nothing_else,
            picks_follow_each_other,
            a_pick_of_what_is_there_makes_nothing,
            a_merge_has_two_parents_even_if_it_could_be_forwarded,
            a_merge_of_what_is_contained_makes_nothing,
            a_difference_counts_lines_by_path,
            a_tag_object_names_a_commit_that_was_just_made,
            what_makes_no_sense_is_an_error,
        },
        file::{
            a_file_is_read_as_it_was_written,
            a_write_replaces_one_file_and_nothing_else,
            a_write_of_what_is_there_makes_nothing,
            the_same_write_gives_the_same_id,
            what_is_no_file_is_refused,
        },
        conflict::{
            both_sides_changed_a_file,
            one_side_changed_what_the_other_deleted,
            both_sides_added_a_file,
            what_builds_on_a_conflict_is_skipped_and_the_rest_is_done,
        },
        batch::{
            references_are_created_moved_and_deleted,
            a_reference_that_exists_is_not_created_again,
            a_reference_that_moved_meanwhile_is_not_moved,
            all_references_move_or_none,
            a_tag_is_never_moved_or_deleted,
            a_commit_that_does_not_exist_is_refused,
            of_two_callers_one_moves_the_reference,
            services_are_fenced_apart,
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
        },
    ]);
    report
}
