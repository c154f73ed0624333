//! What happens to the bytes of an answer on their way.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Interval, interval};

use super::Answered;
use crate::http::Cut;
use hotfix_core::model::Period;

/// What happens to the body of an answer. Its head arrives as the server sent it, with the length that it promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// That many bytes arrive, and the connection is closed.
    CutAfter(usize),
    /// That many bytes arrive, and then nothing more.
    HangAfter(usize),
    /// One byte arrives each time that long has passed.
    Drip(Period),
    /// From that byte on everything is the byte 0xFF, which no text holds.
    GarbageFrom(usize),
}

impl Damage {
    /// Reads the answer to its end and returns it damaged.
    pub(super) async fn apply(self, answer: Answered) -> Result<Answered, Cut> {
        let (head, body) = answer.into_parts();
        let size = body.size_hint().exact();
        let mut left = body.collect().await?.to_bytes();
        if let Self::GarbageFrom(at) = self {
            left = left.iter().enumerate().map(|(i, byte)| if i < at { *byte } else { 0xFF }).collect();
        }
        let pace = match self {
            Self::Drip(period) => Some(interval(period.to_duration())),
            Self::CutAfter(_) | Self::HangAfter(_) | Self::GarbageFrom(_) => None,
        };
        let body = Damaged { left, sent: 0, size, damage: self, pace, flushed: false };
        Ok(hyper::Response::from_parts(head, body.boxed_unsync()))
    }
}

#[derive(Debug)]
struct Damaged {
    left: Bytes,
    sent: usize,
    /// What the head promises; `None`: the body comes in chunks.
    size: Option<u64>,
    damage: Damage,
    pace: Option<Interval>,
    flushed: bool,
}

impl Damaged {
    /// Returns how many bytes may still be sent before it breaks off.
    fn room(&self) -> usize {
        match self.damage {
            Damage::CutAfter(bytes) | Damage::HangAfter(bytes) => bytes.saturating_sub(self.sent),
            Damage::Drip(_) => 1,
            Damage::GarbageFrom(_) => usize::MAX,
        }
    }
}

impl Body for Damaged {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let room = self.room().min(self.left.len());
        if room > 0 {
            if let Some(pace) = &mut self.pace
                && pace.poll_tick(cx).is_pending()
            {
                return Poll::Pending;
            }
            let bytes = self.left.slice(..room);
            self.left.advance(room);
            self.sent += room;
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.damage {
            Damage::CutAfter(_) if self.flushed => Poll::Ready(Some(Err(Cut))),
            // A pause, in which hyper writes out what it has: an error at once would discard the head too.
            Damage::CutAfter(_) => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Damage::HangAfter(_) => Poll::Pending,
            Damage::Drip(_) | Damage::GarbageFrom(_) => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.size.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
