//! Words and addresses that no other test will choose.

use std::hash::{BuildHasher, RandomState};

/// Returns a number that differs every time: the keys of the standard library's maps come from the system.
pub(super) fn number() -> u64 {
    RandomState::new().hash_one("hotfix")
}

/// Returns 32 hexadecimal digits.
pub(super) fn word() -> String {
    format!("{:016x}{:016x}", number(), number())
}
