//! Which images play which part where a suite runs, also on a cluster whose nodes know none of ours.

use std::io;
use std::path::Path;

use hotfix_core::model::ImageReference;
use serde::{Deserialize, Serialize};

use crate::environment;

/// Names a file that says which images an existing cluster is to run.
const IMAGES: &str = "HOTFIX_TEST_IMAGES";

/// How such a file is written.
const EXAMPLE: &str =
    r#"{"live": "NAME@sha256:...", "next": "NAME@sha256:...", "never_ready": "NAME@sha256:..."}"#;

/// Three images by their parts. All that each has to do is to run: which pods are ready, a
/// [`ReadinessGate`](super::ReadinessGate) decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteImages {
    /// Runs at first.
    pub live: ImageReference,
    /// Takes its place, and is as good.
    pub next: ImageReference,
    /// Is to be kept from becoming ready.
    pub never_ready: ImageReference,
}

/// Reads the images for a cluster that was not started here.
pub(super) fn named_by_the_environment() -> io::Result<SuiteImages> {
    let missing = || {
        let mend = format!("set {IMAGES} to a file such as {EXAMPLE}");
        let why = format!("nothing says which images the nodes of this cluster can run: {mend}");
        io::Error::new(io::ErrorKind::NotFound, why)
    };
    read(&environment::place(IMAGES).ok_or_else(missing)?)
}

fn read(file: &Path) -> io::Result<SuiteImages> {
    let told = |error: &dyn std::fmt::Display| {
        let text = format!("{IMAGES} names {}: {error}; write it as {EXAMPLE}", file.display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let text = std::fs::read_to_string(file).map_err(|error| told(&error))?;
    let images: SuiteImages = serde_json::from_str(&text).map_err(|error| told(&error))?;
    let SuiteImages { live, next, never_ready } = &images;
    for image in [live, next, never_ready] {
        let (path, _) = image.as_str().split_once('@').unwrap_or_default();
        if path.rsplit('/').next().is_some_and(|name| name.contains(':')) {
            return Err(told(&format_args!("{image} has a tag, which would be taken for its version")));
        }
    }
    if live.digest() == next.digest() || [live, next].iter().any(|good| good.digest() == never_ready.digest())
    {
        return Err(told(&"two of the images are the same"));
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(live: &str, next: &str, never_ready: &str) -> Result<SuiteImages, String> {
        let digest = |digit: &str| format!("@sha256:{}", digit.repeat(64));
        let image = |text: &str| {
            let (name, digit) = text.split_once('@').unwrap_or_default();
            format!("{name}{}", digest(digit))
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("images.json");
        let text = serde_json::json!({
            "live": image(live), "next": image(next), "never_ready": image(never_ready),
        });
        std::fs::write(&file, text.to_string()).unwrap();
        read(&file).map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
    }

    #[test]
    fn three_images_by_digest_are_taken() {
        let images = of("registry.example:5000/web@1", "web@2", "pause@3").unwrap();
        assert!(images.live.as_str().starts_with("registry.example:5000/web@sha256:111"));
        assert!(images.never_ready.as_str().starts_with("pause@sha256:333"));
    }

    #[test]
    fn what_cannot_play_is_refused_with_the_mend() {
        let refused = |why: &str| format!("HOTFIX_TEST_IMAGES names FILE: {why}; write it as {EXAMPLE}");
        let tagged =
            format!("web:1.27@sha256:{} has a tag, which would be taken for its version", "2".repeat(64));
        assert_eq!(of("web@1", "web:1.27@2", "pause@3").unwrap_err(), refused(&tagged));
        for (live, next, never_ready) in [("web@1", "app@1", "pause@3"), ("web@1", "web@2", "pause@2")] {
            assert_eq!(of(live, next, never_ready).unwrap_err(), refused("two of the images are the same"));
        }
        let untold = of("web@x", "web@2", "pause@3").unwrap_err();
        assert!(
            untold.contains("invalid image reference") && untold.ends_with(&format!("write it as {EXAMPLE}")),
            "{untold}"
        );
    }
}
