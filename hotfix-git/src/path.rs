//! A path inside a git tree: bytes between slashes, as git stores them.

use std::fmt;

/// A path inside a tree, such as `src/main.rs`. Git does not promise UTF-8, so it is kept as bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// Returns the path's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the name after the last slash.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.components().last().unwrap_or_default()
    }

    /// Returns the names between the slashes, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/')
    }

    /// Returns the folders this path lies in, outermost first, without the root.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        let slashes = self.0.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        slashes.map(|(at, _)| Self(self.0[..at].to_vec()))
    }

    pub(crate) fn join(folder: &[u8], name: &[u8]) -> Self {
        if folder.is_empty() {
            return Self(name.to_vec());
        }
        let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
        path.extend_from_slice(folder);
        path.push(b'/');
        path.extend_from_slice(name);
        Self(path)
    }

    pub(crate) fn lies_in(&self, folder: &Self) -> bool {
        self.0.strip_prefix(folder.0.as_slice()).is_some_and(|rest| rest.first() == Some(&b'/'))
    }
}

impl From<&str> for TreePath {
    fn from(path: &str) -> Self {
        Self(path.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for TreePath {
    fn from(path: Vec<u8>) -> Self {
        Self(path)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::TreePath;

    #[test]
    fn ancestors_are_listed_outermost_first_and_without_the_root() {
        let path = TreePath::from("a/b/c.rs");
        assert_eq!(path.ancestors().collect::<Vec<_>>(), [TreePath::from("a"), TreePath::from("a/b")]);
        assert_eq!(path.file_name(), b"c.rs");
        assert_eq!(TreePath::from("top").ancestors().count(), 0);
    }

    #[test]
    fn a_sibling_with_the_same_start_does_not_lie_in_the_folder() {
        assert!(TreePath::from("src/a").lies_in(&TreePath::from("src")));
        assert!(!TreePath::from("src2/a").lies_in(&TreePath::from("src")));
        assert!(!TreePath::from("src").lies_in(&TreePath::from("src")));
    }
}
