//! Merging whole trees with the system's `git merge-tree`, for what this crate does not decide by itself.
//!
//! `--merge-base` exists since git 2.40 only, so the three trees are wrapped in commits that have exactly the wanted
//! base. That works from git 2.38 on.

use std::ffi::OsString;
use std::str;
use std::time::Duration;

use git2::{Oid, Signature, Time};

use super::Incoming;
use super::conflict::{ConflictKind, PathConflict};
use crate::error::Error;
use crate::object::Draft;
use crate::path::TreePath;
use crate::program::{Finished, Invocation, StopToken};
use crate::repo::Repo;
use crate::tree::{Entry, EntryMode};

const COMMAND: &str = "merge-tree";
const LIMIT: Duration = Duration::from_secs(120);
const LONGEST_TEXT: usize = 500;

/// The exit status of git when it does not know an option: `merge-tree` before 2.38.
const USAGE: i32 = 129;

pub(super) enum Answer {
    Clean(Oid),
    Conflict(Vec<PathConflict>),
    /// There is no git that can do it.
    NoGit,
}

/// Merges the change onto the tree `ours`. The objects made so far are written to disk, and git adds its own; nothing
/// refers to them until a reference is moved.
pub(super) fn merge_trees(repo: &Repo, incoming: &Incoming, ours: Oid) -> Result<Answer, Error> {
    let [ours, theirs] = wrap(repo, incoming, ours)?;
    merge_commits(repo, ours, theirs)
}

/// Merges two commits, whatever their history looks like.
pub(super) fn merge_commits(repo: &Repo, ours: Oid, theirs: Oid) -> Result<Answer, Error> {
    repo.keep()?;
    let finished = match run(repo, ours, theirs) {
        Ok(finished) => finished,
        Err(Error::NoProgram { .. }) => return Ok(Answer::NoGit),
        Err(other) => return Err(other),
    };
    let unreadable = || Error::Program {
        command: COMMAND,
        text: finished.stderr.trim().chars().take(LONGEST_TEXT).collect(),
    };
    match finished.status.code() {
        Some(0) => {
            let tree = read_tree(&finished.stdout).ok_or_else(unreadable)?;
            let odb = repo.git().odb().map_err(Error::library("open the object database"))?;
            odb.refresh().map_err(Error::library("read what git wrote"))?;
            Ok(Answer::Clean(tree))
        }
        Some(1) => {
            Ok(Answer::Conflict(read_conflicts(&finished.stdout, [ours, theirs]).ok_or_else(unreadable)?))
        }
        Some(USAGE) => Ok(Answer::NoGit),
        _ => Err(unreadable()),
    }
}

fn run(repo: &Repo, ours: Oid, theirs: Oid) -> Result<Finished, Error> {
    let options = ["-c", "core.bare=true", COMMAND, "--write-tree", "-z", "--messages"];
    let commits = [ours, theirs].map(|id| OsString::from(id.to_string()));
    let dir = repo.common_dir();
    repo.program().run(&Invocation {
        command: COMMAND,
        args: options.into_iter().map(OsString::from).chain(commits).collect(),
        git_dir: dir,
        current_dir: dir,
        limit: LIMIT,
        stop: &StopToken::default(),
    })
}

/// Makes commits whose only merge base is the base of the change.
fn wrap(repo: &Repo, incoming: &Incoming, ours: Oid) -> Result<[Oid; 2], Error> {
    let base = match incoming.base {
        Some(base) => base,
        None => repo.empty_tree()?,
    };
    let who = Signature::new("hotfix", "hotfix@localhost", &Time::new(0, 0))
        .map_err(Error::library("name the author of a merge"))?;
    let commit = |tree, parents: &[Oid], message| {
        repo.make_commit(&Draft { tree, parents, author: &who, committer: &who, message })
    };
    let base = commit(base, &[], "base")?;
    Ok([commit(ours, &[base], "ours")?, commit(incoming.theirs, &[base], "theirs")?])
}

fn read_tree(output: &[u8]) -> Option<Oid> {
    let end = output.iter().position(|byte| *byte == 0 || *byte == b'\n').unwrap_or(output.len());
    Oid::from_str(str::from_utf8(&output[..end]).ok()?).ok()
}

