//! A release from a git tree, read straight from the object database: no work tree, no index, no filters.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use git2::{ObjectType, Odb, Oid, Repository};
use hotfix_core::model::ObjectId;

use super::{ExportError, ReleaseSource};

/// Exports trees of one git repository, bare or not.
#[derive(Debug, Clone)]
pub struct GitTreeSource {
    repository: PathBuf,
}

impl GitTreeSource {
    /// Reads from the repository at `repository`, which is opened anew for each export.
    #[must_use]
    pub fn new(repository: impl Into<PathBuf>) -> Self {
        Self { repository: repository.into() }
    }

    fn open(&self, tree: &ObjectId) -> Result<Repository, ExportError> {
        Repository::open(&self.repository).map_err(|error| tree_error(tree, &error))
    }
}

impl ReleaseSource for GitTreeSource {
    fn export(&self, tree: &ObjectId, into: &Path) -> Result<(), ExportError> {
        let repository = self.open(tree)?;
        let listing = list(&repository, tree)?;
        let odb = repository.odb().map_err(|error| tree_error(tree, &error))?;
        for entry in listing.iter().filter(|entry| entry.kind != Kind::Symlink) {
            write_entry(&odb, tree, entry, into)?;
        }
        // Links come last, so that no file is ever written through one.
        for entry in listing.iter().filter(|entry| entry.kind == Kind::Symlink) {
            write_symlink(&odb, tree, entry, into)?;
        }
        links_stay_inside(tree, &listing, into)?;
        self.verify(tree, into)
    }

    fn verify(&self, tree: &ObjectId, folder: &Path) -> Result<(), ExportError> {
        let repository = self.open(tree)?;
        let listing = list(&repository, tree)?;
        listing.iter().try_for_each(|entry| verify_entry(tree, entry, folder))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Executable,
    Symlink,
}

/// One entry of the tree; folders come before what is in them.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    kind: Kind,
    id: Oid,
}

fn list(repository: &Repository, tree: &ObjectId) -> Result<Vec<Entry>, ExportError> {
    let id = Oid::from_str(tree.as_str()).map_err(|error| tree_error(tree, &error))?;
    let mut listing = Vec::new();
    let mut folders = vec![(PathBuf::new(), id)];
    while let Some((folder, id)) = folders.pop() {
        let found = repository.find_tree(id).map_err(|error| tree_error(tree, &error))?;
        for entry in &found {
            let path = folder.join(safe_name(tree, &folder, entry.name_bytes())?);
            let kind = kind_of(tree, &path, entry.filemode())?;
            if kind == Kind::Folder {
                folders.push((path.clone(), entry.id()));
            }
            listing.push(Entry { path, kind, id: entry.id() });
        }
    }
    Ok(listing)
}

/// A tree object may hold any bytes as a name; only a plain component is written to disk.
fn safe_name<'a>(tree: &ObjectId, folder: &Path, name: &'a [u8]) -> Result<&'a Path, ExportError> {
    let path = Path::new(std::ffi::OsStr::from_bytes(name));
    let plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0);
    if plain && !name.eq_ignore_ascii_case(b".git") {
        return Ok(path);
    }
    Err(refused(tree, &folder.join(path), "not a plain name"))
}

fn kind_of(tree: &ObjectId, path: &Path, mode: i32) -> Result<Kind, ExportError> {
    match mode {
        0o040_000 => Ok(Kind::Folder),
        0o100_644 | 0o100_664 => Ok(Kind::File),
        0o100_755 => Ok(Kind::Executable),
        0o120_000 => Ok(Kind::Symlink),
        0o160_000 => Err(refused(tree, path, "a submodule")),
        _ => Err(refused(tree, path, "of an unknown kind")),
    }
}

