//! The fence, which every mutating port keeps in the same way: rising stamps, keys applied once, seals, probes.

use async_trait::async_trait;
use hotfix_core::model::{IdempotencyKey, Stamp};
use hotfix_core::port::{Call, Conflict, Probe, Reply, Seal, Sealed};

use super::call::{Caller, call};
use super::expect::{applied, broken, equal, holds, sealed};
use super::report::{Outcome, Unmet};

/// A fresh target of any mutating port, seen through its fence.
#[async_trait]
pub(super) trait Gate: Sync {
    /// Makes the change with the number, 0 to 2. Each can be made at any time and leaves its own picture.
    async fn change(&self, call: &Call, number: u16) -> Reply;
    /// Undoes everything that the changes did.
    async fn undo(&self, call: &Call) -> Reply;
    async fn seal(&self, stamp: Stamp) -> Seal;
    async fn probe(&self, key: &IdempotencyKey) -> Probe;
    /// Reads the fence.
    async fn stamp(&self) -> Result<Stamp, Unmet>;
    /// Describes everything that the changes can touch.
    async fn picture(&self) -> Result<String, Unmet>;
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("keys of cases are valid")
}

fn fenced(what: &str, reply: &Reply, current: Stamp) -> Outcome {
    let expected = Reply::Conflict(Conflict::Fenced { current });
    equal(what, reply, &expected)
}

pub(super) async fn stale_and_equal_stamps_are_refused(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let (low, high) = (caller.stamp(), caller.stamp());
    applied("the first change", &gate.change(&call("first", high), 0).await)?;
    equal("the fence after it", &gate.stamp().await?, &high)?;
    let before = gate.picture().await?;
    fenced("another key with the same stamp", &gate.change(&call("second", high), 1).await, high)?;
    fenced("another key with a lower stamp", &gate.change(&call("third", low), 1).await, high)?;
    let older = Stamp::new(high.epoch - 1, u32::MAX);
    fenced("another key of an earlier epoch", &gate.change(&call("fourth", older), 1).await, high)?;
    equal("what is there", &gate.picture().await?, &before)
}

pub(super) async fn a_repeated_key_is_not_applied_again(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let first = caller.call("first");
    let reply = gate.change(&first, 0).await;
    applied("the change", &reply)?;
    let after = gate.picture().await?;
    applied("the same call again", &gate.change(&first, 0).await)?;
    equal("what is there", &gate.picture().await?, &after)?;

    applied("undoing it", &gate.undo(&caller.call("undo")).await)?;
    let undone = gate.picture().await?;
    holds(undone != after, "undoing changes what is there")?;
    applied("the same key with a newer stamp", &gate.change(&caller.call("first"), 0).await)?;
    equal("what is there after the repetition of a key that was undone", &gate.picture().await?, &undone)
}

pub(super) async fn a_late_duplicate_is_refused(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let first = caller.call("first");
    applied("the change", &gate.change(&first, 0).await)?;
    let undo = caller.call("undo");
    applied("undoing it", &gate.undo(&undo).await)?;
    let undone = gate.picture().await?;
    fenced("the duplicate of the first call", &gate.change(&first, 0).await, undo.stamp)?;
    equal("what is there", &gate.picture().await?, &undone)
}

pub(super) async fn a_seal_raises_the_fence_and_nothing_else(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let first = caller.call("first");
    applied("a change", &gate.change(&first, 0).await)?;
    let before = gate.picture().await?;
    let stamp = caller.stamp();
    let found = sealed("the seal", gate.seal(stamp).await)?;
    equal("the stamp that the seal found", &found, &Sealed { previous: first.stamp })?;
    equal("the fence", &gate.stamp().await?, &stamp)?;
    equal("what is there", &gate.picture().await?, &before)
}

pub(super) async fn a_seal_can_be_repeated_and_overtaken(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let (low, high) = (caller.stamp(), caller.stamp());
    sealed("the seal", gate.seal(high).await)?;
    sealed("the same seal again", gate.seal(high).await)?;
    equal("a lower seal", &gate.seal(low).await, &Seal::Overtaken { current: high })?;
    equal("the fence", &gate.stamp().await?, &high)?;
    applied("a change above the seal", &gate.change(&caller.call("first"), 0).await)
}

pub(super) async fn nothing_older_passes_a_seal(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let late = caller.call("late");
    let before = gate.picture().await?;
    let stamp = caller.stamp();
    sealed("the seal", gate.seal(stamp).await)?;
    fenced("a call that was made before the seal", &gate.change(&late, 0).await, stamp)?;
    fenced("a call with the stamp of the seal", &gate.change(&call("equal", stamp), 0).await, stamp)?;
    equal("what is there", &gate.picture().await?, &before)?;
    equal("the probe of the late key", &gate.probe(&key("late")).await, &Probe::NotApplied)
}

pub(super) async fn a_probe_tells_applied_from_not_applied(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    equal("the probe of an unused key", &gate.probe(&key("first")).await, &Probe::NotApplied)?;
    applied("a change", &gate.change(&caller.call("first"), 0).await)?;
    probe_finds(gate, "first", "right after it").await?;
    equal("the probe of another key", &gate.probe(&key("second")).await, &Probe::NotApplied)?;
    applied("a second change", &gate.change(&caller.call("second"), 1).await)?;
    applied("undoing", &gate.undo(&caller.call("undo")).await)?;
    sealed("a seal", gate.seal(caller.stamp()).await)?;
    probe_finds(gate, "first", "after later effects and a seal").await?;
    probe_finds(gate, "second", "after it was undone").await
}

async fn probe_finds(gate: &dyn Gate, name: &str, when: &str) -> Outcome {
    match gate.probe(&key(name)).await {
        Probe::Applied(_) => Ok(()),
        other => Err(broken(format!("the probe of key {name} {when}: expected Applied, found {other:?}"))),
    }
}

pub(super) async fn of_two_equal_stamps_one_wins(gate: &dyn Gate) -> Outcome {
    let mut caller = Caller::above(gate.stamp().await?);
    let stamp = caller.stamp();
    let (one, two) = (call("one", stamp), call("two", stamp));
    let (first, second) = tokio::join!(gate.change(&one, 0), gate.change(&two, 1));
    match (&first, &second) {
        (Reply::Applied(_), loser) | (loser, Reply::Applied(_)) => fenced("the loser", loser, stamp),
        _ => Err(broken(format!("expected one of two to be applied, found {first:?} and {second:?}"))),
    }
}
