//! The weighted HTTP/1.1 reverse proxy: one per target.
//!
//! A request takes the current [`Table`], picks a slot from its schedule and a ready instance of the slot, and is
//! streamed both ways. Shifting traffic swaps the table; requests in flight keep the one they began with.

mod body;
mod counters;
mod forward;
mod headers;
mod schedule;
mod server;
mod table;
mod upstream;

pub(crate) use counters::{BUCKETS, Counters, CountersView, bounds};
pub(crate) use forward::Proxy;
pub(crate) use server::Server;
pub(crate) use table::{Route, Table};
pub(crate) use upstream::Upstream;

use std::time::Duration;

/// How long and how much the proxy puts up with.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Client connections at a time; more wait in the system's queue.
    pub(crate) connections: usize,
    /// Longest time a client may take to send a request's head.
    pub(crate) head_timeout: Duration,
    /// Largest head of a request or an answer, in bytes.
    pub(crate) head_bytes: usize,
    /// Longest time to connect to an instance.
    pub(crate) connect_timeout: Duration,
    /// Longest time from a request to the head of its answer.
    pub(crate) answer_timeout: Duration,
    /// Idle connections kept per instance.
    pub(crate) idle_connections: usize,
    /// How long an idle connection is kept.
    pub(crate) idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_timeout: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(60),
            idle_connections: 256,
            idle_timeout: Duration::from_secs(30),
        }
    }
}
