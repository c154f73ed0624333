//! Our cherry-pick against git's own, on random small trees: the same tree, or a conflict in both.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hotfix_git::{ConflictKind, Mainline, Oid, Pick};
use proptest::prelude::*;

use crate::fixture::{Sandbox, TestRepo, committer};

/// A file: its lines and whether it may be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    lines: Vec<u8>,
    executable: bool,
}

type Tree = BTreeMap<&'static str, File>;

const PATHS: &[&str] = &["a", "b", "d/a", "d/b", "d/e/c", "g/a", "g/b", "g/h/x", "d/z", "d"];

#[derive(Clone, Debug)]
enum Edit {
    Change { file: prop::sample::Index, line: prop::sample::Index, to: u8 },
    Insert { file: prop::sample::Index, line: prop::sample::Index, new: u8 },
    Delete { file: prop::sample::Index },
    Add { path: usize, file: File },
    Move { file: prop::sample::Index, to: usize },
    Copy { file: prop::sample::Index, to: usize },
    Mode { file: prop::sample::Index },
    MoveFolder { from: &'static str, to: &'static str },
}

fn file() -> impl Strategy<Value = File> {
    (prop::collection::vec(0..40_u8, 0..14), prop::bool::weighted(0.1))
        .prop_map(|(lines, executable)| File { lines, executable })
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::btree_map(prop::sample::select(&PATHS[..9]), file(), 2..7)
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    let path = 0..PATHS.len();
    prop_oneof![
        6 => (at(), at(), 0..60_u8).prop_map(|(file, line, to)| Edit::Change { file, line, to }),
        4 => (at(), at(), 0..60_u8).prop_map(|(file, line, new)| Edit::Insert { file, line, new }),
        2 => at().prop_map(|file| Edit::Delete { file }),
        2 => (path.clone(), file()).prop_map(|(path, file)| Edit::Add { path, file }),
        2 => (at(), path.clone()).prop_map(|(file, to)| Edit::Move { file, to }),
        1 => (at(), path).prop_map(|(file, to)| Edit::Copy { file, to }),
        1 => at().prop_map(|file| Edit::Mode { file }),
        1 => prop::sample::select(vec![("d", "g"), ("g", "d/e"), ("d", "n"), ("g", "m/g")]).prop_map(|(from, to)| Edit::MoveFolder { from, to }),
    ]
}

/// Paths that appear only by moving whole folders.
const MOVED: &[&str] =
    &["n/a", "n/b", "n/e/c", "n/z", "m/g/a", "m/g/b", "m/g/h/x", "d/e/a", "d/e/b", "d/e/h/x", "g/e/c", "g/z"];

fn apply(tree: &mut Tree, edit: &Edit) {
    let names: Vec<&'static str> = tree.keys().copied().collect();
    if names.is_empty() {
        return;
    }
    match edit {
        Edit::Change { file, line, to } => {
            let lines = &mut tree.get_mut(file.get(&names)).unwrap().lines;
            if !lines.is_empty() {
                let at = line.index(lines.len());
                lines[at] = *to;
            }
        }
        Edit::Insert { file, line, new } => {
            let lines = &mut tree.get_mut(file.get(&names)).unwrap().lines;
            lines.insert(line.index(lines.len() + 1), *new);
        }
        Edit::Delete { file } => drop(tree.remove(file.get(&names))),
        Edit::Add { path, file } => put(tree, PATHS[*path], file.clone()),
        Edit::Move { file, to } => {
            let moved = tree.remove(file.get(&names)).unwrap();
            put(tree, PATHS[*to], moved);
        }
        Edit::Copy { file, to } => {
            let copy = tree[file.get(&names)].clone();
            put(tree, PATHS[*to], copy);
        }
        Edit::Mode { file } => {
            let file = tree.get_mut(file.get(&names)).unwrap();
            file.executable = !file.executable;
        }
        Edit::MoveFolder { from, to } => move_folder(tree, from, to),
    }
}

fn move_folder(tree: &mut Tree, from: &str, to: &str) {
    let inside: Vec<_> = tree.keys().copied().filter(|name| name.starts_with(&format!("{from}/"))).collect();
    for name in inside {
        let new = format!("{to}{}", &name[from.len()..]);
        if let Some(new) = PATHS.iter().chain(MOVED).find(|path| **path == new) {
            let file = tree.remove(name).unwrap();
            put(tree, new, file);
        }
    }
}

/// Puts a file, and takes away files that stand where its folders are, or below it.
fn put(tree: &mut Tree, path: &'static str, file: File) {
    let below = format!("{path}/");
    tree.retain(|name, _| !name.starts_with(&below) && !path.starts_with(&format!("{name}/")));
    tree.insert(path, file);
}

