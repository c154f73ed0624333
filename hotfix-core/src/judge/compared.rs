//! What is compared in one scrape: both sides as a whole, or each kind of requests with itself.

use std::collections::BTreeMap;

use crate::model::Totals;

/// One scrape.
///
/// Where one side gets more of the requests that fail more often, the sums differ without any harm (Simpson's paradox). The
/// bets on each kind are fair by themselves, given the past and what was asked, so their logarithms may be added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared<'a> {
    whole: &'a Totals,
    kinds: &'a BTreeMap<String, Totals>,
}

impl<'a> Compared<'a> {
    /// Compares by kind, where kinds are known.
    pub(super) const fn new(whole: &'a Totals, kinds: &'a BTreeMap<String, Totals>) -> Self {
        Self { whole, kinds }
    }

    /// Returns what is compared with itself.
    pub(super) fn parts(self) -> impl Iterator<Item = &'a Totals> {
        self.kinds.is_empty().then_some(self.whole).into_iter().chain(self.kinds.values())
    }
}

/// No kinds are known.
pub(super) static ALIKE: BTreeMap<String, Totals> = BTreeMap::new();
