//! What `SqliteStore` promises, against real files and real processes.
#![expect(clippy::unwrap_used, reason = "a failing helper fails the test that uses it")]

mod claims;
mod conformance;
mod damage;
mod durability;
mod files;
mod fixture;
mod group_commit;
mod incidents;
mod journal;
mod outbox;
mod processes;
