//! StatefulSets and DaemonSets: no copy can stand beside them, so their pods are replaced in place.
//!
//! Both slots are the same object, told apart by what its pods run. An annotation says what each slot holds and which
//! of the two the template is of. A StatefulSet is rolled by its partition, in the same patch as its template, so its
//! controller never replaces more pods than were asked for. A DaemonSet has no partition: under `OnDelete` its pods are
//! deleted, so many and no more.
//!
//! A delete carries no stamp, so it is fenced through the pod: the patch before it names the pods that are to end, a
//! delete names the version of the pod that was read *before* the fence was read once more, and a seal touches every
//! pod that is named after it raised the fence. A delete that was held up on the way finds another version and is
//! refused by the API server.

mod adopt;
mod apply;
mod ending;
mod kept;
mod marks;
mod next;
mod settings;
mod sight;
mod view;

pub(crate) use apply::Attempt;
pub(crate) use sight::{Misfit, selector, too_late};
pub(crate) use view::{SetKind, View};
