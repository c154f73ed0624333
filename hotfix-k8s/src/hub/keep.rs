//! Keeps what is known of one kind: what a watch tells, and now and then a list of everything, because a watch does not tell
//! what it lost.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use kube::api::Api;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::{Instant, timeout_at};

use super::{Feed, Kept, lock};

/// How long a watch may fail before those who follow it are told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a watch is taken at its word. Then everything is listed anew: an event that was lost is made up for by then,
/// and a watch or a list that went silent is left.
const RELIST: Duration = Duration::from_secs(30);

/// Keeps the last values of one kind until nobody follows any more. The watcher lists again after a 410 or a disconnect,
/// and every now and then.
pub(super) async fn keep<K: Kept>(api: Api<DynamicObject>, feed: Weak<Feed>) {
    let mut told = Told::<K>::default();
    loop {
        let mut events = std::pin::pin!(watcher(api.clone(), watcher::Config::default()).default_backoff());
        let mut listed = Instant::now();
        while let Some(event) = next(&mut events, listed).await {
            let Some(feed) = feed.upgrade() else { return };
            match event {
                Ok(event) => {
                    if matches!(event, Event::InitDone) {
                        listed = Instant::now();
                    }
                    told.take(event, &feed);
                }
                Err(error) => {
                    let since = *told.failing.get_or_insert_with(Instant::now);
                    if is_final(&error) || since.elapsed() > PATIENCE {
                        feed.fail(crate::api::with_causes(&error));
                        return;
                    }
                    tracing::debug!(%error, "a watch is tried again");
                }
            }
        }
    }
}

/// Returns the next event; nothing when it is time to list anew.
async fn next<T>(events: &mut (impl Stream<Item = T> + Unpin), listed: Instant) -> Option<T> {
    timeout_at(listed + RELIST, events.next()).await.ok().flatten()
}

/// What a watch has told.
struct Told<K> {
    listing: Vec<K>,
    /// A watch tells of changes in their order. What is not newer than the newest was told before.
    newest: u64,
    /// Since when it tells nothing but errors.
    failing: Option<Instant>,
}

impl<K> Default for Told<K> {
    fn default() -> Self {
        Self { listing: Vec::new(), newest: 0, failing: None }
    }
}

impl<K: Kept> Told<K> {
    fn take(&mut self, event: Event<DynamicObject>, feed: &Feed) {
        self.failing = None;
        let mut state = lock(&feed.state);
        match event {
            Event::Init => {
                self.listing.clear();
                self.newest = 0;
            }
            Event::InitApply(object) => self.listing.push(read(object)),
            Event::InitDone => {
                self.newest = self.listing.iter().map(Kept::version).max().unwrap_or(0);
                let kept: HashSet<&str> = self.listing.iter().map(Kept::name).collect();
                let gone = K::names(&state).into_iter().filter(|name| !kept.contains(name.as_str()));
                gone.for_each(|name| K::take(&mut state, &name));
                self.listing.drain(..).for_each(|kept| kept.put(&mut state));
                feed.health.send_modify(|health| {
                    health.listed.insert(K::KIND);
                });
            }
            Event::Apply(object) => {
                let read = read::<K>(object);
                if is_newer(read.version(), &mut self.newest) {
                    read.put(&mut state);
                }
            }
            Event::Delete(object) => {
                let read = read::<K>(object);
                if is_newer(read.version(), &mut self.newest) {
                    K::take(&mut state, read.name());
                }
            }
        }
    }
}

/// Whether an event is news, which makes it the newest.
fn is_newer(version: u64, newest: &mut u64) -> bool {
    let is_newer = version == 0 || version > *newest;
    *newest = version.max(*newest);
    is_newer
}

fn read<K: Kept>(object: DynamicObject) -> K {
    let mut value = object.data;
    value["metadata"] = serde_json::to_value(object.metadata).unwrap_or_default();
    K::read(&value)
}

/// Whether trying again cannot help.
fn is_final(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            matches!(status.code, 401 | 403 | 404)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_says_nothing_is_left_half_a_minute_after_the_last_list() {
        let listed = Instant::now();
        assert_eq!(next(&mut stream::pending::<()>(), listed).await, None);
        assert_eq!(listed.elapsed(), RELIST);
        let mut busy = stream::iter(["news"]);
        assert_eq!(next(&mut busy, Instant::now()).await, Some("news"));
    }
}
