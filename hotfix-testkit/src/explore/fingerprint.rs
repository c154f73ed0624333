//! A fast hash of small states. Two of ten million states share a fingerprint with a chance of about one in 100 000.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Maps keys that are not chosen by an adversary.
pub(super) type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Fingerprinter>>;

/// Maps fingerprints, which need no further hashing.
pub(super) type FingerprintMap<V> = std::collections::HashMap<u64, V, BuildHasherDefault<Unhashed>>;

/// Returns the fingerprint of a value.
pub(super) fn fingerprint(value: &impl Hash) -> u64 {
    let mut hasher = Fingerprinter::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Multiplies to 128 bits and folds the halves, once per word.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Fingerprinter(u64);

const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
const OTHER: u64 = 0xD6E8_FEB8_6659_FD93;

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the product are wanted")]
    let halves = (wide as u64, (wide >> 64) as u64);
    halves.0 ^ halves.1
}

impl Hasher for Fingerprinter {
    fn finish(&self) -> u64 {
        fold(self.0 ^ OTHER, ODD)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0.rotate_left(23) ^ value ^ OTHER, ODD).wrapping_add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

/// Takes a fingerprint as it is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |all, byte| all << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
