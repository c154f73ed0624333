//! What a request means in a repository as it was read: where it starts, where it goes, what the names are.

use std::collections::BTreeMap;

use super::{ReleaseTags, SourceFault};
use crate::model::{BranchName, ObjectId, RefName, TagName, Version};
use crate::policy::Policy;
use crate::port::{FetchMode, SourceFacts, SourceQuery, TagFact};
use crate::request::{Fix, Goal, Request, Revision};

/// What a request means in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceGoal {
    /// The release it starts from.
    pub(crate) from: TagName,
    /// What that release names.
    pub(crate) base: TagFact,
    /// The production branch and what it holds.
    pub(crate) production: (RefName, ObjectId),
    /// The develop branch and what it holds.
    pub(crate) develop: Option<(RefName, ObjectId)>,
    /// The new version.
    pub(crate) version: Version,
    /// Versions that exist already and were passed over.
    pub(crate) taken: Vec<Version>,
    /// The tag of the new version.
    pub(crate) tag: TagName,
    /// The tag of the release candidate.
    pub(crate) candidate: TagName,
    /// The hotfix branch.
    pub(crate) branch: RefName,
    /// What it holds now.
    pub(crate) branch_state: BranchState,
    /// Where the fix comes from; `None`: only a branch is wanted.
    pub(crate) fix: Option<FixSource>,
}

/// What the hotfix branch holds before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BranchState {
    Absent,
    At(ObjectId),
}

/// Where the fix comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FixSource {
    /// These commits are picked.
    Commits(Vec<ObjectId>),
    /// This is the head of a branch that has it.
    Head(ObjectId),
}

/// Returns what to ask of the repository; `None` when the goal does not concern it. With facts that are known
/// already, the query also covers names that follow from them.
pub(super) fn query(request: &Request, policy: &Policy, known: Option<&SourceFacts>) -> Option<SourceQuery> {
    let mut refs = vec![RefName::branch(&policy.source.production)];
    refs.extend(policy.source.develop.as_ref().map(RefName::branch));
    let revisions = match &request.goal {
        Goal::Rollback { .. } | Goal::Watch { .. } => return None,
        Goal::Deploy { fix: Fix::Commits(commits), .. } => {
            commits.iter().map(|revision| revision.as_str().to_owned()).collect()
        }
        Goal::Deploy { .. } | Goal::Create { .. } => Vec::new(),
    };
    refs.extend(hotfix_branch(request, policy, known).map(|branch| RefName::branch(&branch)));
    refs.sort();
    refs.dedup();
    Some(SourceQuery { service: request.service.clone(), refs, revisions, fetch: FetchMode::Remote })
}

/// Returns the hotfix branch as far as it can be told from what is known.
fn hotfix_branch(request: &Request, policy: &Policy, known: Option<&SourceFacts>) -> Option<BranchName> {
    if let Goal::Deploy { fix: Fix::Branch(branch), .. } = &request.goal {
        return Some(branch.clone());
    }
    let template = &policy.source.branch;
    let version = match known {
        None if template.names_version() => return None,
        None => Version::new(0, 0, 0),
        Some(facts) => {
            let tags = ReleaseTags::new(&facts.tags, &policy.source.tag_prefix);
            let (_, _, base) = start(request, policy, facts, &tags).ok()?;
            tags.next_patch(&base).version
        }
    };
    template.branch(&version, &request.issue).ok()
}

