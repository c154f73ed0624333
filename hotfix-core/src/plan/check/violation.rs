//! The rules, each as the way it is broken.

use crate::model::{ArtifactId, Fenced, Period, RefName, SlotName, Target};
use crate::plan::StepId;

/// A rule that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A step without a deadline would wait for ever.
    #[error("step {step} has no time")]
    NoDeadline {
        /// The step.
        step: StepId,
    },
    /// The steps can take longer than the plan.
    #[error("the steps can take {needed}, the plan has {budget}")]
    ForwardBudget {
        /// All forward deadlines together.
        needed: Period,
        /// What the plan has.
        budget: Period,
    },
    /// The rollback can take longer than what is kept back for it.
    #[error("the rollback can take {needed}, {budget} are kept back for it")]
    RollbackBudget {
        /// All undo deadlines together.
        needed: Period,
        /// What is kept back.
        budget: Period,
    },
    /// A step after the point of no return asks for a rollback.
    #[error("step {step} rolls back after the point of no return")]
    ReturnAfterNoReturn {
        /// The step.
        step: StepId,
    },
    /// The point of no return comes before the fix is proven and published.
    #[error("step {step} is past the point of no return, but nothing is published yet")]
    NoReturnTooEarly {
        /// The step.
        step: StepId,
    },
    /// Something is published by a step whose failure takes everything back.
    #[error("step {step} publishes and still rolls back on failure")]
    PublishReversible {
        /// The step.
        step: StepId,
    },
    /// Something is changed that the run does not hold.
    #[error("step {step} changes {fenced}, which the plan does not claim")]
    Unclaimed {
        /// The step.
        step: StepId,
        /// What.
        fenced: Fenced,
    },
    /// A workload is changed of which no snapshot is kept.
    #[error("step {step} changes {target}, of which no snapshot is kept")]
    NoBaseline {
        /// The step.
        step: StepId,
        /// The workload.
        target: Target,
    },
    /// A workload has two snapshots.
    #[error("{target} has more than one snapshot")]
    SeveralBaselines {
        /// The workload.
        target: Target,
    },
    /// A verb is applied whatever is live.
    #[error("step {step} does not say what must be live")]
    NoPrecondition {
        /// The step.
        step: StepId,
    },
    /// A precondition cannot hold when its step is reached.
    #[error("the precondition of step {step} does not hold when it is reached")]
    PreconditionFails {
        /// The step.
        step: StepId,
    },
    /// Something else is staged on the live slot.
    #[error("step {step} replaces what is live on {slot}")]
    StageOverLive {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
    },
    /// Something else is staged on a slot with traffic, or it loses instances.
    #[error("step {step} takes instances from {slot}, which has traffic")]
    StageUnderTraffic {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
    },
    /// The weights do not sum to 100.
    #[error("step {step} splits traffic to a sum of {sum}")]
    WeightSum {
        /// The step.
        step: StepId,
        /// The sum.
        sum: u32,
    },
    /// A slot gets traffic that was not staged and seen ready.
    #[error("step {step} sends traffic to {slot}, which was not staged and seen ready")]
    WeightToUnready {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
    },
    /// A share of traffic is left behind without a verdict on it.
    #[error(
        "step {step} goes on from {weight} % without a passing gate on exactly that artifact at that weight"
    )]
    UnprovenShare {
        /// The step.
        step: StepId,
        /// The weight.
        weight: u8,
    },
    /// A slot becomes live without all the traffic.
    #[error("step {step} promotes {slot} at {weight} %")]
    PromoteBelowAll {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
        /// Its weight.
        weight: u8,
    },
    /// The live slot is emptied.
    #[error("step {step} retires {slot}, which is live")]
    RetireLive {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
    },
    /// A slot with traffic is emptied.
    #[error("step {step} retires {slot} at {weight} %")]
    RetireUnderTraffic {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
        /// Its weight.
        weight: u8,
    },
    /// A gate looks at something else than what the slot holds.
    #[error("gate {step} is about {artifact}, which {slot} does not hold")]
    GateOnOther {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
        /// The artifact.
        artifact: ArtifactId,
    },
    /// A verdict is asked for at a weight that the slot does not have, or against a side without traffic.
    #[error("gate {step} judges {slot} at a weight or against a side that is not so")]
    VerdictMisplaced {
        /// The step.
        step: StepId,
        /// The slot.
        slot: SlotName,
    },
    /// Production gets a release that staging has not seen, and the report does not say so.
    #[error(
        "step {step} sends production traffic to a release that staging has not proven, and no finding says so"
    )]
    StagingNotFirst {
        /// The step.
        step: StepId,
    },
    /// The plan ends with something else live than it promises, or with traffic elsewhere.
    #[error("at the end {target} does not run what the plan promises with all the traffic")]
    EndsElsewhere {
        /// The workload.
        target: Target,
    },
    /// A batch of references is empty, or an update changes nothing.
    #[error("step {step} has a reference update that changes nothing")]
    EmptyUpdate {
        /// The step.
        step: StepId,
    },
    /// A reference is named twice in one batch.
    #[error("step {step} names {name} twice")]
    DuplicateReference {
        /// The step.
        step: StepId,
        /// The reference.
        name: RefName,
    },
    /// An update expects something else than what an earlier step left.
    #[error("step {step} expects {name} to hold something else than what the plan leaves there")]
    ReferenceChain {
        /// The step.
        step: StepId,
        /// The reference.
        name: RefName,
    },
    /// A tag is moved or deleted.
    #[error("step {step} moves or deletes tag {name}")]
    TagMoved {
        /// The step.
        step: StepId,
        /// The tag.
        name: RefName,
    },
    /// A release tag is made without the merge that it names.
    #[error("step {step} creates {name} without moving a branch in the same batch")]
    TagWithoutMerge {
        /// The step.
        step: StepId,
        /// The tag.
        name: RefName,
    },
    /// Something is published that is not proven live.
    #[error("step {step} publishes what is not proven with all the traffic")]
    PublishUnproven {
        /// The step.
        step: StepId,
    },
    /// An effect cannot be taken back.
    #[error("nothing takes step {step} back")]
    NoUndo {
        /// The step.
        step: StepId,
    },
    /// An effect is taken back more than once.
    #[error("more than one undo takes step {step} back")]
    SeveralUndos {
        /// The step.
        step: StepId,
    },
    /// An undo covers a step after the point of no return.
    #[error("undo {undo} takes back step {step}, which is past the point of no return")]
    UndoTooLate {
        /// The undo.
        undo: StepId,
        /// The step.
        step: StepId,
    },
    /// An undo changes something else than what its steps change.
    #[error("undo {undo} does not change what step {step} changes")]
    UndoElsewhere {
        /// The undo.
        undo: StepId,
        /// The step.
        step: StepId,
    },
    /// The undos are not in reverse order.
    #[error("undo {undo} comes too late: what it takes back was done after what an earlier undo takes back")]
    UndoOrder {
        /// The undo.
        undo: StepId,
    },
    /// An undo cannot be applied after some step.
    #[error("undo {undo} cannot be applied when the plan stops after step {after}")]
    UndoBlocked {
        /// The undo.
        undo: StepId,
        /// The last step that was done.
        after: StepId,
    },
    /// The rollback does not lead back.
    #[error("after step {after} the rollback does not put {place} back")]
    UndoLeaves {
        /// The last step that was done.
        after: StepId,
        /// What is not as before.
        place: String,
    },
}
