//! Which release a Deployment holds: what was written there when it was staged, or what its image says.

use hotfix_core::model::{Artifact, ImageReference, Release, TagName, Version};
use serde_json::Value;

use crate::names;
use crate::pod::Pod;
use crate::template;

/// Why a release cannot be named. The text says what is missing and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unnamed {
    #[error("{deployment} has no container {container:?}; name one of {known} in the target's configuration")]
    NoContainer { deployment: String, container: String, known: String },
    #[error(
        "{deployment} has {known} as containers; name the one that carries the release in the target's configuration"
    )]
    ManyContainers { deployment: String, known: String },
    #[error(
        "the image {image} of {deployment} has no digest and no running pod tells one; deploy it by digest"
    )]
    NoDigest { deployment: String, image: String },
    #[error("pods of {deployment} run the digests {digests} of the image {image}; deploy it by digest")]
    ManyDigests { deployment: String, image: String, digests: String },
    #[error(
        "{deployment} does not tell its version: neither the tag of the image {image} nor the label app.kubernetes.io/version is a semantic version such as 2.4.1; set the label"
    )]
    NoVersion { deployment: String, image: String },
    #[error("the annotation hotfix.dev/release of {deployment} is not readable: {reason}; remove it")]
    Corrupt { deployment: String, reason: String },
}

/// What an annotation says that a slot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nobody staged anything here.
    Absent,
    /// It was emptied.
    Empty,
    /// This was staged here.
    Staged(Box<Release>),
}

impl Mark {
    /// Reads the mark of a Deployment.
    pub(crate) fn read(deployment: &Value, name: &str) -> Result<Self, Unnamed> {
        let mark = deployment.pointer("/metadata/annotations").and_then(|all| all.get(names::RELEASE));
        match mark.and_then(Value::as_str) {
            None => Ok(Self::Absent),
            Some(names::EMPTY) => Ok(Self::Empty),
            Some(text) => serde_json::from_str(text)
                .map(Self::Staged)
                .map_err(|error| Unnamed::Corrupt { deployment: name.to_owned(), reason: error.to_string() }),
        }
    }

    /// Returns the text of the mark of a staged release.
    pub(crate) fn text(release: &Release) -> String {
        serde_json::to_string(release).expect("a release has string keys only")
    }
}

/// Names the release that a Deployment's template runs. A mark that the image contradicts is not believed.
pub(crate) fn identify(
    deployment: &Value,
    name: &str,
    mark: Mark,
    container: &str,
    pods: &[&Pod],
) -> Result<Release, Unnamed> {
    let image = template::image(deployment.pointer("/spec/template"), container).unwrap_or_default();
    if let Mark::Staged(release) = mark
        && matches!(&release.artifact, Artifact::Image(staged) if staged.as_str() == image)
    {
        return Ok(*release);
    }
    let reference = pinned(image, name, container, pods)?;
    let version = version(deployment, image)
        .ok_or_else(|| Unnamed::NoVersion { deployment: name.to_owned(), image: image.to_owned() })?;
    let tag =
        TagName::new(format!("v{version}")).expect("a semantic version has no character that git refuses");
    Ok(Release { version, tag, artifact: Artifact::Image(reference) })
}

/// The image by digest: as the template names it, or as all running pods report it.
fn pinned(image: &str, name: &str, container: &str, pods: &[&Pod]) -> Result<ImageReference, Unnamed> {
    if let Ok(reference) = ImageReference::new(image) {
        return Ok(reference);
    }
    let mut digests: Vec<&str> = pods.iter().filter_map(|pod| pod.digest(container)).collect();
    digests.sort_unstable();
    digests.dedup();
    let (deployment, image) = (name.to_owned(), image.to_owned());
    match digests.as_slice() {
        [] => Err(Unnamed::NoDigest { deployment, image }),
        [digest] => ImageReference::new(&format!("{image}@{digest}"))
            .map_err(|_| Unnamed::NoDigest { deployment, image }),
        many => Err(Unnamed::ManyDigests { deployment, image, digests: many.join(", ") }),
    }
}

fn version(deployment: &Value, image: &str) -> Option<Version> {
    let label = |path: &str| deployment.pointer(path)?.get(names::VERSION)?.as_str();
    let labels = ["/spec/template/metadata/labels", "/metadata/labels"].into_iter().filter_map(label);
    let parse = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
    image_tag(image).into_iter().chain(labels).find_map(parse)
}

/// The tag of an image: after the last colon that is not the port of the registry.
fn image_tag(image: &str) -> Option<&str> {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let last = name.rsplit('/').next()?;
    Some(last.split_once(':')?.1)
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