/// Reads the list of staged entries, then the list of messages: counts, paths and a stable name of the kind.
fn read_conflicts(output: &[u8], commits: [Oid; 2]) -> Option<Vec<PathConflict>> {
    let mut fields = output.split(|byte| *byte == 0);
    fields.next()?;
    let mut conflicts: Vec<PathConflict> = Vec::new();
    for line in fields.by_ref().take_while(|line| !line.is_empty()) {
        let (path, stage, entry) = read_stage(line)?;
        let path = without_side(path, commits);
        let at = conflicts.iter().position(|conflict| conflict.path == path).unwrap_or_else(|| {
            conflicts.push(unnamed(path));
            conflicts.len() - 1
        });
        match stage {
            1 => conflicts[at].base = Some(entry),
            2 => conflicts[at].ours = Some(entry),
            _ => conflicts[at].theirs = Some(entry),
        }
    }
    while let Some((paths, kind)) = read_message(&mut fields) {
        for conflict in conflicts
            .iter_mut()
            .filter(|conflict| paths.iter().any(|path| without_side(path.clone(), commits) == conflict.path))
        {
            conflict.kind = kind.clone();
        }
    }
    // Git has one name for a file that both sides changed and one that both added.
    for conflict in conflicts.iter_mut().filter(|conflict| conflict.base.is_none()) {
        if conflict.kind == ConflictKind::Content {
            conflict.kind = ConflictKind::BothAdded;
        }
    }
    Some(conflicts)
}

/// Where a file and a folder meet, git gives the file a name of its own, made of the path and the commit.
fn without_side(path: TreePath, commits: [Oid; 2]) -> TreePath {
    let endings = commits.map(|commit| format!("~{commit}"));
    let plain = endings.iter().find_map(|ending| path.as_bytes().strip_suffix(ending.as_bytes()));
    plain.map(|plain| TreePath::from(plain.to_vec())).unwrap_or(path)
}

fn unnamed(path: TreePath) -> PathConflict {
    PathConflict { path, kind: ConflictKind::Other, base: None, ours: None, theirs: None, hunks: Vec::new() }
}

/// Reads `<mode> <object> <stage>\t<path>`.
fn read_stage(line: &[u8]) -> Option<(TreePath, u8, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = str::from_utf8(&line[..tab]).ok()?.split(' ');
    let mode = EntryMode::from_bits(i32::from_str_radix(words.next()?, 8).ok()?);
    let id = Oid::from_str(words.next()?).ok()?;
    let stage = words.next()?.parse().ok()?;
    Some((TreePath::from(line[tab + 1..].to_vec()), stage, Entry { id, mode }))
}

/// Reads `<count> <path>… <kind> <text>` and skips messages that are no conflicts.
fn read_message<'o>(fields: &mut impl Iterator<Item = &'o [u8]>) -> Option<(Vec<TreePath>, ConflictKind)> {
    loop {
        let count: usize = str::from_utf8(fields.next()?).ok()?.trim().parse().ok()?;
        let paths: Vec<TreePath> =
            fields.by_ref().take(count).map(|path| TreePath::from(path.to_vec())).collect();
        let kind = str::from_utf8(fields.next()?).ok()?;
        fields.next()?;
        if let Some(kind) = name_kind(kind) {
            return Some((paths, kind));
        }
    }
}

fn name_kind(kind: &str) -> Option<ConflictKind> {
    let kind = kind.strip_prefix("CONFLICT")?.trim_start().trim_matches(['(', ')']);
    Some(match kind {
        "contents" => ConflictKind::Content,
        "binary" => ConflictKind::Binary,
        "file/directory" => ConflictKind::FileFolder,
        "distinct modes" | "distinct types" => ConflictKind::Kinds,
        "modify/delete" => ConflictKind::ModifyDelete,
        "add/add" => ConflictKind::BothAdded,
        _ if kind.starts_with("rename") => ConflictKind::Move,
        _ if kind.contains("directory rename") => ConflictKind::FolderMoved,
        _ if kind.contains("submodule") => ConflictKind::Submodule,
        _ => ConflictKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::{ConflictKind, Oid, read_conflicts};

    #[test]
    fn entries_and_kinds_are_read_from_the_output_of_git() {
        let id = "0123456789012345678901234567890123456789";
        let output = format!(
            "{id}\0100644 {id} 1\ta b\0100755 {id} 3\ta b\0100644 {id} 2\tc\0\
             \0001\0a b\0Auto-merging\0Auto-merging a b\n\0\
             1\0a b\0CONFLICT (modify/delete)\0text\n\0\
             2\0c\0d\0CONFLICT (directory rename suggested)\0text\n\0"
        );
        let commits = ["1", "2"].map(|digit| Oid::from_str(&digit.repeat(40)).unwrap());
        let conflicts = read_conflicts(output.as_bytes(), commits).unwrap();
        let found: Vec<_> = conflicts.iter().map(|c| (c.path.to_string(), c.kind.clone())).collect();
        assert_eq!(
            found,
            [("a b".to_owned(), ConflictKind::ModifyDelete), ("c".to_owned(), ConflictKind::FolderMoved)]
        );
        assert!(conflicts[0].base.is_some() && conflicts[0].ours.is_none() && conflicts[0].theirs.is_some());
    }
}
