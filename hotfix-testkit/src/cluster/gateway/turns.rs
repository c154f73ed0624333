//! Whose turn it is, and what came of it.

use std::collections::BTreeMap;

use super::world::Backend;

/// How many requests a backend was given, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The requests that were to be answered by it.
    pub requests: u64,
    /// Those of them that were answered with a status of 500 or above, by it or for it, or not at all.
    pub failed: u64,
}

/// The turns and counts of all backends.
#[derive(Debug, Default)]
pub(super) struct Turns {
    requests: u64,
    counts: BTreeMap<String, Counts>,
}

impl Turns {
    /// Chooses one of the backends, whose weights are not 0, and returns it with the number of requests that it had
    /// before. As many requests in a row as the sum of the weights are split exactly by them.
    pub(super) fn choose<'a>(&mut self, backends: &'a [Backend]) -> Option<(&'a Backend, u64)> {
        let total: u64 = backends.iter().map(|backend| backend.weight).sum();
        let mut ticket = (self.requests * step(total)).checked_rem(total)?;
        self.requests += 1;
        let chosen = backends.iter().find(|backend| {
            let mine = ticket < backend.weight;
            ticket = ticket.saturating_sub(backend.weight);
            mine
        })?;
        let counts = self.counts.entry(chosen.name()).or_default();
        counts.requests += 1;
        Some((chosen, counts.requests - 1))
    }

    pub(super) fn failed(&mut self, backend: &Backend) {
        self.counts.entry(backend.name()).or_default().failed += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<String, Counts> {
        self.counts.clone()
    }
}

/// A stride that visits each of `total` places once before the first again, and jumps about while doing so.
fn step(total: u64) -> u64 {
    let is_prime_to = |step: &u64| {
        let (mut a, mut b) = (*step, total);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    (total * 5 / 8..=total).find(is_prime_to).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn backend(name: &str, weight: u64) -> Backend {
        Backend { service: name.to_owned(), subset: None, port: Value::Null, weight }
    }

    #[test]
    fn as_many_requests_as_the_weights_sum_to_are_split_by_them() {
        for (main, hotfix) in [(99, 1), (90, 10), (50, 50), (1, 0), (900, 100), (7, 3)] {
            let backends: Vec<Backend> = [backend("main", main), backend("hotfix", hotfix)].into();
            let mut turns = Turns::default();
            for _ in 0..main + hotfix {
                assert!(turns.choose(&backends).is_some());
            }
            let requests = |name: &str| turns.counts().get(name).map_or(0, |counts| counts.requests);
            assert_eq!((requests("main"), requests("hotfix")), (main, hotfix));
        }
        assert_eq!(Turns::default().choose(&[]), None);
    }
}
