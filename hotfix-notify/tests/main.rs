//! The notifiers against scripted services.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its fixtures too")]

mod console;
mod faults;
mod find;
mod fixture;
mod outcomes;
mod secrets;
mod thread;
