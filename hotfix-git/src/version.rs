//! The next version and the next release candidate, from the names of the tags that exist.

use std::fmt;

use semver::{Prerelease, Version};

/// A tag that names a version: a prefix such as `v` or `release-`, then a semantic version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionTag {
    prefix: String,
    version: Version,
}

impl VersionTag {
    /// Reads the name of a tag, without `refs/tags/`. A tag that is no version is `None`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let start = name.find(|c: char| c.is_ascii_digit())?;
        let (prefix, version) = name.split_at(start);
        let version = Version::parse(version).ok()?;
        Some(Self { prefix: prefix.to_owned(), version })
    }

    /// Returns the text before the version.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns the hotfix version that follows this one: the patch number after the highest one in use among `tags`
    /// of the same prefix, major and minor number.
    ///
    /// Pre-releases are no versions in use, and the result carries neither pre-release nor build metadata.
    #[must_use]
    pub fn next_hotfix<'t>(&self, tags: impl IntoIterator<Item = &'t str>) -> Self {
        let highest = self.siblings(tags).map(|tag| tag.version.patch).max();
        let patch = highest.map_or(self.version.patch, |patch| patch.max(self.version.patch)) + 1;
        let version = Version::new(self.version.major, self.version.minor, patch);
        Self { prefix: self.prefix.clone(), version }
    }

    /// Returns the release candidate of this version that follows the highest one among `tags`: `-rc.1` if none is.
    ///
    /// # Panics
    /// Never: the identifier it builds is valid for every number.
    #[must_use]
    pub fn next_candidate<'t>(&self, tags: impl IntoIterator<Item = &'t str>) -> Self {
        let release = Version::new(self.version.major, self.version.minor, self.version.patch);
        let numbers = tags.into_iter().filter_map(Self::parse).filter_map(|tag| {
            let same = tag.prefix == self.prefix
                && (tag.version.major, tag.version.minor, tag.version.patch)
                    == (release.major, release.minor, release.patch);
            same.then(|| tag.version.pre.strip_prefix("rc.")?.parse::<u64>().ok()).flatten()
        });
        let number = numbers.max().unwrap_or(0).saturating_add(1);
        let pre =
            Prerelease::new(&format!("rc.{number}")).expect("rc and a number without leading zero is valid");
        Self { prefix: self.prefix.clone(), version: Version { pre, ..release } }
    }

    fn siblings<'t>(&self, tags: impl IntoIterator<Item = &'t str>) -> impl Iterator<Item = Self> {
        tags.into_iter().filter_map(Self::parse).filter(|tag| {
            tag.version.pre.is_empty()
                && tag.prefix == self.prefix
                && tag.version.major == self.version.major
                && tag.version.minor == self.version.minor
        })
    }
}

impl fmt::Display for VersionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::VersionTag;

    fn next(from: &str, tags: &[&str]) -> String {
        VersionTag::parse(from).unwrap().next_hotfix(tags.iter().copied()).to_string()
    }

    fn candidate(of: &str, tags: &[&str]) -> String {
        VersionTag::parse(of).unwrap().next_candidate(tags.iter().copied()).to_string()
    }

    #[test]
    fn versions_are_ordered_by_number_and_pre_releases_do_not_count() {
        assert_eq!(next("v1.4.10", &["v1.4.2", "v1.5.0-rc.1", "v1.4.10"]), "v1.4.11");
        assert_eq!(next("v1.4.2", &["v1.4.2", "v1.4.10", "v1.4.11-rc.3"]), "v1.4.11");
    }

    #[test]
    fn the_prefix_is_kept_and_other_prefixes_do_not_count() {
        assert_eq!(next("release-1.4.2", &["v1.4.9", "release-1.4.2"]), "release-1.4.3");
        assert_eq!(next("1.0.0", &["v1.0.7"]), "1.0.1");
    }

    #[test]
    fn build_metadata_is_dropped() {
        assert_eq!(next("v1.4.2+build.7", &["v1.4.3+build.8"]), "v1.4.4");
    }

    #[test]
    fn a_tag_that_is_no_version_is_none() {
        for name in ["nightly", "v1.4", "v1.4.x", "", "v01.2.3", "v1.2.3.4"] {
            assert_eq!(VersionTag::parse(name), None, "{name}");
        }
    }

    #[test]
    fn candidates_count_on_from_the_highest() {
        assert_eq!(candidate("v2.1.1", &[]), "v2.1.1-rc.1");
        assert_eq!(candidate("v2.1.1", &["v2.1.1-rc.2", "v2.1.1-rc.10", "v2.1.2-rc.40"]), "v2.1.1-rc.11");
        assert_eq!(candidate("v2.1.1", &["v2.1.1-beta.3", "x2.1.1-rc.9"]), "v2.1.1-rc.1");
    }
}