fn write_entry(odb: &Odb<'_>, tree: &ObjectId, entry: &Entry, into: &Path) -> Result<(), ExportError> {
    let path = into.join(&entry.path);
    if entry.kind == Kind::Folder {
        return fs::create_dir(&path).map_err(ExportError::io("create", &path));
    }
    let blob = odb.read(entry.id).map_err(|error| tree_error(tree, &error))?;
    let mode = if entry.kind == Kind::Executable { 0o755 } else { 0o644 };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&path)
        .and_then(|mut file| file.write_all(blob.data()))
        .map_err(ExportError::io("write", &path))
}

fn write_symlink(odb: &Odb<'_>, tree: &ObjectId, entry: &Entry, into: &Path) -> Result<(), ExportError> {
    let blob = odb.read(entry.id).map_err(|error| tree_error(tree, &error))?;
    let link = PathBuf::from(std::ffi::OsString::from_vec(blob.data().to_vec()));
    if !lexically_inside(entry.path.parent().unwrap_or(Path::new("")), &link) {
        return Err(refused(tree, &entry.path, "a symlink out of the tree"));
    }
    let path = into.join(&entry.path);
    symlink(&link, &path).map_err(ExportError::io("write", &path))
}

/// Whether `link`, read in `folder`, stays in the tree when no part of it is itself a symlink.
fn lexically_inside(folder: &Path, link: &Path) -> bool {
    let mut depth = folder.components().count();
    for component in link.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Symlinks that run through other symlinks can leave the tree although each looks harmless: ask the file system.
fn links_stay_inside(tree: &ObjectId, listing: &[Entry], into: &Path) -> Result<(), ExportError> {
    let root = into.canonicalize().map_err(ExportError::io("resolve", into))?;
    for entry in listing.iter().filter(|entry| entry.kind == Kind::Symlink) {
        match into.join(&entry.path).canonicalize() {
            Ok(resolved) if resolved.starts_with(&root) => {}
            Ok(_) => return Err(refused(tree, &entry.path, "a symlink out of the tree")),
            Err(_) => return Err(refused(tree, &entry.path, "a symlink to nothing")),
        }
    }
    Ok(())
}

fn verify_entry(tree: &ObjectId, entry: &Entry, folder: &Path) -> Result<(), ExportError> {
    let path = folder.join(&entry.path);
    let Ok(metadata) = path.symlink_metadata() else {
        return Err(altered(tree, &entry.path, "is missing"));
    };
    let is_executable = metadata.permissions().mode() & 0o100 != 0;
    let same_kind = match entry.kind {
        Kind::Folder => metadata.is_dir(),
        Kind::File => metadata.is_file() && !is_executable,
        Kind::Executable => metadata.is_file() && is_executable,
        Kind::Symlink => metadata.is_symlink(),
    };
    if !same_kind {
        return Err(altered(tree, &entry.path, "is of another kind"));
    }
    let content = match entry.kind {
        Kind::Folder => return Ok(()),
        Kind::Symlink => {
            let link = fs::read_link(&path).map_err(ExportError::io("read", &path))?;
            link.into_os_string().into_vec()
        }
        Kind::File | Kind::Executable => fs::read(&path).map_err(ExportError::io("read", &path))?,
    };
    match Oid::hash_object(ObjectType::Blob, &content) {
        Ok(id) if id == entry.id => Ok(()),
        _ => Err(altered(tree, &entry.path, "has other content")),
    }
}

fn tree_error(tree: &ObjectId, error: &git2::Error) -> ExportError {
    ExportError::Tree { tree: tree.clone(), reason: error.message().to_owned() }
}

fn refused(tree: &ObjectId, path: &Path, reason: &'static str) -> ExportError {
    ExportError::Unsafe { tree: tree.clone(), path: path.display().to_string(), reason }
}

fn altered(tree: &ObjectId, path: &Path, reason: &'static str) -> ExportError {
    ExportError::Altered { tree: tree.clone(), path: path.display().to_string(), reason }
}

#[cfg(test)]
#[path = "git_tree_tests.rs"]
mod tests;
