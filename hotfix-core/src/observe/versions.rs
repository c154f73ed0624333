//! Versions from tags: which release is the newest, and which version comes next.

use std::collections::BTreeMap;

use crate::model::{TagName, Version};
use crate::port::TagFact;

/// The tags of a repository that name versions, in the order of semver.
#[derive(Debug, Clone)]
pub struct ReleaseTags<'a> {
    sorted: Vec<(Version, &'a TagName, &'a TagFact)>,
}

/// The version of the next release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionChoice {
    /// The version.
    pub version: Version,
    /// Versions that would have come first but exist already, here or on the remote.
    pub taken: Vec<Version>,
}

impl<'a> ReleaseTags<'a> {
    /// Reads the tags that consist of the prefix and a semver version. Other tags are nobody's release.
    #[must_use]
    pub fn new(tags: &'a BTreeMap<TagName, TagFact>, prefix: &str) -> Self {
        let parse = |tag: &TagName| Version::parse(tag.as_str().strip_prefix(prefix)?).ok();
        let mut sorted: Vec<_> =
            tags.iter().filter_map(|(tag, fact)| Some((parse(tag)?, tag, fact))).collect();
        sorted.sort_by(|(a, a_tag, _), (b, b_tag, _)| (a, a_tag).cmp(&(b, b_tag)));
        Self { sorted }
    }

    /// Returns the newest release; pre-releases do not count.
    #[must_use]
    pub fn newest(&self) -> Option<(&Version, &'a TagName, &'a TagFact)> {
        let (version, tag, fact) = self.sorted.iter().rev().find(|(version, ..)| version.pre.is_empty())?;
        Some((version, tag, fact))
    }

    /// Returns the version that a tag names.
    #[must_use]
    pub fn version(&self, tag: &TagName) -> Option<&Version> {
        self.sorted.iter().find(|(_, name, _)| *name == tag).map(|(version, ..)| version)
    }

    /// Returns the releases, oldest first, without pre-releases.
    pub fn releases(&self) -> impl Iterator<Item = (&Version, &'a TagName, &'a TagFact)> {
        let release = |(version, ..): &&(Version, &TagName, &TagFact)| version.pre.is_empty();
        self.sorted.iter().filter(release).map(|(version, tag, fact)| (version, *tag, *fact))
    }

    /// Returns the next patch version after `base` that no release has. Build metadata is dropped.
    #[must_use]
    pub fn next_patch(&self, base: &Version) -> VersionChoice {
        let mut version = Version::new(base.major, base.minor, base.patch.saturating_add(1));
        let mut taken = Vec::new();
        while self.releases().any(|(other, ..)| core(other) == core(&version)) && version.patch < u64::MAX {
            taken.push(version.clone());
            version.patch += 1;
        }
        VersionChoice { version, taken }
    }

    /// Returns the number of the next release candidate of a version, from 1.
    #[must_use]
    pub fn next_candidate(&self, version: &Version) -> u64 {
        let number = |other: &Version| other.pre.as_str().strip_prefix("rc.")?.parse::<u64>().ok();
        let candidates = self.sorted.iter().filter(|(other, ..)| core(other) == core(version));
        candidates.filter_map(|(other, ..)| number(other)).max().unwrap_or(0).saturating_add(1)
    }
}

const fn core(version: &Version) -> (u64, u64, u64) {
    (version.major, version.minor, version.patch)
}
