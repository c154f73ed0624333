//! Keeps what is known of one kind: what a watch tells, and now and then a list of everything, because a watch does not tell
//! what it lost.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::whole::Whole;
use super::{Feed, Kept, lock};

/// How long a watch may fail before those who follow it are told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a watch is taken at its word. Then everything is listed anew: an event that was lost is made up for by then,
/// and a watch or a list that went silent is left.
const RELIST: Duration = Duration::from_secs(30);

/// Keeps the last values of one kind until nobody follows any more, or nothing is known any more. The watcher lists again
/// after a 410 or a disconnect, and every now and then.
pub(super) async fn keep<K: Kept>(api: Api<Whole>, feed: Weak<Feed>, rests: Option<Instant>) {
    if let Some(rests) = rests {
        sleep_until(rests).await;
    }
    let begun = Instant::now();
    let open = || Box::pin(watcher(api.clone(), watcher::Config::default()).default_backoff());
    let (mut events, mut told) = (open(), Told::<K>::begin());
    loop {
        let event = timeout_at(told.due(), events.next()).await.ok().flatten();
        let Some(feed) = feed.upgrade() else { return };
        match event {
            Some(Ok(event)) => told.take(event, &feed),
            Some(Err(error)) => told.failed(&error),
            None if told.blind().is_none() => {
                events = open();
                told.listed = Instant::now();
            }
            None => {}
        }
        if let Some(cause) = told.blind() {
            tracing::debug!(kind = K::KIND, %cause, "a watch ends");
            feed.ended(K::KIND, cause, begun.elapsed());
            return;
        }
    }
}

/// What a watch has told.
struct Told<K> {
    listing: Vec<K>,
    /// A watch tells of changes in their order. What is not newer than the newest was told before.
    newest: u64,
    /// When everything was listed, or began to be listed anew.
    listed: Instant,
    /// When it told something the last time. Only what an object is like counts: a list that begins tells nothing.
    heard: Instant,
    /// Since when it tells nothing but errors, and the last of them.
    failing: Option<Failing>,
}

struct Failing {
    since: Instant,
    cause: String,
    /// Trying again cannot help.
    is_final: bool,
}

impl<K> Told<K> {
    fn begin() -> Self {
        let now = Instant::now();
        Self { listing: Vec::new(), newest: 0, listed: now, heard: now, failing: None }
    }

    /// Until when the next event is waited for. One that failed is asked for everything in time to know whether it went
    /// on, because a watch without news says nothing.
    fn due(&self) -> Instant {
        let relist = self.listed + RELIST;
        let relist = self
            .failing
            .as_ref()
            .map_or(relist, |failing| relist.min(self.listed.max(failing.since) + PATIENCE / 2));
        relist.min(self.patient_until())
    }

    fn patient_until(&self) -> Instant {
        let silent = self.heard + RELIST + PATIENCE;
        self.failing.as_ref().map_or(silent, |failing| silent.min(failing.since + PATIENCE))
    }

    /// Takes in an error.
    fn failed(&mut self, error: &watcher::Error) {
        let since = self.failing.as_ref().map_or_else(Instant::now, |failing| failing.since);
        tracing::debug!(%error, "a watch is tried again");
        self.failing =
            Some(Failing { since, cause: crate::api::with_causes(error), is_final: is_final(error) });
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.failing = None;
    }

    /// Why what is known is too old by now to go by, if it is.
    fn blind(&self) -> Option<String> {
        let is_final = self.failing.as_ref().is_some_and(|failing| failing.is_final);
        if !is_final && Instant::now() < self.patient_until() {
            return None;
        }
        Some(match &self.failing {
            Some(failing) => failing.cause.clone(),
            None => format!("the API server has said nothing for {} s", self.heard.elapsed().as_secs()),
        })
    }
}

impl<K: Kept> Told<K> {
    fn take(&mut self, event: Event<Whole>, feed: &Feed) {
        let mut state = lock(&feed.state);
        match event {
            Event::Init => {
                self.listing.clear();
                self.newest = 0;
            }
            Event::InitApply(object) => self.listing.push(K::read(&object.into_value())),
            Event::InitDone => {
                self.heard();
                self.listed = self.heard;
                self.newest = self.listing.iter().map(Kept::version).max().unwrap_or(0);
                let kept: HashSet<&str> = self.listing.iter().map(Kept::name).collect();
                let gone = K::names(&state).into_iter().filter(|name| !kept.contains(name.as_str()));
                gone.for_each(|name| K::take(&mut state, &name));
                self.listing.drain(..).for_each(|kept| kept.put(&mut state));
                feed.health.send_if_modified(|health| health.listed(K::KIND));
            }
            Event::Apply(object) => {
                self.heard();
                let read = K::read(&object.into_value());
                if is_newer(read.version(), &mut self.newest) {
                    read.put(&mut state);
                }
            }
            Event::Delete(object) => {
                self.heard();
                let read = K::read(&object.into_value());
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
