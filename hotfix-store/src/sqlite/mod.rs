//! The SQLite backend: one writing thread, some reading threads, and the port in front of them.

mod chain;
mod claim;
mod column;
mod failure;
mod filesystem;
mod heads;
mod incident;
mod job;
mod journal;
mod migrate;
mod open;
mod options;
mod outbox;
mod reader;
mod run;
mod signal;
mod store;
mod tx;
mod writer;

pub use options::SqliteOptions;
pub use store::SqliteStore;
