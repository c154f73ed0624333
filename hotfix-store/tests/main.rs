//! What `SqliteStore` promises, against real files and real processes.

mod claims;
mod damage;
mod durability;
mod files;
mod fixture;
mod group_commit;
mod incidents;
mod journal;
mod outbox;
mod processes;