fn write_commit(repo: &git2::Repository, tree: &Tree, parents: &[Oid]) -> Oid {
    let mut index = git2::Index::new().unwrap();
    for (path, file) in tree {
        let content: String =
            file.lines.iter().map(|line| format!("line number {line} of this file\n")).collect();
        let id = repo.blob(content.as_bytes()).unwrap();
        index.add(&entry(path, id, file.executable)).unwrap();
    }
    let id = index.write_tree_to(repo).unwrap();
    let tree = repo.find_tree(id).unwrap();
    let who =
        git2::Signature::new("Ada Author", "ada@example.test", &git2::Time::new(1_700_000_000, 60)).unwrap();
    let parents: Vec<_> = parents.iter().map(|id| repo.find_commit(*id).unwrap()).collect();
    repo.commit(None, &who, &who, "change\n", &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
}

fn entry(path: &str, id: Oid, executable: bool) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: if executable { 0o100_755 } else { 0o100_644 },
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}

/// What git made of the pick: the tree, or `None` for a conflict.
fn git_pick(repo: &TestRepo, fix: Oid, onto: Oid) -> Option<String> {
    let onto = onto.to_string();
    repo.git(&["reset", "--quiet", "--hard", &onto]);
    repo.git(&["clean", "--quiet", "-ffdx"]);
    let picked =
        repo.try_git(&["cherry-pick", "-x", "--allow-empty", "--keep-redundant-commits", &fix.to_string()]);
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    match picked.status.code() {
        Some(0) => Some(tree),
        Some(1) => {
            repo.git(&["cherry-pick", "--quit"]);
            None
        }
        _ => panic!("{}", String::from_utf8_lossy(&picked.stderr)),
    }
}

fn our_pick(repo: &TestRepo, fix: Oid, onto: Oid) -> Result<Option<String>, Vec<ConflictKind>> {
    let ours = repo.open();
    let fix = ours.read_fix(fix, Mainline::Only).unwrap();
    match ours.pick(&fix, onto, &committer()).unwrap() {
        Pick::Commit { tree, .. } => Ok(Some(tree.to_string())),
        Pick::AlreadyApplied => Ok(Some(repo.git(&["rev-parse", &format!("{onto}^{{tree}}")]))),
        Pick::NothingToDo => Ok(None),
        Pick::Conflict(paths) => Err(paths.into_iter().map(|path| path.kind).collect()),
    }
}

/// Repositories are used for some cases only: thousands of loose objects make every look-up slow.
const CASES_PER_REPOSITORY: usize = 100;

thread_local! {
    static REPO: RefCell<(usize, Option<Arena>)> = const { RefCell::new((0, None)) };
}

struct Arena {
    _sandbox: Sandbox,
    repo: TestRepo,
    git: git2::Repository,
}

fn with_arena<T>(case: impl FnOnce(&TestRepo, &git2::Repository) -> T) -> T {
    REPO.with_borrow_mut(|(used, arena)| {
        if *used % CASES_PER_REPOSITORY == 0 {
            let sandbox = Sandbox::new();
            let repo = sandbox.repo("random");
            repo.commit("root", &[("root", "x\n")]);
            let git = git2::Repository::open(&repo.path).unwrap();
            *arena = Some(Arena { _sandbox: sandbox, repo, git });
        }
        *used += 1;
        let arena = arena.as_ref().unwrap();
        case(&arena.repo, &arena.git)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pick_gives_the_tree_of_git_or_a_conflict_where_git_has_one(
        base in tree(),
        our_edits in prop::collection::vec(edit(), 0..4),
        their_edits in prop::collection::vec(edit(), 1..4),
    ) {
        let (mut ours, mut theirs) = (base.clone(), base.clone());
        our_edits.iter().for_each(|edit| apply(&mut ours, edit));
        their_edits.iter().for_each(|edit| apply(&mut theirs, edit));
        prop_assume!(theirs != base && !ours.is_empty());
        with_arena(|repo, git| {
            let base = write_commit(git, &base, &[]);
            let onto = write_commit(git, &ours, &[base]);
            let fix = write_commit(git, &theirs, &[base]);
            let expected = git_pick(repo, fix, onto);
            match our_pick(repo, fix, onto) {
                Ok(tree) => prop_assert_eq!(tree, expected),
                Err(kinds) if kinds.iter().any(|kind| matches!(kind, ConflictKind::AmbiguousMove { .. })) => {}
                Err(kinds) => prop_assert_eq!(None, expected, "we report {:?}", kinds),
            }
            Ok(())
        })?;
    }
}
