//! What the proxy knows of the slots at one moment. Never changed, only replaced as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hotfix_core::model::SlotName;

use super::counters::Counters;
use super::schedule::Schedule;
use super::upstream::Upstream;

/// The routes and the order in which requests take them.
#[derive(Debug)]
pub(crate) struct Table {
    routes: Vec<Route>,
    schedule: Option<Schedule>,
}

/// One slot's share of the traffic.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) slot: SlotName,
    /// In percent.
    pub(crate) weight: u8,
    /// The instances that are ready.
    pub(crate) instances: Vec<Arc<Upstream>>,
    /// Counts what no instance of the slot could be asked.
    pub(crate) unserved: Arc<Counters>,
    /// Spreads the slot's requests over its instances.
    turn: AtomicUsize,
}

impl Route {
    pub(crate) fn new(
        slot: SlotName,
        weight: u8,
        instances: Vec<Arc<Upstream>>,
        unserved: Arc<Counters>,
    ) -> Self {
        Self { slot, weight, instances, unserved, turn: AtomicUsize::new(0) }
    }

    /// The slot's instances, each once, beginning with the one whose turn it is.
    fn in_turn(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        let first = if self.instances.len() > 1 { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        (0..self.instances.len()).map(move |offset| &self.instances[(first + offset) % self.instances.len()])
    }
}

impl Table {
    /// A table that answers nothing, for a target to which nothing was deployed yet.
    pub(crate) fn empty() -> Self {
        Self { routes: Vec::new(), schedule: None }
    }

    /// Builds a table; the weights sum to 100. Routes without weight are left out: they get nothing, not even a retry.
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        let routes: Vec<Route> = routes.into_iter().filter(|route| route.weight > 0).collect();
        let weights: Vec<u8> = routes.iter().map(|route| route.weight).collect();
        let schedule = (!routes.is_empty()).then(|| Schedule::new(&weights));
        Self { routes, schedule }
    }

    /// Returns the route of the request with this number; nothing when there are none.
    pub(crate) fn route(&self, request: u64) -> Option<&Route> {
        self.routes.get(self.schedule.as_ref()?.route(request))
    }

    /// The instances to try for a request of `route`: first the slot's own, then, because an answer from the other
    /// side is better than none, those of the other slots that have traffic.
    pub(crate) fn candidates<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a Arc<Upstream>> {
        let others = self.routes.iter().filter(move |other| other.slot != route.slot);
        route.in_turn().chain(others.flat_map(Route::in_turn))
    }
}
