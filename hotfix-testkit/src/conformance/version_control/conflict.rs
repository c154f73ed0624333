//! Conflicts: typed answers that name the paths, never markers and never errors.

use hotfix_core::port::{Composed, ConflictKind, ConflictPath, Instruction, Point};

use super::super::expect::{broken, equal, holds};
use super::super::report::{Outcome, Unmet};
use super::VersionControlFixture;
use super::history::{HISTORY, branch, tag_name};

/// A file that both sides changed in the same lines is a content conflict with all three versions.
pub async fn both_sides_changed_a_file(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let instructions =
        vec![repository.pick(repository.at("clash")?, &["fix"])?, repository.merge("clash", "second")?];
    let made = repository.compose(instructions).await?;
    for (what, answer) in ["the pick", "the merge"].into_iter().zip(&made) {
        let path = conflict(what, answer)?;
        equal(what, &(path.path.as_str(), path.kind), &("src/auth.txt", ConflictKind::Content))?;
        holds(path.blobs.iter().all(Option::is_some), "all three versions are named")?;
        let [base, ours, theirs] = &path.blobs;
        holds(base != ours && ours != theirs && base != theirs, "the three versions differ")?;
    }
    Ok(())
}

/// A file that one side changed and the other deleted is a conflict that says which side has it.
pub async fn one_side_changed_what_the_other_deleted(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let made = repository.compose(vec![repository.pick(repository.at("removal")?, &["fix"])?]).await?;
    let path = conflict("the pick", &made[0])?;
    equal("the conflict", &(path.path.as_str(), path.kind), &("src/auth.txt", ConflictKind::ModifyDelete))?;
    let there: Vec<bool> = path.blobs.iter().map(Option::is_some).collect();
    equal("which of base, ours and theirs exist", &there, &vec![true, false, true])
}

/// A file that both sides added differently is a conflict without a base.
pub async fn both_sides_added_a_file(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let made = repository.compose(vec![repository.merge("feature", "rival")?]).await?;
    let path = conflict("the merge", &made[0])?;
    equal("the conflict", &(path.path.as_str(), path.kind), &("src/new.txt", ConflictKind::BothAdded))?;
    let there: Vec<bool> = path.blobs.iter().map(Option::is_some).collect();
    equal("which of base, ours and theirs exist", &there, &vec![false, true, true])
}

/// What builds on a conflict is skipped, and nothing moved or was marked; the other instructions are carried out.
pub async fn what_builds_on_a_conflict_is_skipped_and_the_rest_is_done(
    fixture: &dyn VersionControlFixture,
) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let (name, on, message) = (tag_name("v2.1.1"), Point::Made(0), "release".to_owned());
    let instructions = vec![
        repository.pick(repository.at("clash")?, &["fix"])?,
        Instruction::Tag { name, on, message },
        Instruction::Diff { from: repository.at("base")?, to: Point::Made(0) },
        repository.pick(Point::Made(0), &["second"])?,
        repository.pick(repository.at("base")?, &["fix"])?,
    ];
    let before = repository.observe(&[branch("clash")], &[]).await?;
    let made = repository.compose(instructions).await?;
    conflict("the pick", &made[0])?;
    for answer in &made[1..4] {
        equal("what builds on it", answer, &Composed::Skipped)?;
    }
    let independent = matches!(made[4], Composed::Commit { .. });
    holds(independent, "an instruction that does not build on it is carried out")?;
    equal("the references", &repository.observe(&[branch("clash")], &[]).await?, &before)
}

/// Returns the one path of an answer that must be a conflict.
fn conflict<'a>(what: &str, answer: &'a Composed) -> Result<&'a ConflictPath, Unmet> {
    match answer {
        Composed::Conflict { paths } => match paths.as_slice() {
            [path] => Ok(path),
            _ => Err(broken(format!("{what}: expected one conflict, found {paths:?}"))),
        },
        other => Err(broken(format!("{what}: expected a conflict, found {other:?}"))),
    }
}
