//! What is read before planning, and what tags say about versions.

use std::collections::BTreeMap;

use hotfix_core::model::{ObjectId, RefName, Severity, TagName, Version};
use hotfix_core::observe::{Fact, Reading, ReleaseTags, Snapshot, VersionChoice, readings};
use hotfix_core::port::{Composed, FetchMode, Instruction, SourceQuery, TagFact};
use hotfix_core::request::{Fix, Goal, RollbackTo};
use hotfix_core::{Error, ErrorKind};

use super::world::{
    World, at, branch, deploy, now, policy, policy_with, production, ready, request, rollback, staging,
};

fn tags(names: &[&str]) -> BTreeMap<TagName, TagFact> {
    let id = ObjectId::new("a".repeat(40)).unwrap();
    let fact = TagFact { commit: id.clone(), tree: id };
    names.iter().map(|name| (TagName::new(name).unwrap(), fact.clone())).collect()
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn choice(text: &str, taken: &[&str]) -> VersionChoice {
    VersionChoice { version: version(text), taken: taken.iter().map(|text| version(text)).collect() }
}

#[test]
fn the_next_version_follows_semver_and_ignores_pre_releases() {
    let all = tags(&["v1.4.2", "v1.5.0-rc.1", "v1.4.10", "v1.4", "release-9.0.0", "1.9.9"]);
    let tags = ReleaseTags::new(&all, "v");
    let (newest, tag, _) = tags.newest().unwrap();
    assert_eq!((newest, tag.as_str()), (&version("1.4.10"), "v1.4.10"));
    assert_eq!(tags.next_patch(newest), choice("1.4.11", &[]));
}

#[test]
fn a_version_that_exists_anywhere_is_taken() {
    let all = tags(&["v1.4.10", "v1.4.11", "v1.4.12+build.5", "v1.4.13-rc.1"]);
    let tags = ReleaseTags::new(&all, "v");
    assert_eq!(tags.next_patch(&version("1.4.10")), choice("1.4.13", &["1.4.11", "1.4.12"]));
    assert_eq!(tags.next_candidate(&version("1.4.13")), 2);
}

#[test]
fn build_metadata_is_dropped_and_the_prefix_is_kept() {
    let all = tags(&["app-2.0.0+linux.7", "app-2.0.1-rc.9", "app-2.0.1-rc.10", "app-2.0.1-beta"]);
    let tags = ReleaseTags::new(&all, "app-");
    assert_eq!(tags.next_patch(tags.newest().unwrap().0), choice("2.0.1", &[]));
    assert_eq!(tags.next_candidate(&version("2.0.1")), 11);
    assert!(ReleaseTags::new(&all, "v").newest().is_none());
}

fn source_of(missing: &[Reading]) -> SourceQuery {
    match missing {
        [Reading::Source(query), ..] => query.clone(),
        other => panic!("{other:?}"),
    }
}

fn names(query: &SourceQuery) -> Vec<&str> {
    query.refs.iter().map(RefName::as_str).collect()
}

#[test]
fn a_deploy_reads_the_repository_then_the_names_that_follow_then_composes() {
    let (world, policy, request) = (World::shop(), policy(), deploy(None));
    let mut snapshot = world.begin();
    let first = readings(&request, &policy, &snapshot);
    let query = source_of(&first);
    assert_eq!(names(&query), ["refs/heads/develop", "refs/heads/main"]);
    assert_eq!((query.revisions.as_slice(), query.fetch), (&["fixes".to_owned()][..], FetchMode::Remote));
    let rest = [
        Reading::Workload(staging()),
        Reading::Snapshot(staging()),
        Reading::KnownGood { target: staging(), limit: 50 },
        Reading::Workload(production()),
        Reading::Snapshot(production()),
        Reading::KnownGood { target: production(), limit: 50 },
        Reading::Runs,
    ];
    assert_eq!(first[1..], rest);

    snapshot.record_source(ready(world_observe(&world, &query)), now());
    let second = source_of(&readings(&request, &policy, &snapshot));
    assert_eq!(names(&second), ["refs/heads/develop", "refs/heads/hotfix/2.1.1", "refs/heads/main"]);

    snapshot.record_source(ready(world_observe(&world, &second)), now());
    let third = readings(&request, &policy, &snapshot);
    let Reading::Compose(recipe) = &third[0] else { panic!("{third:?}") };
    assert_eq!(recipe.at, now());
    let messages: Vec<&str> = recipe.instructions.iter().filter_map(message).collect();
    let trailers = "Resolves: PROD-2847\nSeverity: P1\nTicket: PROD-2847\nRequested-by: ana@example.com\n\
                    Approved-by: kim@example.com\n";
    let expected = [
        "v2.1.1-rc.1: release candidate of a hotfix",
        "Merge hotfix/2.1.1 into main",
        "v2.1.1: hotfix",
        "Merge hotfix/2.1.1 into develop",
    ]
    .map(|subject| format!("{subject}\n\nPayments fail with a null pointer\n\n{trailers}"));
    assert_eq!(messages, expected);
}

fn world_observe<'a>(
    world: &'a World,
    query: &'a SourceQuery,
) -> impl Future<Output = Result<hotfix_core::port::SourceFacts, Error>> + 'a {
    use hotfix_core::port::VersionControl;
    world.git.observe(query)
}

