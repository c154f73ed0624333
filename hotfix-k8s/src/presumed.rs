//! What a restore takes the live slot to hold where that is gone, has no pods, or none that tells which image it runs.
//!
//! Whoever goes back only asks whether somebody else has deployed meanwhile. That a slot is short of pods is no sign of
//! it: its template says what was deployed to it as well.

use std::num::NonZeroU16;

use hotfix_core::model::{Held, Layout, Release, SlotName, WorkloadSnapshot};
use serde_json::Value;

use crate::template;

/// Returns the layout with what the live slot is taken to hold, if it does not say so itself.
pub(crate) fn live(mut layout: Layout, slot: &SlotName, release: impl FnOnce() -> Option<Release>) -> Layout {
    if layout.held(slot).is_none()
        && let Some(release) = release()
    {
        layout.slots.insert(slot.clone(), Some(Held { release, replicas: NonZeroU16::MIN }));
        layout.live = Some(slot.clone());
    }
    layout
}

/// Returns the container that carried the release when a snapshot was taken, if there was no other.
pub(crate) fn container(snapshot: &WorkloadSnapshot) -> Option<String> {
    template::container(snapshot.backend.get("template"), "", None).ok()
}

/// Returns the release of a snapshot if a template has the image that was kept: a tag of which no pod tells the digest is
/// the tag that it was.
pub(crate) fn same_image(
    snapshot: &WorkloadSnapshot,
    template: Option<&Value>,
    container: &str,
) -> Option<Release> {
    let kept = template::image(snapshot.backend.get("template"), container)?;
    (template::image(template, container)? == kept).then(|| snapshot.release.clone())
}
