//! The judge of Kayenta, Spinnaker's canary analysis: its statistics.

mod mann_whitney;
mod normal;
mod zeroin;

pub use mann_whitney::{Incomparable, RankTest, Shift, mann_whitney, shift};
