//! An answer in lines of which one never arrives, as an event of a watch that is lost.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame};

use super::Answered;
use crate::http::Cut;

/// Returns the answer without its first line that holds the text. Every other line arrives when it is whole.
pub(super) fn without(answer: Answered, text: String) -> Answered {
    answer.map(|body| Omitting { body, text: Some(text), line: BytesMut::new() }.boxed_unsync())
}

#[derive(Debug)]
struct Omitting {
    body: UnsyncBoxBody<Bytes, Cut>,
    /// What the line holds that is left out; `None` when it was.
    text: Option<String>,
    /// The beginning of a line.
    line: BytesMut,
}

impl Omitting {
    /// Takes more of the answer, and returns what may go on of it.
    fn take(&mut self, bytes: &[u8]) -> Bytes {
        self.line.extend_from_slice(bytes);
        let mut whole = BytesMut::new();
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line = self.line.split_to(end + 1);
            if self.text.as_ref().is_some_and(|text| String::from_utf8_lossy(&line).contains(text)) {
                self.text = None;
            } else {
                whole.extend_from_slice(&line);
            }
        }
        whole.freeze()
    }
}

impl Body for Omitting {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                None if !self.line.is_empty() => {
                    let rest = self.line.split().freeze();
                    return Poll::Ready(Some(Ok(Frame::data(rest))));
                }
                end => return Poll::Ready(end),
            };
            let whole = match frame.into_data() {
                Ok(bytes) => self.take(&bytes),
                Err(other) => return Poll::Ready(Some(Ok(other))),
            };
            if !whole.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(whole))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn the_first_line_with_the_text_is_left_out_however_it_comes() {
        let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let mut omitting = Omitting { body, text: Some("MODIFIED".to_owned()), line: BytesMut::new() };
        let parts = ["ADDED 1\nMODI", "FIED 2\n", "MODIFIED 3\nDEL", "ETED 4\n"];
        let arrived = parts.map(|part| String::from_utf8(omitting.take(part.as_bytes()).to_vec()).unwrap());
        assert_eq!(arrived, ["ADDED 1\n", "", "MODIFIED 3\n", "DELETED 4\n"]);
    }
}
