//! Receipts of destinations that give none.

use hotfix_core::port::{Delivered, Posting};

/// The receipt where the service does not tell any.
pub(crate) const fn nowhere() -> Delivered {
    Delivered { channel: String::new(), id: String::new() }
}

/// The receipt of an update where updates are not offered: the root is where it was.
pub(crate) fn skipped(update: &Posting) -> Delivered {
    update.root.clone().unwrap_or_else(nowhere)
}
