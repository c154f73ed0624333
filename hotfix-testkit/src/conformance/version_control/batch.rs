//! Batches of references: compare-and-swap, all or none.

use hotfix_core::model::{ObjectId, RefBatch, RefUpdate};
use hotfix_core::port::{Atomicity, Composed, Instruction, Reply};

use super::super::call::Caller;
use super::super::expect::{applied, broken, drifted, equal, holds, offered, refused};
use super::super::report::{Outcome, Unmet};
use super::VersionControlFixture;
use super::history::{HISTORY, Repository, branch, missing_id, service, tag, tag_name};

async fn begin(fixture: &dyn VersionControlFixture) -> Result<(Repository, Caller), Unmet> {
    let repository = fixture.repository(&HISTORY).await;
    let caller = Caller::above(repository.observe(&[], &[]).await?.stamp);
    Ok((repository, caller))
}

/// One batch creates a branch, moves another and deletes a third.
pub async fn references_are_created_moved_and_deleted(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let (base, fix) = (repository.id("base")?, repository.id("fix")?);
    let updates = vec![
        RefUpdate::create(branch("hotfix/2.1.1"), fix.clone()),
        RefUpdate::update(branch("main"), base, fix.clone()),
        RefUpdate::delete(branch("rival"), repository.id("rival")?),
    ];
    applied("the batch", &repository.apply(&caller.call("batch"), updates).await)?;
    equal("the created branch", &repository.value(&branch("hotfix/2.1.1")).await?, &Some(fix.clone()))?;
    equal("the moved branch", &repository.value(&branch("main")).await?, &Some(fix))?;
    equal("the deleted branch", &repository.value(&branch("rival")).await?, &None)
}

/// A branch or tag that exists is not created again.
pub async fn a_reference_that_exists_is_not_created_again(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let fix = repository.id("fix")?;
    for name in [branch("main"), tag("v2.1.0")] {
        let create = RefUpdate::create(name.clone(), fix.clone());
        let reply = repository.apply(&caller.call(name.short()), vec![create]).await;
        drifted("creating what exists", &reply)?;
        equal("what it holds", &repository.value(&name).await?, &Some(repository.id("base")?))?;
    }
    Ok(())
}

/// A reference that does not hold its expected old value is neither moved nor deleted.
pub async fn a_reference_that_moved_meanwhile_is_not_moved(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let (base, fix, second) = (repository.id("base")?, repository.id("fix")?, repository.id("second")?);
    let stale = [
        RefUpdate::update(branch("develop"), base.clone(), fix.clone()),
        RefUpdate::delete(branch("develop"), base),
        RefUpdate::update(branch("no-such-branch"), fix.clone(), second.clone()),
        RefUpdate::delete(branch("no-such-branch"), fix),
    ];
    for (number, update) in stale.into_iter().enumerate() {
        let reply = repository.apply(&caller.call(&format!("stale-{number}")), vec![update]).await;
        drifted("a stale update", &reply)?;
    }
    equal("what it holds", &repository.value(&branch("develop")).await?, &Some(second))?;
    equal("what does not exist", &repository.value(&branch("no-such-branch")).await?, &None)
}

/// If one reference of a batch cannot move, none does, wherever it stands in the batch.
pub async fn all_references_move_or_none(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let atomic = repository.control.capabilities().atomic;
    offered(atomic == Atomicity::AllOrNothing, "a batch that is applied as a whole")?;
    let (base, fix) = (repository.id("base")?, repository.id("fix")?);
    let good = RefUpdate::update(branch("main"), base.clone(), fix.clone());
    let created = RefUpdate::create(branch("hotfix/2.1.1"), fix.clone());
    let stale = RefUpdate::update(branch("develop"), base.clone(), fix);
    let orders = [vec![good.clone(), created.clone(), stale.clone()], vec![stale, good, created]];
    for (number, updates) in orders.into_iter().enumerate() {
        let reply = repository.apply(&caller.call(&format!("order-{number}")), updates).await;
        drifted("a batch with one stale update", &reply)?;
        equal("the other branch", &repository.value(&branch("main")).await?, &Some(base.clone()))?;
        equal("the new branch", &repository.value(&branch("hotfix/2.1.1")).await?, &None)?;
    }
    Ok(())
}

/// A tag is created once, and neither moved nor deleted, even with the right old value.
pub async fn a_tag_is_never_moved_or_deleted(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let (base, fix) = (repository.id("base")?, repository.id("fix")?);
    let (name, on, message) = (tag_name("v9.0.0"), repository.at("base")?, "release".to_owned());
    let made = repository.compose(vec![Instruction::Tag { name, on, message }]).await?;
    let [Composed::Tag { id }] = made.as_slice() else {
        return Err(broken(format!("expected a tag object, found {made:?}")));
    };
    let create = RefUpdate::create(tag("v9.0.0"), id.clone());
    applied("creating a tag", &repository.apply(&caller.call("create"), vec![create]).await)?;
    let moved = RefUpdate::update(tag("v9.0.0"), id.clone(), fix);
    refused("moving it", &repository.apply(&caller.call("move"), vec![moved]).await)?;
    let deleted = RefUpdate::delete(tag("v9.0.0"), id.clone());
    refused("deleting it", &repository.apply(&caller.call("delete"), vec![deleted]).await)?;
    equal("the tag", &repository.value(&tag("v9.0.0")).await?, &Some(base))
}

/// A reference cannot be made to hold something that does not exist.
pub async fn a_commit_that_does_not_exist_is_refused(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let create = RefUpdate::create(branch("hotfix/2.1.1"), missing_id());
    refused("a missing commit", &repository.apply(&caller.call("missing"), vec![create]).await)?;
    equal("the branch", &repository.value(&branch("hotfix/2.1.1")).await?, &None)
}

/// Of two callers that move the same reference from the same value, exactly one does.
pub async fn of_two_callers_one_moves_the_reference(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let (base, fix, second) = (repository.id("base")?, repository.id("fix")?, repository.id("second")?);
    let (one, two) = (caller.call("one"), caller.call("two"));
    let update = |to: &ObjectId| vec![RefUpdate::update(branch("main"), base.clone(), to.clone())];
    let (first, other) =
        tokio::join!(repository.apply(&one, update(&fix)), repository.apply(&two, update(&second)));
    let value = repository.value(&branch("main")).await?;
    match (&first, &other) {
        (Reply::Applied(_), Reply::Conflict(_)) => equal("the branch", &value, &Some(fix)),
        (Reply::Conflict(_), Reply::Applied(_)) => equal("the branch", &value, &Some(second)),
        _ => Err(broken(format!("expected Applied and Conflict, found {first:?} and {other:?}"))),
    }
}

/// The fence of one service does not stand in the way of another.
pub async fn services_are_fenced_apart(fixture: &dyn VersionControlFixture) -> Outcome {
    let (repository, mut caller) = begin(fixture).await?;
    let fix = repository.id("fix")?;
    let low = caller.call("low");
    let high = caller.call("high");
    let create = |name: &str| RefUpdate::create(branch(name), fix.clone());
    applied("the first service", &repository.apply(&high, vec![create("hotfix/shop")]).await)?;
    let batch = RefBatch { updates: vec![create("hotfix/other")] };
    let reply = repository.control.apply(&low, &service("other"), &batch).await;
    applied("another service with a lower stamp", &reply)?;
    let stamp = repository.observe(&[], &[]).await?.stamp;
    holds(stamp == high.stamp, "the fence of the first service stays")
}
