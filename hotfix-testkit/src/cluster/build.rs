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
}

pub(super) const MODULES: [Module; 2] = [
    Module {
        pins: include_str!("../../tools/kube/etcd/go.mod"),
        sums: include_str!("../../tools/kube/etcd/go.sum"),
        packages: &["go.etcd.io/etcd/server/v3"],
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
    },
];

/// Builds the programs into the cache, unless they are there, and returns their folder. Blocks for minutes the first
/// time; whoever comes meanwhile waits for the same build.
///
/// # Errors
/// When there is no `go`, no place for a cache, or the build fails; the compiler's words are on standard error.
pub fn build() -> io::Result<PathBuf> {
    let cache = cache().ok_or_else(|| io::Error::other("neither HOME nor XDG_CACHE_HOME is set"))?;
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let target = cache.join(key());
    if !is_complete(&target) {
        let (_, go) = environment::program(&["go"]).ok_or_else(|| {
            let mend = "install Go 1.21 or newer, it fetches the rest by itself";
            io::Error::new(io::ErrorKind::NotFound, format!("no program go in PATH: {mend}"))
        })?;
        let made = TempDir::new_in(&cache)?;
        for module in &MODULES {
            compile(&go, module, made.path())?;
        }
        let _incomplete = fs::remove_dir_all(&target);
        fs::rename(made.keep(), &target)?;
    }
    Ok(target)
}

fn compile(go: &Path, module: &Module, into: &Path) -> io::Result<()> {
    let folder = TempDir::new()?;
    fs::write(folder.path().join("go.mod"), module.pins)?;
    fs::write(folder.path().join("go.sum"), module.sums)?;
    let mut output = into.as_os_str().to_owned();
    // Go calls the program by its package, and the package of etcd is called by its version.
    match module.packages {
        [_] => output.push("/etcd"),
        _ => output.push("/"),
    }
    let status = command(go)
        .current_dir(folder.path())
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
    if let Some(version) = pinned(module, "k8s.io/kubernetes") {
        let mut parts = version.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        for (name, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
            flags.push_str(&format!(" -X k8s.io/component-base/version.{name}={value}"));
        }
    }
    flags
}

fn pinned<'a>(module: &'a Module, path: &str) -> Option<&'a str> {
    let mut lines = module.pins.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(path)).then(|| words.next())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_told_the_version_that_is_pinned() {
        let [etcd, plane] = &MODULES;
        assert_eq!(linker_flags(etcd), "-s -w");
        assert_eq!(
            linker_flags(plane),
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
             -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
        );
    }
}
