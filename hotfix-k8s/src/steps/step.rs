//! What a verb comes to: patches, and waits between them.

use json_patch::PatchOperation;

use crate::contents::Changed;
use crate::object::ObjectRef;
use crate::sight::Place;
use crate::slot::Side;
use crate::sync::When;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Patch(Write),
    /// Wait until the slot has a pod that can take traffic. Not for ever: the caller bounds it.
    UntilReady(Side),
    /// Wait until all pods of the slot can take traffic. Bounded, too.
    UntilFull(Side),
    /// Wait until whoever serves the traffic has stopped sending it to the slot. Bounded, too.
    UntilLeft(Side),
    /// Wait until the Service by which the route reaches the slot knows a pod of it. Bounded, and then it is not given any
    /// traffic.
    UntilServed(Side),
    /// Wait until whoever serves the traffic has heard of the pods of a slot that had none of it so far. They watch the API
    /// server as everybody does, and nobody tells when they are up to date, so it is a pause.
    UntilHeardOf,
    /// Wait until the pods that the slot held are gone or going. Bounded, too.
    UntilEmpty(Side),
    /// Wait until of the pods that the slot held before, none is left but those that go: they would get a share of its
    /// traffic. Bounded, too.
    UntilUnmixed(Side),
    /// Wait until pods of either slot have changed, then plan anew: there is more to do. The last of its list.
    UntilChanged(Rest),
    /// Put back what the pods read. Bounded, too, and no reason to fail.
    PutBack(Vec<Changed>),
    /// Say this beside the receipt.
    Say(String),
    /// Give the sync of the target's owners back. Bounded, too, and no reason to fail.
    GiveSyncBack(When),
}

/// What is still to do when a list of steps has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The verb is not applied before, so its key is not recorded yet.
    Needed,
    /// The verb is applied. What follows is for the convenience of testers.
    Welcome,
}

/// One patch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    pub(crate) place: Place,
    pub(crate) object: ObjectRef,
    pub(crate) patch: Vec<PatchOperation>,
    /// Whether it changes more than the fence.
    pub(crate) effect: WriteEffect,
}

/// What a patch changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteEffect {
    Fence,
    Values,
}
