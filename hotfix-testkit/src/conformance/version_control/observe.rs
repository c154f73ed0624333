//! Reading references, revisions and tags.

use hotfix_core::model::{ObjectId, RefName};
use hotfix_core::port::Composed;

use super::super::expect::{broken, equal, holds};
use super::super::report::Outcome;
use super::VersionControlFixture;
use super::history::{HISTORY, branch, tag, tag_name};

/// Branches and tags are resolved to commits; a reference that does not exist is there with nothing.
pub async fn references_are_resolved(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let missing = branch("no-such-branch");
    let asked = [branch("main"), branch("develop"), tag("v2.1.0"), missing.clone()];
    let facts = repository.observe(&asked, &[]).await?;
    let value = |name: &RefName| facts.refs.get(name).cloned();
    equal("branch main", &value(&asked[0]), &Some(Some(repository.id("base")?)))?;
    equal("branch develop", &value(&asked[1]), &Some(Some(repository.id("second")?)))?;
    equal("tag v2.1.0, peeled", &value(&asked[2]), &Some(Some(repository.id("base")?)))?;
    equal("a branch that does not exist", &value(&missing), &Some(None))?;
    equal("how many references are told", &facts.refs.len(), &asked.len())?;
    holds(facts.diverged.is_empty(), "nothing diverges in a fresh repository")
}

/// Branches, tags and full ids are revisions; an unknown one resolves to nothing.
pub async fn revisions_are_resolved(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let fix = repository.id("fix")?;
    let missing = "f".repeat(40);
    let asked = ["develop", "v2.1.0", fix.as_str(), "no-such-revision", &missing];
    let facts = repository.observe(&[], &asked).await?;
    let value = |text: &str| facts.revisions.get(text).cloned();
    equal("a branch", &value("develop"), &Some(Some(repository.id("second")?)))?;
    equal("a tag", &value("v2.1.0"), &Some(Some(repository.id("base")?)))?;
    equal("a full id", &value(fix.as_str()), &Some(Some(fix.clone())))?;
    equal("an unknown name", &value("no-such-revision"), &Some(None))?;
    equal("an id that does not exist", &value(&missing), &Some(None))
}

/// Every tag is listed with the commit it names and that commit's tree.
pub async fn every_tag_is_listed_with_commit_and_tree(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let tags = repository.observe(&[], &[]).await?.tags;
    let found: Vec<(&str, &ObjectId)> =
        tags.iter().map(|(name, fact)| (name.as_str(), &fact.commit)).collect();
    let (base, feature) = (repository.id("base")?, repository.id("feature")?);
    equal("the tags", &found, &vec![("v2.1.0", &base), ("v2.2.0", &feature)])?;
    let tree = |name: &str| tags.get(&tag_name(name)).map(|fact| fact.tree.clone());
    holds(tree("v2.1.0") != tree("v2.2.0"), "different files have different trees")?;
    match repository.compose(vec![repository.merge("base", "base")?]).await?.as_slice() {
        [Composed::Unchanged { tree: there, .. }] => {
            equal("the tree of v2.1.0", &tree("v2.1.0").as_ref(), &Some(there))
        }
        other => Err(broken(format!("expected a merge with itself to be Unchanged, found {other:?}"))),
    }
}
