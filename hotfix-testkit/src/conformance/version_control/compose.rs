//! Composing: commits, merges, tags and measures that no reference names yet.

use hotfix_core::ErrorKind;
use hotfix_core::model::{ObjectId, RefUpdate};
use hotfix_core::port::{ChangedPath, Composed, DiffSize, Instruction, Point};

use super::super::call::Caller;
use super::super::expect::{applied, broken, equal, fails, holds, succeeds};
use super::super::report::{Outcome, Unmet};
use super::VersionControlFixture;
use super::history::{HISTORY, Repository, branch, missing_id, recipe, tag, tag_name};

/// The same recipe gives the same ids, also when everything is there already; another time gives others.
pub async fn the_same_recipe_gives_the_same_ids(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let on = Point::Made(0);
    let (name, message) = (tag_name("v2.1.1"), "release".to_owned());
    let instructions = vec![
        repository.pick(repository.at("base")?, &["fix"])?,
        Instruction::Tag { name, on, message },
        repository.merge("clash", "rival")?,
    ];
    let first = repository.compose(instructions.clone()).await?;
    equal("the second time", &repository.compose(instructions.clone()).await?, &first)?;
    let mut later = recipe(instructions);
    later.at += hotfix_core::model::Period::from_secs(1).to_delta();
    let later = succeeds("compose", repository.control.compose(&later).await)?;
    let same = first.iter().zip(&later).filter(|(one, other)| one == other).count();
    equal("answers that are equal a second later", &same, &0)
}

/// No reference moves and no tag appears, and the fence stays.
pub async fn no_reference_moves(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let asked: Vec<_> = HISTORY.branches.iter().map(|(name, _)| branch(name)).collect();
    let before = repository.observe(&asked, &[]).await?;
    let (name, on, message) = (tag_name("v2.1.1"), Point::Made(0), "release".to_owned());
    let pick = repository.pick(repository.at("base")?, &["fix"])?;
    let made = repository.compose(vec![pick, Instruction::Tag { name, on, message }]).await?;
    commit(made.first())?;
    equal("references, tags and fence", &repository.observe(&asked, &[]).await?, &before)
}

/// A pick brings the change of a commit and nothing else that its branch contains.
pub async fn a_pick_brings_the_change_and_nothing_else(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let pick = repository.pick(repository.at("base")?, &["fix"])?;
    let size = size_of(&repository, pick, "base").await?;
    equal("the difference to the base", &size, &vec![changed("src/auth.txt", 2, 1)])
}

/// Several commits are picked in order, and a pick can build on another one.
pub async fn picks_follow_each_other(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let instructions = vec![
        repository.pick(repository.at("base")?, &["fix", "second"])?,
        repository.pick(repository.at("base")?, &["fix"])?,
        repository.pick(Point::Made(1), &["second"])?,
    ];
    let made = repository.compose(instructions).await?;
    let (_, at_once) = commit(made.first())?;
    let (_, one_by_one) = commit(made.get(2))?;
    equal("the tree of picks one by one", &one_by_one, &at_once)?;
    let pick = repository.pick(repository.at("base")?, &["fix", "second"])?;
    let size = size_of(&repository, pick, "base").await?;
    let expected = vec![changed("src/auth.txt", 2, 1), changed("src/pay.txt", 1, 1)];
    equal("the difference to the base", &size, &expected)
}

/// A pick of a change that is there already makes no commit and answers the commit that has it.
pub async fn a_pick_of_what_is_there_makes_nothing(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let second = repository.id("second")?;
    let made = repository.compose(vec![repository.pick(repository.at("second")?, &["fix"])?]).await?;
    match made.first() {
        Some(Composed::Unchanged { id, .. }) => equal("the commit that has the change", id, &second),
        other => Err(broken(format!("expected Unchanged, found {other:?}"))),
    }
}

/// A merge makes a commit even where the branch could simply be moved forward, with the tree of the merged side.
pub async fn a_merge_has_two_parents_even_if_it_could_be_forwarded(
    fixture: &dyn VersionControlFixture,
) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let (id, tree) = commit(repository.compose(vec![repository.merge("base", "feature")?]).await?.first())?;
    holds(id != repository.id("feature")?, "the merge is a commit of its own")?;
    let released = repository.observe(&[], &[]).await?.tags.remove(&tag_name("v2.2.0"));
    equal("the tree of the merge", &Some(tree), &released.map(|fact| fact.tree))?;
    let contains = [Instruction::Merge {
        into: Point::Commit(id.clone()),
        from: repository.at("feature")?,
        message: "again".to_owned(),
    }];
    match repository.compose(contains.into()).await?.first() {
        Some(Composed::Unchanged { id: there, .. }) => equal("the commit that contains both", there, &id),
        other => Err(broken(format!("expected the merge to contain its second parent, found {other:?}"))),
    }
}

