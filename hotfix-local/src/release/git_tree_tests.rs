use super::super::Releases;
use super::*;

/// A repository whose objects are written entry by entry, so that hostile trees can be made as well.
struct Fixture {
    folder: tempfile::TempDir,
    repository: Repository,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let repository = Repository::init_bare(folder.path().join("origin.git")).expect("repository");
        Self { folder, repository }
    }

    fn blob(&self, content: &str) -> Oid {
        self.repository.blob(content.as_bytes()).expect("blob")
    }

    /// Writes the tree's raw bytes: libgit2's builder would refuse the names some tests need.
    fn tree(&self, entries: &[(&str, &str, Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            raw.extend_from_slice(id.as_bytes());
        }
        self.repository.odb().expect("odb").write(ObjectType::Tree, &raw).expect("tree")
    }

    fn source(&self) -> GitTreeSource {
        GitTreeSource::new(self.repository.path())
    }

    fn export(&self, tree: Oid) -> Result<PathBuf, ExportError> {
        let into = self.folder.path().join(tree.to_string());
        fs::create_dir(&into).expect("new folder");
        self.source().export(&object_id(tree), &into).map(|()| into)
    }

    fn refusal(&self, entries: &[(&str, &str, Oid)]) -> String {
        self.export(self.tree(entries)).expect_err("unsafe tree").to_string()
    }
}

#[test]
fn files_modes_folders_and_links_come_out_as_they_are_in_the_tree() {
    let fixture = Fixture::new();
    let (data, program) = (fixture.blob("data\r\n"), fixture.blob("#!/bin/sh\n"));
    let inner = fixture.tree(&[("100644", "data", data), ("120000", "up", fixture.blob("../run"))]);
    let tree = fixture.tree(&[("100755", "run", program), ("40000", "sub", inner)]);
    let folder = fixture.export(tree).expect("exported");
    assert_eq!(fs::read(folder.join("sub/data")).expect("file"), b"data\r\n");
    assert_eq!(fs::read_link(folder.join("sub/up")).expect("link"), Path::new("../run"));
    let mode = |path: &str| folder.join(path).metadata().expect("file").permissions().mode() & 0o111;
    assert_eq!((mode("run") != 0, mode("sub/data")), (true, 0));
}

#[test]
fn nothing_leaves_the_folder() {
    let fixture = Fixture::new();
    let blob = fixture.blob("x");
    for name in ["..", ".", ".git", ".GIT"] {
        assert!(fixture.refusal(&[("100644", name, blob)]).contains("not a plain name"), "{name}");
    }
    for (number, link) in ["/etc/passwd", "..", "a/../../b"].into_iter().enumerate() {
        let name = format!("link{number}");
        let refusal = fixture.refusal(&[("120000", &name, fixture.blob(link))]);
        assert!(refusal.contains("a symlink out of the tree"), "{link}: {refusal}");
    }
    assert!(fixture.refusal(&[("120000", "link", fixture.blob("absent"))]).contains("a symlink to nothing"));
    assert!(fixture.refusal(&[("160000", "module", blob)]).contains("a submodule"));
}

#[test]
fn links_that_leave_only_through_one_another_are_refused() {
    let fixture = Fixture::new();
    // Read word by word both stay inside: `p/q` is the root, but then `p/q/..` is its parent.
    let inner = fixture.tree(&[("120000", "q", fixture.blob(".."))]);
    let refusal = fixture.refusal(&[("40000", "p", inner), ("120000", "x", fixture.blob("p/q/../.."))]);
    assert!(refusal.contains("x, which is a symlink out of the tree"), "{refusal}");
    let refusal = fixture.refusal(&[("40000", "p", inner), ("120000", "y", fixture.blob("p/q/.."))]);
    assert!(refusal.contains("y, which is a symlink out of the tree"), "{refusal}");
}

#[test]
fn a_tree_that_is_not_there_is_named() {
    let fixture = Fixture::new();
    let absent = ObjectId::new("0".repeat(40)).expect("an id");
    let error = fixture.source().verify(&absent, Path::new("/")).expect_err("unknown");
    assert!(matches!(&error, ExportError::Tree { tree, .. } if *tree == absent), "{error}");
}

fn object_id(id: Oid) -> ObjectId {
    ObjectId::new(id.to_string()).expect("git prints object ids as we read them")
}

const MANIFEST: &str = "argv = ['./run']\n[health]\npath = '/'\n";

fn releasable(fixture: &Fixture) -> ObjectId {
    let manifest = fixture.blob(MANIFEST);
    let tree =
        fixture.tree(&[("100644", "hotfix-release.toml", manifest), ("100755", "run", fixture.blob("x"))]);
    object_id(tree)
}

#[test]
fn a_release_is_exported_once_and_what_a_kill_left_is_swept() {
    let fixture = Fixture::new();
    let release = releasable(&fixture);
    let releases = Releases::new(fixture.folder.path().join("releases"));
    let half = fixture.folder.path().join("releases/.exporting-0000");
    fs::create_dir_all(half.join("sub")).expect("half an export");
    assert_eq!(releases.ensure(&fixture.source(), &release).expect("exported").argv, ["./run"]);
    assert!(!half.exists());
    fs::write(releases.path(&release).join("service.log"), "left by the service").expect("stray file");
    releases.ensure(&fixture.source(), &release).expect("still complete");
    assert!(releases.path(&release).join("service.log").exists(), "not exported again");
}

#[test]
fn an_altered_release_is_set_aside_and_exported_anew() {
    let fixture = Fixture::new();
    let release = releasable(&fixture);
    let releases = Releases::new(fixture.folder.path().join("releases"));
    releases.ensure(&fixture.source(), &release).expect("exported");
    let program = releases.path(&release).join("run");
    fs::write(&program, "tampered").expect("tamper");
    let error = fixture.source().verify(&release, &releases.path(&release)).expect_err("altered");
    assert!(
        matches!(&error, ExportError::Altered { path, reason: "has other content", .. } if path == "run")
    );
    releases.ensure(&fixture.source(), &release).expect("exported again");
    assert_eq!(fs::read(&program).expect("file"), b"x");
}

#[test]
fn a_tree_without_a_manifest_is_refused() {
    let fixture = Fixture::new();
    let tree = fixture.tree(&[("100644", "run", fixture.blob("x"))]);
    let release = object_id(tree);
    let releases = Releases::new(fixture.folder.path().join("releases"));
    let error = releases.ensure(&fixture.source(), &release).expect_err("no manifest");
    assert!(error.to_string().contains("has no hotfix-release.toml"), "{error}");
}
