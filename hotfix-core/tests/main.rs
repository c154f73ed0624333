//! Integration tests of hotfix-core, in one binary.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod architecture;
mod journal;
mod judge;
mod planner;
