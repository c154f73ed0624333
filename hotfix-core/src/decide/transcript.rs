//! The samples that a verdict rests on, as a running digest.

use sha2::{Digest as _, Sha256};

use crate::model::{EvidenceDigest, Sample};

/// Takes down samples in the order in which they were judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Transcript {
    samples: u64,
    digest: Sha256,
}

impl Transcript {
    pub(super) fn record(&mut self, sample: &Sample) {
        let line = serde_json::to_vec(sample).expect("a sample holds only numbers, text and a time");
        self.digest.update(&line);
        self.digest.update(b"\n");
        self.samples += 1;
    }

    pub(super) const fn samples(&self) -> u64 {
        self.samples
    }

    pub(super) fn digest(&self) -> EvidenceDigest {
        EvidenceDigest::of_bytes(self.digest.clone().finalize().into())
    }
}

impl PartialEq for Transcript {
    fn eq(&self, other: &Self) -> bool {
        self.samples == other.samples && self.digest() == other.digest()
    }
}
