//! What is measured of the baseline before a rollout and frozen for it.

use serde::{Deserialize, Serialize};

use super::{Counts, Dispersion, LatencyBound};

/// How bursty the errors of the baseline are, and where its slow requests begin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Calibration {
    /// The dispersion of its errors.
    pub dispersion: Dispersion,
    /// The bounds beyond which requests count as slow, ascending. Without any, latency is not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tails: Vec<TailBound>,
}

/// One bound, and how bursty the requests beyond it are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TailBound {
    /// The bound.
    pub over: LatencyBound,
    /// The dispersion of the requests that take longer.
    pub dispersion: Dispersion,
    /// The baseline's requests, and as "errors" those of them that took longer: what a canary is held against that has
    /// all the traffic. None: not known, and then it is held against nothing.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub usual: Counts,
}

/// What journals leave out must keep its meaning for ever.
fn is_unknown(usual: &Counts) -> bool {
    *usual == Counts::NONE
}

/// Latency is not known.
impl From<Dispersion> for Calibration {
    fn from(dispersion: Dispersion) -> Self {
        Self { dispersion, tails: Vec::new() }
    }
}
