//! Builds the programs of the control plane from the Go modules that this crate pins.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::binaries::{cache, is_complete, key};
use crate::environment;
use crate::program::command;

/// A Go module without code that pins what is built.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) pins: &'static str,
    pub(super) sums: &'static str,
    packages: &'static [&'static str],
    /// What the only program is called where Go has another name for it.
    named: Option<&'static str>,
}

pub(super) const MODULES: [Module; 2] = [
    Module {
        pins: include_str!("../../tools/kube/etcd/go.mod"),
        sums: include_str!("../../tools/kube/etcd/go.sum"),
        packages: &["go.etcd.io/etcd/server/v3"],
        // The package is called by its version.
        named: Some("etcd"),
    },
    Module {
        pins: include_str!("../../tools/kube/control-plane/go.mod"),
        sums: include_str!("../../tools/kube/control-plane/go.sum"),
        packages: &[
            "k8s.io/kubernetes/cmd/kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            "k8s.io/kubernetes/cmd/kubectl",
        ],
        named: None,
    },
];

/// The controller of Argo Rollouts, which nothing but comparisons needs.
pub(super) const ARGO_ROLLOUTS: Module = Module {
    pins: include_str!("../../tools/kube/argo-rollouts/go.mod"),
    sums: include_str!("../../tools/kube/argo-rollouts/go.sum"),
    packages: &["github.com/argoproj/argo-rollouts/cmd/rollouts-controller"],
    named: Some(ARGO_CONTROLLER),
};

/// What the controller of Argo Rollouts is called.
pub(super) const ARGO_CONTROLLER: &str = "rollouts-controller";

/// Builds the programs into the cache, unless they are there, and returns their folder. Blocks for minutes the first
/// time; whoever comes meanwhile waits for the same build.
///
/// # Errors
/// When there is no `go`, no place for a cache, or the build fails; the compiler's words are on standard error.
pub fn build() -> io::Result<PathBuf> {
    made(&key(&MODULES), is_complete, |go, into| {
        MODULES.iter().try_for_each(|module| compile(go, module, &source(module)?, into))
    })
}

/// The same for Argo Rollouts: its controller, and the definitions of its kinds.
pub(super) fn build_argo_rollouts(definitions: &[&str]) -> io::Result<PathBuf> {
    let files = [&[ARGO_CONTROLLER], definitions].concat();
    let is_complete = |folder: &Path| files.iter().all(|file| folder.join(file).is_file());
    made(&key(&[ARGO_ROLLOUTS]), is_complete, |go, into| {
        let source = source(&ARGO_ROLLOUTS)?;
        compile(go, &ARGO_ROLLOUTS, &source, into)?;
        let list = ["list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-rollouts"];
        let told = command(go).current_dir(source.path()).args(list).output()?;
        let module = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim().to_owned());
        for file in definitions {
            fs::write(into.join(file), fs::read(module.join("manifests/crds").join(file))?)?;
        }
        Ok(())
    })
}

/// Makes a folder of the cache, unless it is complete.
fn made(
    key: &str,
    is_complete: impl Fn(&Path) -> bool,
    make: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let cache = cache().ok_or_else(|| io::Error::other("neither HOME nor XDG_CACHE_HOME is set"))?;
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let target = cache.join(key);
    if !is_complete(&target) {
        let (_, go) = environment::program(&["go"]).ok_or_else(|| {
            let mend = "install Go 1.21 or newer, it fetches the rest by itself";
            io::Error::new(io::ErrorKind::NotFound, format!("no program go in PATH: {mend}"))
        })?;
        let made = TempDir::new_in(&cache)?;
        make(&go, made.path())?;
        let _incomplete = fs::remove_dir_all(&target);
        fs::rename(made.keep(), &target)?;
    }
    Ok(target)
}

/// Writes a module to a folder.
fn source(module: &Module) -> io::Result<TempDir> {
    let folder = TempDir::new()?;
    fs::write(folder.path().join("go.mod"), module.pins)?;
    fs::write(folder.path().join("go.sum"), module.sums)?;
    Ok(folder)
}

fn compile(go: &Path, module: &Module, source: &TempDir, into: &Path) -> io::Result<()> {
    let mut output = into.as_os_str().to_owned();
    output.push("/");
    output.push(module.named.unwrap_or_default());
    let status = command(go)
        .current_dir(source.path())
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-ldflags", &linker_flags(module), "-o"])
        .arg(output)
        .args(module.packages)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "`go build {}` failed: {status}; it needs Go 1.21 or newer",
            module.packages.join(" ")
        )))
    }
}

/// Tells Kubernetes its version, without which clients misbehave.
fn linker_flags(module: &Module) -> String {
    let mut flags = "-s -w".to_owned();
    let is_kubernetes = module.packages.iter().all(|package| package.starts_with("k8s.io/kubernetes/"));
    if let Some(version) = pinned(module, "k8s.io/kubernetes").filter(|_| is_kubernetes) {
        let mut parts = version.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        for (name, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
            flags.push_str(&format!(" -X k8s.io/component-base/version.{name}={value}"));
        }
    }
    flags
}

pub(super) fn pinned<'a>(module: &'a Module, path: &str) -> Option<&'a str> {
    let mut lines = module.pins.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(path)).then(|| words.next())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_told_the_version_that_is_pinned() {
        let [etcd, plane] = &MODULES;
        assert_eq!([etcd, &ARGO_ROLLOUTS].map(linker_flags), ["-s -w", "-s -w"]);
        assert_eq!(
            linker_flags(plane),
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
             -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
        );
    }
}