/// Returns what the request means, or everything that stands in its way.
pub(crate) fn resolve(
    request: &Request,
    policy: &Policy,
    facts: &SourceFacts,
) -> Result<SourceGoal, Vec<SourceFault>> {
    let tags = ReleaseTags::new(&facts.tags, &policy.source.tag_prefix);
    let mut faults = Vec::new();
    let start = keep(start(request, policy, facts, &tags), &mut faults);
    let production = keep(policy_branch(facts, &policy.source.production, "production"), &mut faults);
    let develop = policy.source.develop.as_ref();
    let develop = develop.map(|branch| keep(policy_branch(facts, branch, "develop"), &mut faults));
    let fix = match &request.goal {
        Goal::Deploy { fix, .. } => fix_source(fix, policy, facts, &mut faults).map(Some),
        Goal::Create { .. } | Goal::Rollback { .. } | Goal::Watch { .. } => Some(None),
    };
    let names = start.as_ref().and_then(|(_, _, base)| {
        let choice = tags.next_patch(base);
        keep(names(request, policy, &tags, &choice.version), &mut faults).map(|names| (choice, names))
    });
    let touched = production.iter().chain(develop.iter().flatten()).map(|(name, _)| name);
    let branch = names.as_ref().map(|(_, names)| &names.branch);
    faults.extend(unmovable(request, touched.chain(branch), facts));
    let (Some((from, base, _)), Some(production), Some(fix), Some((choice, names))) =
        (start, production, fix, names)
    else {
        return Err(faults);
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let held = facts.refs.get(&names.branch).cloned().flatten();
    Ok(SourceGoal {
        from,
        base,
        production,
        develop: develop.flatten(),
        version: choice.version,
        taken: choice.taken,
        tag: names.tag,
        candidate: names.candidate,
        branch: names.branch,
        branch_state: held.map_or(BranchState::Absent, BranchState::At),
        fix,
    })
}

fn keep<T>(found: Result<T, SourceFault>, faults: &mut Vec<SourceFault>) -> Option<T> {
    found.map_err(|fault| faults.push(fault)).ok()
}

type Start = (TagName, TagFact, Version);

fn start(
    request: &Request,
    policy: &Policy,
    facts: &SourceFacts,
    tags: &ReleaseTags<'_>,
) -> Result<Start, SourceFault> {
    let prefix = || policy.source.tag_prefix.clone();
    let named = match &request.goal {
        Goal::Create { from } | Goal::Deploy { from, .. } => from.as_ref(),
        Goal::Rollback { .. } | Goal::Watch { .. } => None,
    };
    let Some(tag) = named else {
        let (version, tag, fact) =
            tags.newest().ok_or_else(|| SourceFault::NoRelease { prefix: prefix() })?;
        return Ok((tag.clone(), fact.clone(), version.clone()));
    };
    let fact = facts.tags.get(tag).ok_or_else(|| SourceFault::UnknownTag { tag: tag.clone() })?;
    match tags.version(tag) {
        Some(version) if version.pre.is_empty() => Ok((tag.clone(), fact.clone(), version.clone())),
        _ => Err(SourceFault::NotARelease { tag: tag.clone(), prefix: prefix() }),
    }
}

fn policy_branch(
    facts: &SourceFacts,
    branch: &BranchName,
    setting: &str,
) -> Result<(RefName, ObjectId), SourceFault> {
    let name = RefName::branch(branch);
    match facts.refs.get(&name).cloned().flatten() {
        Some(id) => Ok((name, id)),
        None => Err(SourceFault::UnknownPolicyBranch { branch: branch.clone(), setting: setting.to_owned() }),
    }
}

fn fix_source(
    fix: &Fix,
    policy: &Policy,
    facts: &SourceFacts,
    faults: &mut Vec<SourceFault>,
) -> Option<FixSource> {
    match fix {
        Fix::Commits(revisions) => commits(revisions, &facts.revisions, faults).map(FixSource::Commits),
        Fix::Branch(branch) => keep(head(branch, policy, facts), faults).map(FixSource::Head),
    }
}

fn commits(
    revisions: &[Revision],
    known: &BTreeMap<String, Option<ObjectId>>,
    faults: &mut Vec<SourceFault>,
) -> Option<Vec<ObjectId>> {
    let before = faults.len();
    let mut commits: Vec<ObjectId> = Vec::new();
    if revisions.is_empty() {
        faults.push(SourceFault::NoCommits);
    }
    for revision in revisions {
        match known.get(revision.as_str()).cloned().flatten() {
            None => faults.push(SourceFault::UnknownRevision { revision: revision.clone() }),
            Some(commit) if commits.contains(&commit) => {
                faults.push(SourceFault::RepeatedCommit { revision: revision.clone(), commit });
            }
            Some(commit) => commits.push(commit),
        }
    }
    (faults.len() == before).then_some(commits)
}

fn head(branch: &BranchName, policy: &Policy, facts: &SourceFacts) -> Result<ObjectId, SourceFault> {
    let parts =
        [("production", Some(&policy.source.production)), ("develop", policy.source.develop.as_ref())];
    if let Some((setting, _)) = parts.into_iter().find(|(_, name)| *name == Some(branch)) {
        return Err(SourceFault::NotAHotfixBranch { branch: branch.clone(), setting: setting.to_owned() });
    }
    let held = facts.refs.get(&RefName::branch(branch)).cloned().flatten();
    held.ok_or_else(|| SourceFault::UnknownBranch { branch: branch.clone() })
}

struct Names {
    tag: TagName,
    candidate: TagName,
    branch: RefName,
}

fn names(
    request: &Request,
    policy: &Policy,
    tags: &ReleaseTags<'_>,
    version: &Version,
) -> Result<Names, SourceFault> {
    let unnameable = |setting: &str| {
        let setting = setting.to_owned();
        move |error: crate::model::InvalidValue| SourceFault::Unnameable {
            reason: error.to_string(),
            setting,
        }
    };
    let source = &policy.source;
    let tag = source.tag(version).map_err(unnameable("tag_prefix"))?;
    let number = tags.next_candidate(version);
    let candidate = TagName::new(format!("{tag}-rc.{number}")).map_err(unnameable("tag_prefix"))?;
    let branch = match &request.goal {
        Goal::Deploy { fix: Fix::Branch(branch), .. } => branch.clone(),
        _ => source.branch.branch(version, &request.issue).map_err(unnameable("branch"))?,
    };
    Ok(Names { tag, candidate, branch: RefName::branch(&branch) })
}

/// The branches of the plan that somebody else has under his feet, or that differ between here and the remote.
fn unmovable<'a>(
    request: &Request,
    touched: impl Iterator<Item = &'a RefName>,
    facts: &SourceFacts,
) -> Vec<SourceFault> {
    let only_creates = matches!(request.goal, Goal::Create { .. });
    let mut faults = Vec::new();
    for name in touched {
        let there = facts.refs.get(name).cloned().flatten();
        if let Some(Some(here)) = facts.diverged.get(name) {
            faults.push(SourceFault::Diverged { reference: name.clone(), here: here.clone(), there });
        }
        if facts.checked_out.contains(name) && !only_creates {
            faults.push(SourceFault::CheckedOut { reference: name.clone() });
        }
    }
    faults
}
