//! The fence of one target: the highest accepted stamp and the keys that were applied.

use std::collections::BTreeMap;

use crate::model::{IdempotencyKey, Stamp};
use crate::port::{Call, Conflict, Receipt, Seal, Sealed};

#[derive(Debug, Default)]
pub(super) struct FenceBook {
    current: Stamp,
    /// The last seal and what it found, for its repetition.
    sealed: Option<(Stamp, Stamp)>,
    applied: BTreeMap<IdempotencyKey, (Stamp, Receipt)>,
}

/// What the fence says to a call.
pub(super) enum Admission {
    /// It is new and may go on. Nothing is raised yet.
    Fresh,
    /// Its key was applied before.
    Repeated(Receipt),
}

impl FenceBook {
    pub(super) const fn current(&self) -> Stamp {
        self.current
    }

    /// Compares a call with the fence. Only the repetition of an applied key raises it here.
    pub(super) fn admit(&mut self, call: &Call) -> Result<Admission, Conflict> {
        let newer = call.stamp > self.current;
        let Some((stamp, receipt)) = self.applied.get(&call.key) else {
            return if newer { Ok(Admission::Fresh) } else { Err(self.fenced()) };
        };
        let still_newest = call.stamp == self.current && *stamp == self.current;
        if !newer && !still_newest {
            return Err(self.fenced());
        }
        let receipt = receipt.clone();
        self.current = call.stamp;
        self.applied.insert(call.key.clone(), (call.stamp, receipt.clone()));
        Ok(Admission::Repeated(receipt))
    }

    /// Raises the fence for an admitted call and remembers its key.
    pub(super) fn accept(&mut self, call: &Call, receipt: Receipt) {
        self.current = call.stamp;
        self.applied.insert(call.key.clone(), (call.stamp, receipt));
    }

    pub(super) fn seal(&mut self, stamp: Stamp) -> Seal {
        let again = self.sealed.filter(|(sealed, _)| *sealed == stamp);
        match again {
            Some((_, previous)) if stamp == self.current => Seal::Sealed(Sealed { previous }),
            _ if stamp < self.current => Seal::Overtaken { current: self.current },
            _ => {
                let previous = std::mem::replace(&mut self.current, stamp);
                self.sealed = Some((stamp, previous));
                Seal::Sealed(Sealed { previous })
            }
        }
    }

    pub(super) fn receipt(&self, key: &IdempotencyKey) -> Option<Receipt> {
        self.applied.get(key).map(|(_, receipt)| receipt.clone())
    }

    const fn fenced(&self) -> Conflict {
        Conflict::Fenced { current: self.current }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(key: &str, seq: u32) -> Call {
        Call {
            key: IdempotencyKey::new(key).unwrap(),
            stamp: Stamp::new(1, seq),
            deadline: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn apply(fence: &mut FenceBook, call: &Call) -> &'static str {
        match fence.admit(call) {
            Ok(Admission::Fresh) => {
                fence.accept(call, Receipt("done".to_owned()));
                "applied"
            }
            Ok(Admission::Repeated(_)) => "repeated",
            Err(_) => "refused",
        }
    }

    #[test]
    fn only_rising_stamps_pass_and_a_key_is_applied_once() {
        let mut fence = FenceBook::default();
        let script = [
            ("a", 1, "applied"),
            ("a", 1, "repeated"),
            ("b", 1, "refused"),
            ("b", 2, "applied"),
            ("a", 1, "refused"),
            ("a", 2, "refused"),
            ("a", 3, "repeated"),
            ("b", 2, "refused"),
            ("a", 3, "repeated"),
        ];
        for (step, (key, seq, outcome)) in script.into_iter().enumerate() {
            assert_eq!(apply(&mut fence, &call(key, seq)), outcome, "step {step}");
        }
        assert_eq!(fence.current(), Stamp::new(1, 3));
    }

    #[test]
    fn a_seal_shuts_out_older_calls_and_repeats_with_the_same_answer() {
        let mut fence = FenceBook::default();
        apply(&mut fence, &call("a", 1));
        let found = Seal::Sealed(Sealed { previous: Stamp::new(1, 1) });
        assert_eq!(fence.seal(Stamp::new(1, 3)), found);
        assert_eq!(fence.seal(Stamp::new(1, 3)), found);
        for (key, seq) in [("b", 2), ("b", 3), ("a", 1), ("a", 3)] {
            assert_eq!(apply(&mut fence, &call(key, seq)), "refused", "{key} {seq}");
        }
        let current = Stamp::new(1, 3);
        assert_eq!(fence.seal(Stamp::new(1, 2)), Seal::Overtaken { current });
    }
}
