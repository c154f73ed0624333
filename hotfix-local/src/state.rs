//! What a target's `state.json` holds: what is wanted, the fence, and the keys that were applied.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroU16;

use hotfix_core::model::{IdempotencyKey, Release, Rollout, SlotName, Stamp, Verb, VerbName, Weights};
use serde::{Deserialize, Serialize};

/// The format of the file; a file with another number is refused, not guessed at.
pub(crate) const FORMAT: u32 = 1;

/// How many applied keys stay in the state file; older ones are found in the write log.
pub(crate) const RECENT_KEYS: usize = 64;

/// The content of `state.json`. Replaced as a whole, so fence, keys and wishes can never disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetState {
    pub(crate) format: u32,
    /// The highest stamp accepted so far.
    pub(crate) fence: Stamp,
    /// The highest stamp before the last seal, for a seal that is repeated.
    pub(crate) before_seal: Stamp,
    pub(crate) desired: Desired,
    /// The newest entry of the write log: written here first, so that a crash before it reaches the log loses nothing.
    pub(crate) last_write: Option<Write>,
    /// The newest applied keys, oldest first.
    pub(crate) recent: VecDeque<AppliedKey>,
}

/// What the agent is to bring about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Desired {
    /// Rises with every accepted mutation.
    pub(crate) generation: u64,
    /// Where the proxy listens; port 0 lets the system choose one, which is then kept.
    pub(crate) listen: SocketAddr,
    pub(crate) slots: BTreeMap<SlotName, Option<Filling>>,
    pub(crate) live: Option<SlotName>,
    pub(crate) weights: Option<Weights>,
    pub(crate) rollout: Rollout,
}

/// What one slot is to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filling {
    pub(crate) release: Release,
    pub(crate) replicas: NonZeroU16,
    /// The generation that asked for instances which are not ready to be started anew; 0 when none did.
    pub(crate) renewed: u64,
}

/// A key that was applied, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppliedKey {
    pub(crate) key: IdempotencyKey,
    /// Tells a repeat of the effect from another effect under the same key.
    pub(crate) digest: String,
    pub(crate) verb: VerbName,
    /// The newest stamp it came with.
    pub(crate) stamp: Stamp,
    pub(crate) generation: u64,
    pub(crate) receipt: String,
}

/// One accepted mutation, as the write log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    /// Counts the accepted mutations of the target, from 1.
    pub(crate) number: u64,
    pub(crate) stamp: Stamp,
    pub(crate) change: Change,
    pub(crate) before: Desired,
    pub(crate) after: Desired,
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub(crate) enum Change {
    /// An effect of a run.
    Applied { key: IdempotencyKey, digest: String, receipt: String, verb: Box<Verb> },
    /// A key that was applied before came again with a newer stamp: only the fence rose.
    Repeated { key: IdempotencyKey },
    /// A seal: only the fence rose.
    Sealed,
}

impl TargetState {
    /// The state of a target to which nothing was deployed yet.
    pub(crate) fn empty(slots: impl IntoIterator<Item = SlotName>, listen: SocketAddr) -> Self {
        let desired = Desired {
            generation: 0,
            listen,
            slots: slots.into_iter().map(|slot| (slot, None)).collect(),
            live: None,
            weights: None,
            rollout: Rollout::Active,
        };
        Self {
            format: FORMAT,
            fence: Stamp::ZERO,
            before_seal: Stamp::ZERO,
            desired,
            last_write: None,
            recent: VecDeque::new(),
        }
    }

    /// Returns the state after one more accepted mutation.
    pub(crate) fn accept(&self, stamp: Stamp, change: Change, mut after: Desired) -> Self {
        let mut next = self.clone();
        after.generation = self.desired.generation + 1;
        match &change {
            Change::Applied { key, digest, receipt, verb } => next.remember(AppliedKey {
                key: key.clone(),
                digest: digest.clone(),
                verb: verb.name(),
                stamp,
                generation: after.generation,
                receipt: receipt.clone(),
            }),
            Change::Repeated { key } => {
                let applied = next.recent.iter_mut().find(|applied| applied.key == *key);
                applied.into_iter().for_each(|applied| applied.stamp = stamp);
            }
            Change::Sealed => next.before_seal = self.fence,
        }
        next.fence = stamp;
        let number = self.last_write.as_ref().map_or(1, |write| write.number + 1);
        let before = self.desired.clone();
        next.last_write = Some(Write { number, stamp, change, before, after: after.clone() });
        next.desired = after;
        next
    }

    fn remember(&mut self, applied: AppliedKey) {
        if self.recent.len() == RECENT_KEYS {
            self.recent.pop_front();
        }
        self.recent.push_back(applied);
    }
}

impl Desired {
    /// Returns what a slot is to hold.
    pub(crate) fn filling(&self, slot: &SlotName) -> Option<&Filling> {
        self.slots.get(slot)?.as_ref()
    }
}
