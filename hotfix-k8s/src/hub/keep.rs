//! Keeps what is known of one kind: what a watch tells, compared now and then with the names and versions of everything,
//! because a watch does not tell what it lost.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Weak;
use std::time::Duration;

use futures_util::StreamExt;
use kube::Resource as _;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::{Instant, sleep_until, timeout};

use super::census::{Census, Untaken};
use super::whole::Whole;
use super::{Feed, Kept, lock};

/// How long a watch may fail before those who follow it are told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a watch is taken at its word. Then it is compared with what there is, and where it has not told everything,
/// all is listed anew: an event that was lost is made up for by then.
const TRUST: Duration = Duration::from_secs(30);

/// How long a comparison may take. Then everything is listed anew.
const COMPARISON: Duration = Duration::from_secs(10);

/// How long a watch is open, in seconds. kube leaves one that has been silent for five seconds more, and goes on where it
/// was.
const OPEN: u32 = 25;

/// A comparison on its way.
type Comparing = Pin<Box<dyn Future<Output = Compared> + Send>>;

/// What to compare with.
struct Compared {
    /// The version of what had been told before it was asked for.
    newest: u64,
    /// `None` when it took too long.
    census: Option<Result<Census, Untaken>>,
}

/// What is next.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
enum Next {
    Told(Option<Result<Event<Whole>, watcher::Error>>),
    Compared(Compared),
    Due,
}

/// Keeps the last values of one kind until nobody follows any more, or nothing is known any more. The watcher lists again
/// after a 410, and when what there is turns out not to be what was told.
pub(super) async fn keep<K: Kept>(api: Api<Whole>, feed: Weak<Feed>, rests: Option<Instant>) {
    if let Some(rests) = rests {
        sleep_until(rests).await;
    }
    let begun = Instant::now();
    let open = || Box::pin(watcher(api.clone(), watcher::Config::default().timeout(OPEN)).default_backoff());
    let (mut events, mut told, mut comparing) = (open(), Told::<K>::begin(), None::<Comparing>);
    loop {
        let due = told.due(comparing.is_some());
        let next = tokio::select! {
            // What was told before the answer to a comparison is taken in before it.
            biased;
            event = events.next() => Next::Told(event),
            with = compared(&mut comparing) => Next::Compared(with),
            () = sleep_until(due) => Next::Due,
        };
        let Some(feed) = feed.upgrade() else { return };
        let is_word = match next {
            Next::Told(Some(Ok(event))) => {
                told.take(event, &feed);
                true
            }
            Next::Told(Some(Err(error))) => {
                told.failed(&error);
                true
            }
            Next::Told(None) => false,
            Next::Compared(with) => {
                comparing = None;
                told.compare(with)
            }
            Next::Due if told.is_whole() => {
                let (newest, census) = (told.newest, timeout(COMPARISON, Census::take(api.clone())));
                comparing = Some(Box::pin(async move { Compared { newest, census: census.await.ok() } }));
                true
            }
            Next::Due => false,
        };
        if let Some(cause) = told.blind() {
            tracing::debug!(kind = K::KIND, %cause, "a watch ends");
            feed.ended(K::KIND, cause, begun.elapsed());
            return;
        }
        if !is_word {
            (events, comparing) = (open(), None);
            told.list_anew();
        }
    }
}

/// Waits for a comparison that is on its way.
async fn compared(comparing: &mut Option<Comparing>) -> Compared {
    match comparing {
        Some(comparing) => comparing.await,
        None => std::future::pending().await,
    }
}

/// What a watch has told.
struct Told<K> {
    listing: Vec<(String, K)>,
    is_listing: bool,
    /// Every object there is, by its name, with its version.
    known: HashMap<String, u64>,
    /// A watch tells of changes in their order. What is not newer than the newest was told before.
    newest: u64,
    /// When everything was listed or compared, or began to be listed anew.
    listed: Instant,
    /// When it told something the last time, or had told everything. Only what an object is like counts: a list that
    /// begins tells nothing.
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
        let (listing, known) = (Vec::new(), HashMap::new());
        Self { listing, is_listing: true, known, newest: 0, listed: now, heard: now, failing: None }
    }

    /// Until when the next event is waited for. One that failed is asked for everything in time to know whether it went
    /// on, because a watch without news says nothing.
    fn due(&self, is_comparing: bool) -> Instant {
        let silent = self.patient_until();
        if is_comparing {
            return silent;
        }
        let due = self.listed + TRUST;
        let due = self
            .failing
            .as_ref()
            .map_or(due, |failing| due.min(self.listed.max(failing.since) + PATIENCE / 2));
        due.min(silent)
    }

    /// Whether a comparison can tell that nothing is missing. A watch that fails is opened anew all the same.
    const fn is_whole(&self) -> bool {
        !self.is_listing && self.failing.is_none()
    }

    fn list_anew(&mut self) {
        self.is_listing = true;
        self.listed = Instant::now();
    }

    fn patient_until(&self) -> Instant {
        let silent = self.heard + TRUST + PATIENCE;
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
    /// Takes in what there is, and returns whether all of it was told.
    fn compare(&mut self, Compared { newest, census }: Compared) -> bool {
        if self.is_listing {
            // The list says it all.
            return true;
        }
        match census {
            Some(Ok(census)) => match census.missing_in(&self.known, newest) {
                None => {
                    self.heard();
                    self.listed = self.heard;
                    return true;
                }
                Some(missing) => tracing::debug!(kind = K::KIND, %missing, "a watch did not tell"),
            },
            Some(Err(error)) => tracing::debug!(kind = K::KIND, %error, "a watch cannot be compared"),
            None => tracing::debug!(kind = K::KIND, "a watch cannot be compared: no answer in time"),
        }
        false
    }

    fn take(&mut self, event: Event<Whole>, feed: &Feed) {
        let mut state = lock(&feed.state);
        match event {
            Event::Init => {
                if !self.is_listing {
                    self.list_anew();
                }
                self.listing.clear();
                self.newest = 0;
            }
            Event::InitApply(object) => self.listing.push(read(object)),
            Event::InitDone => {
                self.heard();
                (self.is_listing, self.listed) = (false, self.heard);
                self.known = self.listing.iter().map(|(name, read)| (name.clone(), read.version())).collect();
                self.newest = self.known.values().copied().max().unwrap_or(0);
                let kept: HashSet<&str> = self.listing.iter().map(|(_, read)| read.name()).collect();
                let gone = K::names(&state).into_iter().filter(|name| !kept.contains(name.as_str()));
                gone.for_each(|name| K::take(&mut state, &name));
                self.listing.drain(..).for_each(|(_, read)| read.put(&mut state));
                feed.health.send_if_modified(|health| health.listed(K::KIND));
            }
            Event::Apply(object) => {
                self.heard();
                let (name, read) = read::<K>(object);
                if is_newer(read.version(), &mut self.newest) {
                    self.known.insert(name, read.version());
                    read.put(&mut state);
                }
            }
            Event::Delete(object) => {
                self.heard();
                let (name, read) = read::<K>(object);
                if is_newer(read.version(), &mut self.newest) {
                    self.known.remove(&name);
                    K::take(&mut state, read.name());
                }
            }
        }
    }
}

/// Reads an object, and what it is called.
fn read<K: Kept>(object: Whole) -> (String, K) {
    let name = object.meta().name.clone().unwrap_or_default();
    (name, K::read(&object.into_value()))
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

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
