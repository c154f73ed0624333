//! The judge: is the canary harmful, is it good, is it better? Pure, and as sure after the thousandth look as after
//! the first.
//!
//! # The idea
//! Each error is a coin. If the canary does no harm, the chance that it fell on the canary is known from the traffic
//! alone, whatever the error rate is: with `n_c` and `n_b` requests it is `q = r₀·n_c / (r₀·n_c + n_b)`. Incidents,
//! load and the time of day hit both sides and cancel; there is no base rate to tune. This is the conditional form of
//! Lindon & Malek, *Anytime-Valid Inference for Multinomial Count Data* (NeurIPS 2022), made one-sided and with a
//! share that changes from scrape to scrape.
//!
//! Every statistic is the wealth of a bettor who starts with 1 and bets against a hypothesis at odds that are fair (or
//! worse) if the hypothesis is true: an *e-process*. By Ville's inequality the chance that such a wealth ever reaches
//! `1/α` is at most `α`, no matter how often one looks and why one stops. So `α` bounds the false rollbacks of a whole
//! rollout, and a rollout may be judged at every scrape.
//!
//! # The statistics
//! | statistic | hypothesis it bets against | used for |
//! |---|---|---|
//! | count process | an error falls on the canary at odds of at most `r₀` | rollback |
//! | share process | the same; exact under bursts within a scrape, blind to their size | rollback |
//! | latency | a slow request falls on the canary at odds of at most `1.5`; both processes, at two bounds | rollback |
//! | ceiling | the canary's error rate is at most `θ` | rollback; the only test of errors without a baseline |
//! | latency alone | the canary's share of slow requests is at most twice what was usual | rollback, without a baseline |
//! | relative proof | errors are at least `r_bad` times as likely on the canary | promotion |
//! | absolute proof | the canary's error rate is at least `θ_ok` | promotion |
//! | efficacy | the canary is no better than the baseline | leaving a weight sooner |
//!
//! # Kinds of requests
//! Where one side gets more of the requests that fail more often, the sums differ without any harm. A source that tells kinds
//! apart, such as routes, has each compared with itself: the logarithms of the bets on each are added, before the cap. Kinds
//! are chosen by their requests and never by how these ended.
//!
//! # What is not covered
//! Errors of one sticky client that persist over many scrapes on one side, retries that cross sides, wrong labels.
//!
//! # Latency
//! Before the rollout two bounds are chosen beyond which some 5 % and some 1 % of the baseline's requests were; see
//! [`calibrate`]. A request beyond a bound then counts as an error does, against requests beyond it on the other side.
//! What an instance answers before its first scrape is left out: it is slow until it is warm.
//!
//! No single scrape may decide, so what one adds to the count process is cut off. The share process has no such limit: where the
//! canary had less than a thousandth of the traffic, one failed request can be enough. So a decision also asks that two
//! scrapes speak against the canary; see [`decide`](crate::decide). Latency has a quarter of the decision, and therefore a cap
//! of its own that is higher by half of what that costs: with the cap of errors, requests that take twice as long were
//! found 3.0 timed scrapes after the start, and 1.5 times as long after 5.6; with its own after 2.3 and 5.3. Harmless
//! rollouts were rolled back in 0.05 % of the runs, and in 0.5 % where each side pauses in a twentieth of the scrapes
//! (`cargo xtask prove judge`, log-normal latencies, 50 requests a second, 10 % of them on the canary).
//!
//! With all the traffic there is nothing to compare with. Then what was counted of the baseline before the rollout and at
//! its last weight says which share of slow requests is usual, and twice the upper end of that is what a canary may have.
//! The bet goes on with what the comparison has won, and with the cap of errors: a pause of the service hits no other
//! side here. Requests that take 1.5 or 2 times as long are found 3.0 and 2.9 timed scrapes after a start at 100 %; harmless
//! rollouts that climb to 100 % were rolled back in 0.06 % of the runs, and in 0.5 % with pauses.

mod calibrate;
mod ceiling;
mod compared;
mod dispersion;
mod errors;
mod increments;
pub mod kayenta;
mod latency;
mod likelihood;
mod mixture;
mod promotion;
mod rollout;
mod start;

pub use calibrate::calibrate;
pub use dispersion::dispersion;
pub use increments::Increments;
pub use rollout::Judge;
