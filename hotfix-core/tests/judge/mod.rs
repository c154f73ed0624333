//! The judge.

mod increments;
mod vectors;

use hotfix_core::model::{Counts, Timestamp};

/// A moment of the tests, in seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(seconds, 0).expect("a small number of seconds")
}

fn counts(requests: u64, errors: u64) -> Counts {
    Counts::new(requests, errors).expect("no more errors than requests")
}