/// A merge of something that is contained makes nothing and answers the commit that contains it.
pub async fn a_merge_of_what_is_contained_makes_nothing(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let made = repository.compose(vec![repository.merge("second", "base")?]).await?;
    match made.first() {
        Some(Composed::Unchanged { id, .. }) => equal("the commit", id, &repository.id("second")?),
        other => Err(broken(format!("expected Unchanged, found {other:?}"))),
    }
}

/// A difference lists each changed path once, in order, with the lines added and removed.
pub async fn a_difference_counts_lines_by_path(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let diff = |from: &str, to: &str| -> Result<Instruction, Unmet> {
        Ok(Instruction::Diff { from: repository.at(from)?, to: repository.at(to)? })
    };
    let instructions = vec![diff("base", "second")?, diff("base", "removal")?, diff("base", "base")?];
    let expected = [
        vec![changed("src/auth.txt", 2, 1), changed("src/new.txt", 1, 0), changed("src/pay.txt", 1, 1)],
        vec![changed("src/auth.txt", 0, 3)],
        vec![],
    ];
    let found = repository.compose(instructions).await?;
    let expected: Vec<_> = expected.into_iter().map(|paths| Composed::Diff(DiffSize { paths })).collect();
    equal("the differences", &found, &expected)
}

/// A tag object can name a commit that the same recipe made, and a reference to it peels to that commit.
pub async fn a_tag_object_names_a_commit_that_was_just_made(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let (name, on, message) = (tag_name("v2.1.1"), Point::Made(0), "release".to_owned());
    let pick = repository.pick(repository.at("base")?, &["fix"])?;
    let made = repository.compose(vec![pick, Instruction::Tag { name, on, message }]).await?;
    let (picked, tree) = commit(made.first())?;
    let Some(Composed::Tag { id }) = made.get(1) else {
        return Err(broken(format!("expected Tag, found {:?}", made.get(1))));
    };
    holds(*id != picked, "the tag is an object of its own")?;
    let mut caller = Caller::above(repository.observe(&[], &[]).await?.stamp);
    let create = RefUpdate::create(tag("v2.1.1"), id.clone());
    applied("creating the tag", &repository.apply(&caller.call("tag"), vec![create]).await)?;
    let facts = repository.observe(&[tag("v2.1.1")], &[]).await?;
    equal("the tag, peeled", &facts.refs.get(&tag("v2.1.1")).cloned().flatten(), &Some(picked.clone()))?;
    let fact = facts.tags.get(&tag_name("v2.1.1")).map(|fact| (&fact.commit, &fact.tree));
    equal("the tag in the list", &fact, &Some((&picked, &tree)))
}

/// A commit that does not exist is `NotFound`; picking a merge, or building on a later instruction, is `Invalid`.
pub async fn what_makes_no_sense_is_an_error(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let missing = missing_id();
    let onto = repository.at("base")?;
    let unknown = Instruction::Pick { onto: onto.clone(), commits: vec![missing.clone()] };
    fails("picking an unknown commit", compose(&repository, unknown).await, ErrorKind::NotFound)?;
    let unknown = Instruction::Diff { from: Point::Commit(missing), to: onto };
    fails("measuring from an unknown commit", compose(&repository, unknown).await, ErrorKind::NotFound)?;
    let merge = repository.pick(repository.at("base")?, &["merged"])?;
    fails("picking a merge", compose(&repository, merge).await, ErrorKind::Invalid)?;
    let early = repository.pick(Point::Made(0), &["fix"])?;
    fails("building on itself", compose(&repository, early).await, ErrorKind::Invalid)
}

async fn compose(repository: &Repository, one: Instruction) -> hotfix_core::Result<Vec<Composed>> {
    repository.control.compose(&recipe(vec![one])).await
}

/// Returns id and tree of an answer that must be a new commit.
fn commit(answer: Option<&Composed>) -> Result<(ObjectId, ObjectId), Unmet> {
    match answer {
        Some(Composed::Commit { id, tree }) => Ok((id.clone(), tree.clone())),
        other => Err(broken(format!("expected a new commit, found {other:?}"))),
    }
}

/// Returns how much the commit that an instruction makes differs from one of the script.
async fn size_of(repository: &Repository, make: Instruction, from: &str) -> Result<Vec<ChangedPath>, Unmet> {
    let diff = Instruction::Diff { from: repository.at(from)?, to: Point::Made(0) };
    match repository.compose(vec![make, diff]).await?.pop() {
        Some(Composed::Diff(size)) => Ok(size.paths),
        other => Err(broken(format!("expected a difference, found {other:?}"))),
    }
}

fn changed(path: &str, added: u32, removed: u32) -> ChangedPath {
    ChangedPath { path: path.to_owned(), added, removed }
}
