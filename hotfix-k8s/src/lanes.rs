//! Who may send the next request to the API server of a cluster: what takes a fix back before what asks how a target
//! is, that before what an undo waits for, that before what goes forward, and looking around last.
//!
//! One token bucket bounds the rate for all. Its last tokens are kept for the lane of undo, so that a rollback finds
//! room however busy the others were. Who waits is served by lane and then by arrival.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::config::RequestLimits;

/// The longest rest that a server can ask for: whoever says an hour would keep a rollback from asking again.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What a request is for; the first goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Takes a change back.
    Undo,
    /// Seals and probes: settles whether something was applied.
    Seal,
    /// Looks whether what an undo waits for has come. It looks again and again, so it goes after every undo that has
    /// something to do; and a server that is too busy for those who only look does not rest it.
    Wait,
    /// Applies a change.
    Forward,
    /// Looks.
    Observe,
}

impl Lane {
    const ALL: [Self; 5] = [Self::Undo, Self::Seal, Self::Wait, Self::Forward, Self::Observe];

    /// Returns the lane of looking whether what a request of this lane waits for has come.
    pub(crate) const fn waiting(self) -> Self {
        match self {
            Self::Undo => Self::Wait,
            other => other,
        }
    }
}

/// The lanes to one API server.
#[derive(Debug)]
pub(crate) struct Lanes {
    limits: RequestLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bucket: Bucket,
    /// Until when each lane rests; never earlier than a lane before it.
    rests: [Instant; 5],
    waiting: BTreeMap<Ticket, Arc<Notify>>,
    arrivals: u64,
}

/// The place in the queue: by lane, then by arrival.
type Ticket = (Lane, u64);

/// Tokens in billionths, so that none is lost to rounding.
#[derive(Debug)]
struct Bucket {
    level: u128,
    at: Instant,
}

const TOKEN: u128 = 1_000_000_000;

impl Lanes {
    /// Opens the lanes with a full bucket.
    pub(crate) fn new(limits: RequestLimits) -> Self {
        let now = Instant::now();
        let level = u128::from(limits.burst.get()) * TOKEN;
        let state = State {
            bucket: Bucket { level, at: now },
            rests: [now; 5],
            waiting: BTreeMap::new(),
            arrivals: 0,
        };
        Self { limits, state: Mutex::new(state) }
    }

    /// Waits until one request of the lane may be sent.
    ///
    /// Dropping the future gives the place in the queue up and takes no token.
    pub(crate) async fn pass(&self, lane: Lane) {
        let place = Place::take(self, lane);
        loop {
            let turn = self.lock().turn(&self.limits, place.ticket);
            match turn {
                Turn::Now => return,
                Turn::At(instant) => sleep_until(instant).await,
                // Whoever leaves the front of the queue wakes the next; a wake before this await is kept.
                Turn::Later => place.woken.notified().await,
            }
        }
    }

