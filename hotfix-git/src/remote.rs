//! Reading a remote through the system's git: what its references hold, and the objects behind them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use git2::Oid;

use crate::error::Error;
use crate::limit::Limit;
use crate::program::{Finished, Invocation};
use crate::redact::redact;
use crate::repo::Repo;

/// A remote of the repository that has one place for reading and pushing.
#[derive(Debug)]
pub(crate) struct Remote<'r> {
    pub(crate) repo: &'r Repo,
    pub(crate) name: &'r str,
    pub(crate) limit: &'r Limit,
}

/// What the references of the remote hold, tags not peeled.
pub(crate) type Listing = BTreeMap<String, Oid>;

impl<'r> Remote<'r> {
    pub(crate) fn open(repo: &'r Repo, name: &'r str, limit: &'r Limit) -> Result<Self, Error> {
        let found = repo.git().find_remote(name).map_err(|_| Error::NoRemote { name: name.to_owned() })?;
        match found.pushurl_bytes() {
            Some(push) if push != found.url_bytes() => Err(Error::SplitRemote { name: name.to_owned() }),
            _ => Ok(Self { repo, name, limit }),
        }
    }

    /// Lists the references whose names match one of the patterns: full names, or a prefix with `*`.
    pub(crate) fn list(&self, patterns: &[String]) -> Result<Listing, Error> {
        let mut args = vec!["--quiet".to_owned(), "--refs".to_owned(), "--".to_owned(), self.name.to_owned()];
        args.extend_from_slice(patterns);
        let finished = self.git("ls-remote", args)?;
        if !finished.status.success() {
            return Err(read_failure("ls-remote", &finished));
        }
        let text = String::from_utf8_lossy(&finished.stdout);
        // Git takes a pattern for the end of a name, so that `refs/heads/a` also finds `refs/x/refs/heads/a`.
        let wanted = |name: &str| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == pattern,
            })
        };
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines
            .filter(|(_, name)| wanted(name))
            .filter_map(|(id, name)| Some((name.to_owned(), Oid::from_str(id).ok()?)))
            .collect())
    }

    /// Fetches by refspec. Only references named on the right of one are written.
    pub(crate) fn fetch(&self, refspecs: &[String]) -> Result<(), Error> {
        let options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", "--", self.name];
        let args = options.into_iter().map(str::to_owned).chain(refspecs.iter().cloned()).collect();
        let finished = self.git("fetch", args)?;
        if !finished.status.success() {
            return Err(read_failure("fetch", &finished));
        }
        let odb = self.repo.git().odb().map_err(Error::library("open the object database"))?;
        odb.refresh().map_err(Error::library("read what was fetched"))
    }

    pub(crate) fn git(&self, command: &'static str, args: Vec<String>) -> Result<Finished, Error> {
        let git_dir = self.repo.common_dir();
        self.repo.program().run(&Invocation {
            command,
            args: std::iter::once(command.to_owned()).chain(args).map(OsString::from).collect(),
            git_dir,
            current_dir: &self.directory(),
            limit: self.limit.remaining(),
            stop: self.limit.stop_token(),
        })
    }

    /// Relative URLs count from the work tree where there is one.
    fn directory(&self) -> PathBuf {
        let common = self.repo.common_dir();
        let bare = self.repo.git().config().and_then(|config| config.get_bool("core.bare")).unwrap_or(false);
        match common.parent() {
            Some(work_tree) if !bare => work_tree.to_path_buf(),
            _ => common.to_path_buf(),
        }
    }
}

fn read_failure(command: &'static str, finished: &Finished) -> Error {
    let text = redact(&finished.stderr);
    match diagnose(&finished.stderr) {
        Diagnosis::Denied => Error::AccessDenied { text },
        Diagnosis::NotReached => Error::Unreachable { text },
        Diagnosis::Unknown => Error::Program { command, text },
    }
}

/// What git's message says about how far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// The remote refused access before anything was sent.
    Denied,
    /// The remote was not reached, or is no repository. Nothing was sent.
    NotReached,
    Unknown,
}

const DENIED: &[&str] = &[
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Permission denied",
    "Host key verification failed",
    "terminal prompts disabled",
    "The requested URL returned error: 401",
    "The requested URL returned error: 403",
    "access denied or repository not exported",
    "service not enabled",
];

const NOT_REACHED: &[&str] = &[
    "Could not resolve host",
    "Could not resolve hostname",
    "unable to look up",
    "Connection refused",
    "Failed to connect",
    "unable to connect to",
    "Network is unreachable",
    "No route to host",
    "Repository not found",
    "repository not found",
    "does not appear to be a git repository",
    "does not exist",
    "No such file or directory",
    "hung up upon initial contact",
    "The requested URL returned error: 404",
];

/// Messages that mean the connection broke later, whatever else is said.
const BROKEN: &[&str] =
    &["unexpected disconnect", "early EOF", "RPC failed", "the remote end hung up unexpectedly"];

pub(crate) fn diagnose(stderr: &str) -> Diagnosis {
    let says = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
    if says(BROKEN) {
        Diagnosis::Unknown
    } else if says(DENIED) {
        Diagnosis::Denied
    } else if says(NOT_REACHED) {
        Diagnosis::NotReached
    } else {
        Diagnosis::Unknown
    }
}
