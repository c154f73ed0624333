//! What people want to know: how many a second, and how long they took.

use hotfix_core::model::Period;

use crate::promql::{Template, Values};

/// Where to take it from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rates {
    pub(crate) requests: Option<Counter>,
    /// A query of its own for errors.
    pub(crate) errors: Option<Counter>,
    /// Requests that ended in an error, where that can be selected.
    pub(crate) failed: Option<Counter>,
    /// Histograms, classic ones first.
    pub(crate) latency: Vec<Template>,
}

/// A counter as a range selector.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    pub(super) counter: Template,
    /// A native histogram that counts the same where there is no such counter.
    pub(super) native: Option<Template>,
}

impl Counter {
    pub(super) const fn plain(counter: Template) -> Self {
        Self { counter, native: None }
    }

    /// How many there were in a second.
    pub(crate) fn rate(&self, values: &Values, over: Period) -> String {
        let rate = |template: &Template| format!("rate({})", template.fill(values, Some(over)));
        match &self.native {
            Some(native) => format!("({} or histogram_count({}))", rate(&self.counter), rate(native)),
            None => rate(&self.counter),
        }
    }
}

impl Rates {
    /// A quantile of how long they took, over the time until the `moment`: a modifier of a selector, or nothing for now.
    /// Classic histograms are added up bucket by bucket, native ones as they are.
    pub(crate) fn quantile(
        &self,
        quantile: f64,
        values: &Values,
        over: Period,
        moment: &str,
    ) -> Option<String> {
        let each = self.latency.iter().map(|histogram| {
            let selector = histogram.fill(values, Some(over));
            format!("histogram_quantile({quantile}, sum by (le) (rate({selector}{moment})))")
        });
        let each: Vec<_> = each.collect();
        match each.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            all => Some(format!("({})", all.join(" or "))),
        }
    }
}
