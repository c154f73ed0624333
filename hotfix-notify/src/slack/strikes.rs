//! Counts answers nobody knows the meaning of: the first one may be a bad moment, the second one is an answer.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

const REMEMBERED: usize = 64;

/// The postings that got an unknown answer lately.
#[derive(Debug, Default)]
pub(super) struct Strikes(Mutex<VecDeque<String>>);

/// How often a posting got an unknown answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    First,
    Again,
}

impl Strikes {
    /// Records an unknown answer to the posting. Forgets the oldest one when there are many.
    pub(super) fn record(&self, dedup: &str) -> Strike {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = seen.iter().position(|other| other == dedup) {
            seen.remove(at);
            return Strike::Again;
        }
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(dedup.to_owned());
        Strike::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_strike_counts_and_the_memory_is_bounded() {
        let strikes = Strikes::default();
        assert_eq!(strikes.record("a"), Strike::First);
        assert_eq!(strikes.record("b"), Strike::First);
        assert_eq!(strikes.record("a"), Strike::Again);
        assert_eq!(strikes.record("a"), Strike::First);
        for n in 0..REMEMBERED {
            strikes.record(&n.to_string());
        }
        assert_eq!(strikes.0.lock().unwrap().len(), REMEMBERED);
        assert_eq!(strikes.record("b"), Strike::First);
    }
}
