//! Reading the facts a plan is made from: references, revisions, tags, checkouts and the fence.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid};
use hotfix_core::model::{ObjectId, RefName, Stamp, TagName};
use hotfix_core::port::{SourceFacts, SourceQuery, TagFact};

use crate::convert::object_id;
use crate::error::Error;
use crate::fence::fence_ref;
use crate::remote::{Listing, Remote};
use crate::repo::Repo;
use crate::truth::Truth;

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// Reads the facts from the place that counts. What is not here yet of a remote is fetched.
pub(crate) fn observe(truth: &Truth<'_>, query: &SourceQuery) -> Result<SourceFacts, Error> {
    let repo = truth.repo();
    let listing = match truth {
        Truth::Here(repo) => list_here(repo, query)?,
        Truth::There(remote) => list_there(remote, query)?,
    };
    let marks = truth.marks(&query.service, listing.get(&fence_ref(&query.service)).copied())?;
    let value = |name: &RefName| listing.get(name.as_str()).copied();
    let refs = query.refs.iter().map(|name| Ok((name.clone(), peel(repo, value(name))?)));
    let revisions = query.revisions.iter().map(|text| Ok((text.clone(), resolve(repo, &listing, text)?)));
    Ok(SourceFacts {
        refs: refs.collect::<Result<_, Error>>()?,
        revisions: revisions.collect::<Result<_, Error>>()?,
        diverged: diverged(truth, &listing, query)?,
        tags: tags(repo, &listing)?,
        checked_out: checked_out(truth)?,
        stamp: marks.first().map_or(Stamp::ZERO, |mark| mark.stamp),
    })
}

fn list_here(repo: &Repo, query: &SourceQuery) -> Result<Listing, Error> {
    let mut listing: Listing = [BRANCHES, TAGS]
        .map(|prefix| repo.list_refs(prefix))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?
        .concat()
        .into_iter()
        .map(|found| (found.name, found.id))
        .collect();
    let named = query.refs.iter().map(|name| name.as_str().to_owned()).chain([fence_ref(&query.service)]);
    for name in named {
        if let Some(id) = repo.raw_ref(&name)? {
            listing.insert(name, id);
        }
    }
    Ok(listing)
}

/// Lists the remote, then fetches its branches and what else is missing. Tags are fetched without being created here:
/// a fetch must not decide which tags this repository has.
fn list_there(remote: &Remote<'_>, query: &SourceQuery) -> Result<Listing, Error> {
    let named = query.refs.iter().map(|name| name.as_str().to_owned());
    let everything = [format!("{BRANCHES}*"), format!("{TAGS}*"), fence_ref(&query.service)];
    let listing = remote.list(&named.chain(everything).collect::<Vec<_>>())?;
    let odb = remote.repo.git().odb().map_err(Error::library("open the object database"))?;
    let mut refspecs: Vec<String> = Vec::new();
    for (name, _) in listing.iter().filter(|(_, id)| !odb.exists(**id)) {
        refspecs.push(match name.strip_prefix(BRANCHES) {
            Some(branch) => format!("+{name}:refs/remotes/{}/{branch}", remote.name),
            None if name.starts_with("refs/hotfix/") => format!("+{name}:{name}"),
            None => name.clone(),
        });
    }
    if !refspecs.is_empty() {
        remote.fetch(&refspecs)?;
    }
    Ok(listing)
}

fn peel(repo: &Repo, id: Option<Oid>) -> Result<Option<ObjectId>, Error> {
    let Some(id) = id else { return Ok(None) };
    let object =
        repo.git().find_object(id, None).map_err(Error::lookup("read what a reference holds", id))?;
    Ok(object.peel(ObjectType::Commit).ok().map(|commit| object_id(commit.id())))
}

/// Resolves a full name, a tag or a branch by the listing, so that with a remote its values count, and anything else
/// as git does.
fn resolve(repo: &Repo, listing: &Listing, text: &str) -> Result<Option<ObjectId>, Error> {
    let named = [text.to_owned(), format!("{TAGS}{text}"), format!("{BRANCHES}{text}")];
    if let Some(id) = named.iter().find_map(|name| listing.get(name)) {
        return peel(repo, Some(*id));
    }
    match repo.resolve_commit(text) {
        Ok(commit) => Ok(Some(object_id(commit))),
        Err(Error::NotFound { .. } | Error::BadRefName { .. } | Error::WrongKind { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Lists the asked references that hold something here which the remote does not have. One that is merely behind, or
/// missing, is no obstacle.
fn diverged(
    truth: &Truth<'_>,
    listing: &Listing,
    query: &SourceQuery,
) -> Result<BTreeMap<RefName, Option<ObjectId>>, Error> {
    let mut diverged = BTreeMap::new();
    let Truth::There(Remote { repo, .. }) = truth else {
        return Ok(diverged);
    };
    for name in &query.refs {
        let Some(here) = repo.raw_ref(name.as_str())? else {
            continue;
        };
        let contained = match listing.get(name.as_str()) {
            Some(there) => here == *there || repo.is_ancestor(here, *there)?,
            None => false,
        };
        if !contained {
            diverged.insert(name.clone(), peel(repo, Some(here))?);
        }
    }
    Ok(diverged)
}

/// Lists the tags of the listing and of this repository. Where both have one, the listing's counts. A tag of something
/// that is no commit is left out.
fn tags(repo: &Repo, listing: &Listing) -> Result<BTreeMap<TagName, TagFact>, Error> {
    let here = repo.list_refs(TAGS)?.into_iter().map(|tag| (tag.name, tag.id));
    let there =
        listing.iter().filter(|(name, _)| name.starts_with(TAGS)).map(|(name, id)| (name.clone(), *id));
    let mut tags = BTreeMap::new();
    for (name, id) in here.chain(there) {
        let short = name.strip_prefix(TAGS).and_then(|short| TagName::new(short).ok());
        let (Some(name), Ok(object)) = (short, repo.git().find_object(id, None)) else {
            continue;
        };
        if let Ok(commit) = object.peel_to_commit() {
            tags.insert(name, TagFact { commit: object_id(commit.id()), tree: object_id(commit.tree_id()) });
        }
    }
    Ok(tags)
}

/// Lists the branches that cannot be moved under somebody's feet. With a remote there are none: it is the remote's that
/// move.
fn checked_out(truth: &Truth<'_>) -> Result<Vec<RefName>, Error> {
    let Truth::Here(repo) = truth else {
        return Ok(Vec::new());
    };
    let names = repo.checked_out()?.into_iter().map(|(name, _)| name);
    Ok(names.filter_map(|name| RefName::new(&name).ok()).collect())
}
