//! The releases of the shop that unit tests are about.

use hotfix_core::model::{Artifact, ImageReference, Release, TagName, Version};

pub(crate) fn release(patch: u8) -> Release {
    Release {
        version: Version::new(1, 0, patch.into()),
        tag: TagName::new(format!("v1.0.{patch}")).unwrap(),
        artifact: Artifact::Image(ImageReference::new(&image_of(patch)).unwrap()),
    }
}

pub(crate) fn image_of(patch: u8) -> String {
    format!("shop/web:1.0.{patch}@sha256:{}", format!("{patch:02x}").repeat(32))
}
