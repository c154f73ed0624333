//! The notifiers against what they print to.
#![expect(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in its fixtures too"
)]

mod console;
mod fixture;
