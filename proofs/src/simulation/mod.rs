//! Simulated rollouts, the same each time: what is drawn depends on the name of the cell and the number of the run only.
//!
//! Every 15 seconds there is a scrape, of 50 requests a second in all; the judge is calibrated with the 60 scrapes before
//! the rollout. Latencies are log-normal with a sigma of 0.6, counted in the default buckets of Prometheus' clients; the
//! median is another one from run to run, so that no place of it between two bounds is lucky.

pub(crate) mod ladder;
mod latency;
pub(crate) mod limit;
pub(crate) mod method;
pub(crate) mod rollout;
mod sampling;
pub(crate) mod traffic;

use hotfix_core::model::InvalidValue;

pub(crate) use sampling::Random;

/// A minute of scrapes.
pub(crate) const SCRAPES_A_MINUTE: f64 = 4.0;

/// Plays all runs of a cell, on two threads, and returns what they give in their order.
///
/// # Errors
/// What the first run that fails says.
pub(crate) fn each<R: Send>(
    cell: &str,
    runs: u32,
    play: impl Fn(&mut Random) -> Result<R, InvalidValue> + Sync,
) -> Result<Vec<R>, InvalidValue> {
    let seed = cell.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(257).wrapping_add(byte.into()));
    let half = runs / 2;
    let play_all = |runs: std::ops::Range<u32>| {
        let played = runs.map(|run| play(&mut Random::new(seed, run.into())));
        played.collect::<Result<Vec<_>, InvalidValue>>()
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| play_all(half..runs));
        (play_all(0..half), second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    Ok([first?, second?].into_iter().flatten().collect())
}
