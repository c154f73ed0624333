//! One file of a commit: reading it, and replacing its contents.

use hotfix_core::ErrorKind;
use hotfix_core::model::ObjectId;
use hotfix_core::port::{Composed, ConflictKind, DiffSize, Instruction, Point};

use super::super::expect::{broken, equal, fails, succeeds};
use super::super::report::{Outcome, Unmet};
use super::VersionControlFixture;
use super::history::{HISTORY, Repository, missing_id, recipe};

const PATH: &str = "src/auth.txt";
/// Nothing of a text may be taken for granted: line ends, a missing last one, characters beyond ASCII.
const TEXT: &str = "one\r\n  zwei: \u{fc}\n\nlast";

/// A file is read as it is in the commit that is asked for; where there is none, nothing is read.
pub async fn a_file_is_read_as_it_was_written(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    for (commit, path, text) in [
        ("base", PATH, Some("one\ntwo\nthree\n")),
        ("fix", PATH, Some("one\nTWO\nthree\nfour\n")),
        ("removal", PATH, None),
        ("base", "src/new.txt", None),
    ] {
        let read = read(&repository, &repository.id(commit)?, path).await?;
        equal(&format!("{path} of {commit}"), &read.as_deref(), &text)?;
    }
    Ok(())
}

/// A write changes the contents of the file, byte for byte as asked, and no other file.
pub async fn a_write_replaces_one_file_and_nothing_else(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let from = repository.at("second")?;
    let diff = Instruction::Diff { from: from.clone(), to: Point::Made(0) };
    let made = repository.compose(vec![write(from, PATH, TEXT), diff]).await?;
    let id = commit(made.first())?;
    equal("the file", &read(&repository, &id, PATH).await?.as_deref(), &Some(TEXT))?;
    let second = repository.id("second")?;
    for other in ["README.md", "src/pay.txt", "src/new.txt"] {
        let [before, after] = [&second, &id].map(|commit| read(&repository, commit, other));
        equal(other, &after.await?, &before.await?)?;
    }
    match made.get(1) {
        Some(Composed::Diff(DiffSize { paths })) => {
            let paths: Vec<&str> = paths.iter().map(|path| path.path.as_str()).collect();
            equal("the paths that differ", &paths, &vec![PATH])
        }
        other => Err(broken(format!("expected a difference, found {other:?}"))),
    }
}

/// A write of the contents that are there makes no commit and answers the commit that has them.
pub async fn a_write_of_what_is_there_makes_nothing(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let made = repository.compose(vec![write(repository.at("base")?, PATH, "one\ntwo\nthree\n")]).await?;
    match made.first() {
        Some(Composed::Unchanged { id, .. }) => {
            equal("the commit that has the contents", id, &repository.id("base")?)
        }
        other => Err(broken(format!("expected Unchanged, found {other:?}"))),
    }
}

/// The same write gives the same id, and a write can build on another one.
pub async fn the_same_write_gives_the_same_id(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let instructions =
        vec![write(repository.at("base")?, PATH, TEXT), write(Point::Made(0), "src/pay.txt", "free\n")];
    let first = repository.compose(instructions.clone()).await?;
    equal("the second time", &repository.compose(instructions).await?, &first)?;
    let id = commit(first.get(1))?;
    equal("the first file", &read(&repository, &id, PATH).await?.as_deref(), &Some(TEXT))?;
    equal("the second file", &read(&repository, &id, "src/pay.txt").await?.as_deref(), &Some("free\n"))
}

/// A folder and what is below a file are refused, nothing is made where no file is, and a commit must exist.
pub async fn what_is_no_file_is_refused(fixture: &dyn VersionControlFixture) -> Outcome {
    let repository = fixture.repository(&HISTORY).await;
    let base = repository.id("base")?;
    for path in ["src", "README.md/below"] {
        fails(path, repository.control.read_file(&base, path).await, ErrorKind::Invalid)?;
    }
    for (path, kind) in [
        ("src", ConflictKind::Type),
        ("README.md/below", ConflictKind::Type),
        ("src/new.txt", ConflictKind::ModifyDelete),
    ] {
        let made = repository.compose(vec![write(repository.at("base")?, path, TEXT)]).await?;
        let found = match made.first() {
            Some(Composed::Conflict { paths }) => {
                paths.iter().map(|found| (found.path.as_str(), found.kind)).collect::<Vec<_>>()
            }
            other => return Err(broken(format!("expected a conflict at {path}, found {other:?}"))),
        };
        equal("the conflict", &found, &vec![(path, kind)])?;
    }
    let missing = missing_id();
    let read = repository.control.read_file(&missing, PATH).await;
    fails("reading of an unknown commit", read, ErrorKind::NotFound)?;
    let unknown = recipe(vec![write(Point::Commit(missing), PATH, TEXT)]);
    fails("writing onto it", repository.control.compose(&unknown).await, ErrorKind::NotFound)
}

fn write(onto: Point, path: &str, contents: &str) -> Instruction {
    let (path, contents) = (path.to_owned(), contents.to_owned());
    Instruction::Write { onto, path, contents, message: "write a file".to_owned() }
}

async fn read(repository: &Repository, commit: &ObjectId, path: &str) -> Result<Option<String>, Unmet> {
    succeeds("read_file", repository.control.read_file(commit, path).await)
}

fn commit(answer: Option<&Composed>) -> Result<ObjectId, Unmet> {
    match answer {
        Some(Composed::Commit { id, .. }) => Ok(id.clone()),
        other => Err(broken(format!("expected a new commit, found {other:?}"))),
    }
}
