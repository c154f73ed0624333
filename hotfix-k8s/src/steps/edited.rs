//! What somebody else made of the template of the slot that a restore goes back to, with the image left as it was.
//!
//! The run did not write it, so it is not the run's to take back, as long as a pod of the slot can take traffic. Where
//! none can, what is known to have been healthy comes back.

use std::fmt;

use hotfix_core::model::WorkloadSnapshot;
use serde_json::Value;

use crate::object::ObjectRef;
use crate::presumed;
use crate::release::Mark;
use crate::sight::Sight;
use crate::snapshot::Kept;
use crate::template;

/// A template that somebody else changed, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edited {
    Left(ObjectRef),
    Replaced(ObjectRef),
}

impl Edited {
    /// Finds such a change of the slot of a snapshot.
    pub(crate) fn find(sight: &Sight, snapshot: &WorkloadSnapshot) -> Option<Self> {
        let side = sight.slots.side(&snapshot.slot)?;
        let slot = sight.deployment(side)?;
        let kept = Kept::read(snapshot).ok().flatten()?.template;
        let mark = Mark::read(&slot.value, &slot.reference.to_string()).ok()?;
        let was_staged =
            matches!(&mark, Mark::Staged(release) if release.artifact != snapshot.release.artifact);
        let is_theirs = !was_staged
            && is_changed(snapshot, &kept, &slot.value["spec"]["template"], &sight.container(snapshot)?);
        let object = slot.reference.clone();
        is_theirs.then(|| if sight.ready(side) > 0 { Self::Left(object) } else { Self::Replaced(object) })
    }
}

/// Whether a template is another one than was kept, and has the image of that.
pub(crate) fn is_changed(
    snapshot: &WorkloadSnapshot,
    kept: &Value,
    current: &Value,
    container: &str,
) -> bool {
    let by_image = presumed::same_image(snapshot, Some(current), container).is_some();
    by_image && !template::is_same(current, kept)
}

impl fmt::Display for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = "which somebody else changed beside the image";
        match self {
            Self::Left(object) => write!(f, "left as it is: {object} at /spec/template, {change}"),
            Self::Replaced(object) => {
                write!(f, "put back as it was: {object} at /spec/template, {change}: no pod of it was ready")
            }
        }
    }
}
