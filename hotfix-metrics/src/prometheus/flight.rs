//! Work that several want at the same time is done once.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

/// What is under way, by what was asked.
///
/// Nobody owns a flight: it goes on while anybody waits for it, and ends unfinished when the last one goes away.
#[derive(Clone)]
pub(super) struct Flights<T: Clone>(Arc<Mutex<HashMap<String, Flight<T>>>>);

type Flight<T> = WeakShared<BoxFuture<'static, T>>;

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Joins the flight of the key, or begins it.
    pub(super) fn join<F>(&self, key: String, begin: impl FnOnce() -> F) -> Shared<BoxFuture<'static, T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let flight = begin().boxed().shared();
        flights.extend(flight.downgrade().map(|weak| (key, weak)));
        flight
    }
}

impl<T: Clone> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_same_is_done_once_even_when_the_first_goes_away() {
        let (flights, begun) = (Flights::default(), AtomicU32::new(0));
        let (land, landed) = oneshot::channel::<u8>();
        let first = flights.join("a".to_owned(), || {
            begun.fetch_add(1, Ordering::Relaxed);
            async move { landed.await.ok() }
        });
        let second = flights.join("a".to_owned(), || {
            begun.fetch_add(1, Ordering::Relaxed);
            async { None }
        });
        drop(first);
        land.send(7).unwrap();
        assert_eq!((second.await, begun.into_inner()), (Some(7), 1));
    }

    #[tokio::test]
    async fn what_has_ended_is_done_anew() {
        let flights = Flights::default();
        for number in [1, 2] {
            assert_eq!(flights.join("a".to_owned(), || async move { number }).await, number);
        }
        assert_eq!(flights.join("b".to_owned(), || async { 3 }).await, 3);
        assert_eq!(flights.0.lock().unwrap().len(), 1);
    }
}