    /// The server was too busy for a request of this lane: it and the lanes after it rest. The lanes before it go on,
    /// because the server knows better than us whom else it has room for.
    pub(crate) fn busy(&self, lane: Lane, retry_after: Duration) {
        let mut state = self.lock();
        let until = Instant::now() + retry_after.min(LONGEST_REST);
        for lane in Lane::ALL.into_iter().filter(|rests| *rests >= lane) {
            let rest = &mut state.rests[lane as usize];
            *rest = until.max(*rest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a request may be sent.
enum Turn {
    Now,
    /// Not before then.
    At(Instant),
    /// When those before it are through.
    Later,
}

impl State {
    fn turn(&mut self, limits: &RequestLimits, ticket: Ticket) -> Turn {
        let (lane, _) = ticket;
        if self.waiting.first_key_value().is_some_and(|(first, _)| *first < ticket) {
            return Turn::Later;
        }
        let now = Instant::now();
        let rest = self.rests[lane as usize];
        if rest > now {
            return Turn::At(rest);
        }
        match self.bucket.take(limits, lane, now) {
            Ok(()) => Turn::Now,
            Err(instant) => Turn::At(instant),
        }
    }
}

impl Bucket {
    /// Takes a token, or says when there will be one for the lane.
    fn take(&mut self, limits: &RequestLimits, lane: Lane, now: Instant) -> Result<(), Instant> {
        let per_second = u128::from(limits.per_second.get());
        let full = u128::from(limits.burst.get()) * TOKEN;
        let gained = now.duration_since(self.at).as_nanos() * per_second;
        self.level = full.min(self.level.saturating_add(gained));
        self.at = now;
        let reserved = match lane {
            Lane::Undo => 0,
            Lane::Seal | Lane::Wait | Lane::Forward | Lane::Observe => u128::from(limits.reserved) * TOKEN,
        };
        let needed = (reserved + TOKEN).min(full);
        if self.level >= needed {
            self.level -= TOKEN;
            return Ok(());
        }
        let wait = (needed - self.level).div_ceil(per_second);
        Err(now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
struct Place<'a> {
    lanes: &'a Lanes,
    ticket: Ticket,
    woken: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(lanes: &'a Lanes, lane: Lane) -> Self {
        let woken = Arc::new(Notify::new());
        let mut state = lanes.lock();
        let ticket = (lane, state.arrivals);
        state.arrivals += 1;
        state.waiting.insert(ticket, Arc::clone(&woken));
        drop(state);
        Self { lanes, ticket, woken }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.lock();
        state.waiting.remove(&self.ticket);
        if let Some((_, next)) = state.waiting.first_key_value() {
            next.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::task::JoinSet;
    use tokio::time::advance;

    use super::*;

    /// One request per second, `burst` at once, `reserved` of them for undo.
    fn lanes(burst: u32, reserved: u32) -> Arc<Lanes> {
        let per_second = NonZeroU32::MIN;
        let burst = NonZeroU32::new(burst).unwrap();
        Arc::new(Lanes::new(RequestLimits { per_second, burst, reserved }))
    }

    /// Requests in the order in which they may be sent, with the second.
    #[derive(Default)]
    struct Order {
        requests: JoinSet<()>,
        passed: Arc<Mutex<Vec<(&'static str, u64)>>>,
    }

    impl Order {
        /// Queues a request, behind those queued before.
        async fn queue(&mut self, lanes: &Arc<Lanes>, lane: Lane, name: &'static str, start: Instant) {
            let (lanes, passed) = (Arc::clone(lanes), Arc::clone(&self.passed));
            self.requests.spawn(async move {
                lanes.pass(lane).await;
                passed.lock().unwrap().push((name, start.elapsed().as_secs()));
            });
            tokio::task::yield_now().await;
        }

        async fn all(self) -> Vec<(&'static str, u64)> {
            self.requests.join_all().await;
            std::mem::take(&mut self.passed.lock().unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_by_lane_and_then_by_arrival() {
        let (lanes, start, mut order) = (lanes(1, 0), Instant::now(), Order::default());
        lanes.pass(Lane::Observe).await;
        for (lane, name) in [
            (Lane::Observe, "look"),
            (Lane::Forward, "stage"),
            (Lane::Forward, "shift"),
            (Lane::Seal, "probe"),
            (Lane::Wait, "gone?"),
            (Lane::Undo, "restore"),
            (Lane::Seal, "seal"),
            (Lane::Undo, "shift back"),
        ] {
            order.queue(&lanes, lane, name, start).await;
        }
        let expected = [
            ("restore", 1),
            ("shift back", 2),
            ("probe", 3),
            ("seal", 4),
            ("gone?", 5),
            ("stage", 6),
            ("shift", 7),
            ("look", 8),
        ];
        assert_eq!(order.all().await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_tokens_are_for_undo() {
        let (lanes, start, mut order) = (lanes(5, 2), Instant::now(), Order::default());
        for name in ["a", "b", "c", "d"] {
            order.queue(&lanes, Lane::Forward, name, start).await;
        }
        for name in ["undo 1", "undo 2", "undo 3"] {
            order.queue(&lanes, Lane::Undo, name, start).await;
        }
        // The bucket is empty after the first two, so the third waits, and the fourth change for three tokens more.
        let expected = [("a", 0), ("b", 0), ("c", 0), ("undo 1", 0), ("undo 2", 0), ("undo 3", 1), ("d", 4)];
        assert_eq!(order.all().await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_rests_the_lane_and_those_after_it() {
        let (lanes, start, mut order) = (lanes(9, 0), Instant::now(), Order::default());
        lanes.busy(Lane::Forward, Duration::from_secs(10));
        lanes.busy(Lane::Observe, Duration::from_secs(30));
        lanes.busy(Lane::Forward, Duration::from_secs(5));
        for (lane, name) in
            [(Lane::Observe, "look"), (Lane::Forward, "stage"), (Lane::Seal, "seal"), (Lane::Undo, "restore")]
        {
            order.queue(&lanes, lane, name, start).await;
        }
        assert_eq!(order.all().await, [("seal", 0), ("restore", 0), ("stage", 10), ("look", 30)]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_server_keeps_an_undo_waiting_for_long() {
        let (lanes, start) = (lanes(9, 0), Instant::now());
        lanes.busy(Lane::Undo, Duration::MAX);
        lanes.pass(Lane::Undo).await;
        assert_eq!(start.elapsed(), LONGEST_REST);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_makes_room_and_takes_no_token() {
        let (lanes, start, mut order) = (lanes(1, 0), Instant::now(), Order::default());
        lanes.pass(Lane::Undo).await;
        let mut given_up = Box::pin(lanes.pass(Lane::Undo));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        order.queue(&lanes, Lane::Observe, "look", start).await;
        drop(given_up);
        assert_eq!(order.all().await, [("look", 1)]);
        assert!(lanes.lock().waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_fills_the_bucket_and_no_more() {
        let (lanes, start) = (lanes(3, 0), Instant::now());
        for _ in 0..3 {
            lanes.pass(Lane::Forward).await;
        }
        advance(Duration::from_secs(60)).await;
        for _ in 0..4 {
            lanes.pass(Lane::Forward).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reserve_as_large_as_the_bucket_leaves_the_others_something() {
        let (lanes, start) = (lanes(2, 9), Instant::now());
        lanes.pass(Lane::Observe).await;
        lanes.pass(Lane::Observe).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
