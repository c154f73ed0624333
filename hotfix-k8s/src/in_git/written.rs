//! An image as a file has it: whole, or in parts.

use std::collections::BTreeMap;
use std::fmt;

use hotfix_core::model::ImageReference;
use serde::{Deserialize, Serialize};

/// What one scalar of a file says of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// All of it, `registry/name:tag@sha256:…`.
    Reference,
    Name,
    /// A digest may follow it behind an `@`.
    Tag,
    Digest,
}

/// The scalars of a file that name an image, with what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Written(pub(crate) BTreeMap<Part, String>);

/// The parts of a reference.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(image: &'a str) -> Self {
        let (named, digest) = image.split_once('@').map_or((image, None), |(named, id)| (named, Some(id)));
        // A colon before the last slash is that of a port.
        let start = named.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match named[start..].split_once(':') {
            Some((name, tag)) => (&named[..start + name.len()], Some(tag)),
            None => (named, None),
        };
        Self { name, tag, digest }
    }
}

impl Written {
    /// Returns what names an image by a reference alone.
    pub(crate) fn whole(image: &str) -> Self {
        Self([(Part::Reference, image.to_owned())].into())
    }

    /// Returns whether an image is the one that is named. The name may have a registry before it that another place
    /// says, and what no scalar says may be anything.
    pub(crate) fn matches(&self, image: &str) -> bool {
        let parts = Parts::of(image);
        self.0.iter().all(|(part, value)| match part {
            Part::Reference => value == image,
            Part::Name => parts
                .name
                .strip_suffix(value.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/')),
            Part::Tag => match value.split_once('@') {
                Some((tag, digest)) => parts.tag == Some(tag) && parts.digest == Some(digest),
                // Where both are said, older ones of the tools leave the tag out.
                None if self.0.contains_key(&Part::Digest) => parts.tag.is_none_or(|tag| tag == value),
                None => parts.tag == Some(value),
            },
            Part::Digest => parts.digest == Some(value),
        })
    }

    /// Returns the same scalars for another image; `Err` is the part that needs a tag, which the image has not.
    pub(crate) fn of(&self, image: &ImageReference) -> Result<Self, Part> {
        let parts = Parts::of(image.as_str());
        let value = |part: Part, before: &str| match part {
            Part::Reference => Ok(image.as_str().to_owned()),
            Part::Name => Ok(parts.name.to_owned()),
            Part::Digest => Ok(image.digest().to_owned()),
            Part::Tag => {
                let tag = parts.tag.ok_or(part)?;
                Ok(if before.contains('@') { format!("{tag}@{}", image.digest()) } else { tag.to_owned() })
            }
        };
        let parts = self.0.iter().map(|(part, before)| Ok((*part, value(*part, before)?)));
        parts.collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether both are the same scalars.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for value in self.0.values() {
            write!(f, "{between}{value}")?;
            between = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[(Part, &str)]) -> Written {
        Written(parts.iter().map(|(part, value)| (*part, (*value).to_owned())).collect())
    }

    fn digest(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    #[test]
    fn a_reference_is_taken_apart_at_its_own_colon() {
        let parts = |image| {
            let Parts { name, tag, digest } = Parts::of(image);
            (name, tag, digest)
        };
        assert_eq!(parts("host:5000/shop/web"), ("host:5000/shop/web", None, None));
        assert_eq!(parts("host:5000/web:v1@sha256:ab"), ("host:5000/web", Some("v1"), Some("sha256:ab")));
        assert_eq!(parts("web@sha256:ab"), ("web", None, Some("sha256:ab")));
    }

    #[test]
    fn an_image_matches_what_each_scalar_says() {
        let (one, two) = (digest("1"), digest("2"));
        let pinned = format!("host/shop/web:v1@{one}");
        let both = format!("v1@{one}");
        let cases = [
            (written(&[(Part::Reference, &pinned)]), true),
            (written(&[(Part::Reference, "host/shop/web:v1")]), false),
            (written(&[(Part::Tag, "v1")]), true),
            (written(&[(Part::Tag, &both)]), true),
            (written(&[(Part::Tag, "v2")]), false),
            (written(&[(Part::Name, "shop/web"), (Part::Digest, &one)]), true),
            (written(&[(Part::Name, "hop/web"), (Part::Digest, &one)]), false),
            (written(&[(Part::Digest, &two)]), false),
            (written(&[(Part::Tag, "v1"), (Part::Digest, &one)]), true),
            (written(&[(Part::Tag, "v2"), (Part::Digest, &one)]), false),
        ];
        for (written, is_match) in cases {
            assert_eq!(written.matches(&pinned), is_match, "{written}");
        }
    }

    #[test]
    fn another_image_is_written_in_the_same_scalars() {
        let (one, two) = (digest("1"), digest("2"));
        let image = ImageReference::new(&format!("shop/web:v2@{two}")).unwrap();
        let before = written(&[(Part::Name, "shop/web"), (Part::Tag, "v1"), (Part::Digest, &one)]);
        let after = written(&[(Part::Name, "shop/web"), (Part::Tag, "v2"), (Part::Digest, &two)]);
        assert_eq!(before.of(&image), Ok(after.clone()));
        assert!(after.matches(image.as_str()) && before.is_like(&after));
        let pinned = written(&[(Part::Tag, &format!("v1@{one}"))]);
        assert_eq!(pinned.of(&image), Ok(written(&[(Part::Tag, &format!("v2@{two}"))])));
        let untagged = ImageReference::new(&format!("shop/web@{two}")).unwrap();
        assert_eq!(before.of(&untagged), Err(Part::Tag));
    }
}