fn message(instruction: &Instruction) -> Option<&str> {
    match instruction {
        Instruction::Merge { message, .. }
        | Instruction::Write { message, .. }
        | Instruction::Tag { message, .. } => Some(message),
        Instruction::Pick { .. } | Instruction::Diff { .. } => None,
    }
}

#[test]
fn text_from_outside_cannot_pass_for_a_trailer() {
    let (world, policy) = (World::shop(), policy());
    let mut request = deploy(None);
    request.title = "broken\n\nSeverity: P3\u{7}".to_owned();
    request.requested_by = "ana\nApproved-by: root".to_owned();
    let snapshot = world.observe(&request, &policy);
    let composition = snapshot.composition.unwrap();
    let text = composition.recipe.instructions.iter().find_map(message).unwrap();
    assert!(text.contains("\n\nbroken Severity: P3\n\n"), "{text}");
    assert!(text.contains("\nRequested-by: ana Approved-by: root\n"), "{text}");
}

#[test]
fn names_by_issue_need_no_second_look_at_the_repository() {
    let policy = policy_with(|settings| settings.source.branch = "hotfix/{issue}".parse().unwrap());
    let snapshot = World::shop().observe(&deploy(None), &policy);
    assert_eq!(snapshot.source_reads, 1);
    assert!(snapshot.composition.is_some());
}

#[test]
fn a_rollback_reads_its_target_and_never_the_repository() {
    let request = rollback(RollbackTo::LastKnownGood);
    let missing = readings(&request, &policy(), &World::shop().begin());
    let expected = [
        Reading::Workload(production()),
        Reading::Snapshot(production()),
        Reading::KnownGood { target: production(), limit: 50 },
        Reading::Runs,
    ];
    assert_eq!(missing, expected);
}

#[test]
fn a_branch_is_made_without_looking_at_workloads() {
    let snapshot = World::shop().observe(&request(Severity::P2, Goal::Create { from: None }), &policy());
    assert_eq!((snapshot.workloads.len(), snapshot.composition), (0, None));
    assert!(snapshot.claims.is_some());
}

#[test]
fn a_gap_is_a_value_and_is_not_asked_for_again() {
    let (world, policy, request) = (World::shop(), policy(), deploy(None));
    let mut snapshot = world.begin();
    let down = || Error::new(ErrorKind::Unavailable, "git.fetch", "no route to host");
    snapshot.record_source(Err(down()), at("2026-11-21T04:00:01Z"));
    let reason = "git.fetch: unavailable: no route to host".to_owned();
    assert_eq!(snapshot.source, Some(Fact::Gap { reason, at: at("2026-11-21T04:00:01Z") }));
    let missing = readings(&request, &policy, &snapshot);
    assert!(!missing.iter().any(|reading| matches!(reading, Reading::Source(_) | Reading::Compose(_))));
}

#[test]
fn a_backend_that_never_answers_what_was_asked_does_not_keep_observing_for_ever() {
    let (world, policy, request) = (World::shop(), policy(), deploy(None));
    let query = source_of(&readings(&request, &policy, &world.begin()));
    let mut snapshot = world.begin();
    for _ in 0..4 {
        source_of(&readings(&request, &policy, &snapshot));
        snapshot.record_source(ready(world_observe(&world, &query)), now());
    }
    let missing = readings(&request, &policy, &snapshot);
    assert!(!missing.iter().any(|reading| matches!(reading, Reading::Source(_))));
}

#[test]
fn the_tree_of_a_branch_is_learned_by_merging_its_release_into_it() {
    let world = World::shop();
    let head = world.git.resolve("fixes").unwrap();
    world.git.set_branch(&branch("hotfix/pay"), Some(&head));
    let mut request = deploy(None);
    if let Goal::Deploy { fix, .. } = &mut request.goal {
        *fix = Fix::Branch(branch("hotfix/pay"));
    }
    let snapshot = world.observe(&request, &policy());
    let results = snapshot.composition.unwrap().results;
    assert!(matches!(&results.known().unwrap()[0], Composed::Unchanged { id, .. } if *id == head));
}

#[test]
fn a_snapshot_read_back_is_the_same_and_gives_the_same_plan() {
    let (world, policy, request) = (World::shop(), policy(), deploy(None));
    let snapshot = world.observe(&request, &policy);
    let again: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    assert_eq!(again, snapshot);
    let bytes = |snapshot| match hotfix_core::plan::plan(&request, snapshot, &policy).unwrap() {
        hotfix_core::plan::Planned::Plan(plan) => serde_json::to_string(&plan).unwrap(),
        hotfix_core::plan::Planned::NothingToDo(nothing) => panic!("{nothing}"),
    };
    assert_eq!(bytes(&again), bytes(&snapshot));
}
