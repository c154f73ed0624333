//! What is next on the way of [`super::dial`].

use super::pin::Pin;
use crate::slot::Side;
use crate::traffic::size::Size;

/// Something for each slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerSide<T> {
    pub(crate) main: T,
    pub(crate) hotfix: T,
}

impl<T: Copy> PerSide<T> {
    pub(crate) fn of(mut value: impl FnMut(Side) -> T) -> Self {
        Self { main: value(Side::Main), hotfix: value(Side::Hotfix) }
    }

    pub(crate) const fn get(&self, side: Side) -> T {
        match side {
            Side::Main => self.main,
            Side::Hotfix => self.hotfix,
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// Give a slot this size.
    Resize(Side, Size),
    /// Have these pods selected, and note the share of the hotfix slot.
    Select(Pin, Option<u8>),
    /// Wait until the slot has no endpoint any more.
    UntilLeft(Side),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) moves: Vec<Move>,
    pub(crate) end: End,
}

/// How the traffic gets back to a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Back {
    /// It is there.
    There,
    /// It can go at once.
    Now,
    /// After these moves, when pods have changed.
    Later(Vec<Move>),
}

/// Whether there is more to do after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Reached,
    /// When pods have changed.
    Later,
}

impl Course {
    pub(super) fn reached(moves: impl IntoIterator<Item = Move>) -> Self {
        Self { moves: moves.into_iter().collect(), end: End::Reached }
    }

    pub(super) fn later(moves: impl IntoIterator<Item = Move>) -> Self {
        Self { moves: moves.into_iter().collect(), end: End::Later }
    }
}
