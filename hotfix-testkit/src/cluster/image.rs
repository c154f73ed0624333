//! The registry: which images there are and what they do.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use hotfix_core::model::ImageReference;
use sha2::{Digest, Sha256};

use super::behaviour::{Behaviour, Pull};

/// An image as a node gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// `name@sha256:…`.
    pub(super) reference: ImageReference,
    /// The tag that it was pushed with.
    pub(super) version: String,
    pub(super) behaviour: Behaviour,
}

/// The images of a cluster, by tag and by digest.
#[derive(Debug, Default)]
pub(super) struct Registry {
    images: Mutex<BTreeMap<String, Image>>,
}

impl Registry {
    /// Takes an image in. The same name, tag and behaviour give the same digest; a tag can be moved.
    pub(super) fn push(&self, tagged: &str, behaviour: &Behaviour) -> io::Result<ImageReference> {
        let untagged = || {
            let mend = "name it as in demo/shop:1.4.2";
            io::Error::new(io::ErrorKind::InvalidInput, format!("image {tagged:?} has no tag: {mend}"))
        };
        let (name, version) = tagged.rsplit_once(':').ok_or_else(untagged)?;
        let behaviour_text = serde_json::to_string(behaviour)?;
        let digest = Sha256::digest(format!("{tagged}\n{behaviour_text}"));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let reference = ImageReference::new(&format!("{name}@sha256:{digest}"))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let image =
            Image { reference: reference.clone(), version: version.to_owned(), behaviour: behaviour.clone() };
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.insert(tagged.to_owned(), image.clone());
        images.insert(reference.as_str().to_owned(), image);
        Ok(reference)
    }

    /// Returns the image that a pod names, or what the registry says instead.
    pub(super) fn pull(&self, wanted: &str) -> Result<Image, String> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        // With a tag and a digest, the digest counts.
        let by_digest = wanted.split_once('@').map(|(name, digest)| {
            let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
            format!("{name}@{digest}")
        });
        let found = images.get(by_digest.as_deref().unwrap_or(wanted));
        let refused = match found.map(|image| (image, &image.behaviour.pull)) {
            Some((image, Pull::Works)) => return Ok(image.clone()),
            Some((_, Pull::Fails(message))) => message.clone(),
            None => format!("failed to resolve reference \"{wanted}\": {wanted}: not found"),
        };
        Err(format!("failed to pull and unpack image \"{wanted}\": {refused}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_tag_and_by_digest() {
        let registry = Registry::default();
        let first = registry.push("demo/shop:1.4.2", &Behaviour::default()).unwrap();
        let digest = first.digest();
        for wanted in ["demo/shop:1.4.2", first.as_str(), &format!("demo/shop:latest@{digest}")] {
            assert_eq!(registry.pull(wanted).unwrap().reference, first, "{wanted}");
        }
        let slow = Behaviour { error_percent: 5, ..Behaviour::default() };
        let moved = registry.push("demo/shop:1.4.2", &slow).unwrap();
        assert_ne!(moved, first);
        assert_eq!(registry.pull("demo/shop:1.4.2").unwrap().behaviour, slow);
        assert_eq!(registry.pull(first.as_str()).unwrap().behaviour, Behaviour::default());
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let registry = Registry::default();
        assert_eq!(
            registry.pull("demo/shop:9").unwrap_err(),
            "failed to pull and unpack image \"demo/shop:9\": failed to resolve reference \"demo/shop:9\": \
             demo/shop:9: not found"
        );
        assert_eq!(
            registry.push("demo/shop", &Behaviour::default()).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
