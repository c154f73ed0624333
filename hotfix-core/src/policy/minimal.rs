//! What an emergency fix may not touch, and how large it may be.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::PathGlob;
use super::invalid::Faults;
use crate::port::DiffSize;

/// The rules of a minimal change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinimalChange {
    /// How many files a fix may change.
    pub max_files: u32,
    /// How many lines it may add and remove.
    pub max_lines: u64,
    /// What it may not change, at any depth.
    pub forbidden: Vec<PathGlob>,
}

const FORBIDDEN: [&str; 18] = [
    "Cargo.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "Gemfile.lock",
    "composer.lock",
    "go.sum",
    ".github/**",
    ".gitlab-ci.yml",
    ".circleci/**",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "migrations/**",
    "migrate/**",
    "*.migration.sql",
];

impl Default for MinimalChange {
    fn default() -> Self {
        let glob = |text: &&str| PathGlob::new(text).expect("the built-in patterns are valid");
        Self { max_files: 10, max_lines: 200, forbidden: FORBIDDEN.iter().map(glob).collect() }
    }
}

/// One rule that a change breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "breach")]
pub enum MinimalityBreach {
    /// Too many files.
    Files {
        /// How many it changes.
        files: u64,
        /// How many it may.
        limit: u32,
    },
    /// Too many lines.
    Lines {
        /// How many it adds and removes.
        lines: u64,
        /// How many it may.
        limit: u64,
    },
    /// A path that an emergency fix leaves alone.
    Path {
        /// The path.
        path: String,
        /// The pattern that forbids it.
        forbidden_by: PathGlob,
    },
}

impl fmt::Display for MinimalityBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { files, limit } => write!(f, "it changes {files} files, {limit} are allowed"),
            Self::Lines { lines, limit } => write!(f, "it changes {lines} lines, {limit} are allowed"),
            Self::Path { path, forbidden_by } => write!(f, "it changes {path}, which {forbidden_by} forbids"),
        }
    }
}

impl MinimalChange {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.max_files == 0 {
            faults.add("minimal_change.max_files", 0, "1 or more");
        }
        if self.max_lines == 0 {
            faults.add("minimal_change.max_lines", 0, "1 or more");
        }
    }

    /// Returns every rule that the change breaks, size first, then the paths in their order.
    #[must_use]
    pub fn breaches(&self, diff: &DiffSize) -> Vec<MinimalityBreach> {
        let mut breaches = Vec::new();
        let (files, lines) = (diff.paths.len() as u64, diff.lines());
        if files > u64::from(self.max_files) {
            breaches.push(MinimalityBreach::Files { files, limit: self.max_files });
        }
        if lines > self.max_lines {
            breaches.push(MinimalityBreach::Lines { lines, limit: self.max_lines });
        }
        breaches.extend(diff.paths.iter().filter_map(|changed| {
            let forbidden_by = self.forbidden.iter().find(|glob| glob.matches(&changed.path))?.clone();
            Some(MinimalityBreach::Path { path: changed.path.clone(), forbidden_by })
        }));
        breaches
    }
}
