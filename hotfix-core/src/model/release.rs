//! What runs: a version, the tag that names it and the exact bytes.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{ArtifactId, InvalidValue, ObjectId, TagName};

/// The bytes of a release, named so that two different builds never share a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Artifact {
    /// A tree of the repository, deployed as it is.
    Tree(ObjectId),
    /// A container image by digest.
    Image(ImageReference),
}

impl Artifact {
    /// Returns the name under which a target and a verdict know these bytes.
    #[must_use]
    pub fn id(&self) -> ArtifactId {
        match self {
            Self::Tree(tree) => ArtifactId::of_tree(tree),
            Self::Image(image) => ArtifactId::of_image(image),
        }
    }
}

/// A container image pinned by digest: `registry/name@sha256:<64 hex digits>`. A tag alone is not a release,
/// because it can be moved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference {
    text: Box<str>,
    at: usize,
}

impl ImageReference {
    /// Parses a reference.
    ///
    /// # Errors
    /// [`InvalidValue`] when the digest is missing or malformed.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new("image reference", text, "name@sha256:<64 hex digits>");
        let (name, digest) = text.split_once('@').ok_or_else(invalid)?;
        let hex = digest.strip_prefix("sha256:").ok_or_else(invalid)?;
        let printable = |c: char| c.is_ascii_graphic() && c != '@';
        if name.is_empty()
            || !name.chars().all(printable)
            || hex.len() != 64
            || !hex.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(invalid());
        }
        Ok(Self { text: text.into(), at: name.len() })
    }

    /// Returns the digest, `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Returns the whole reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for ImageReference {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<ImageReference> for String {
    fn from(image: ImageReference) -> Self {
        image.text.into()
    }
}

/// Something that can be deployed and restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// The tag that names it in the repository.
    pub tag: TagName,
    /// The bytes.
    pub artifact: Artifact,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_digest_is_not_a_release() {
        let error = ImageReference::new("shop/api:v1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid image reference \"shop/api:v1\": allowed are name@sha256:<64 hex digits>"
        );
        let digest = format!("sha256:{}", "a1".repeat(32));
        let image = ImageReference::new(&format!("shop/api@{digest}")).unwrap();
        assert_eq!(Artifact::Image(image).id().as_str(), format!("image:{digest}"));
    }
}
