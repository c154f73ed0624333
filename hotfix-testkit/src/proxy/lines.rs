//! An answer in lines, as that of a watch is, of which one never arrives or each arrives twice.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame};
use hyper::header::CONTENT_LENGTH;

use super::Answered;
use crate::http::Cut;

/// What becomes of the lines.
#[derive(Debug)]
pub(super) enum Lines {
    /// The first one that holds this text never arrives; `None` when it came by.
    Omit(Option<String>),
    /// Each arrives twice.
    Repeat,
}

impl Lines {
    /// Returns the answer with this done to it. Every line arrives when it is whole.
    pub(super) fn of(self, answer: Answered) -> Answered {
        let (mut head, body) = answer.into_parts();
        head.headers.remove(CONTENT_LENGTH);
        let by_line = ByLine { body, lines: self, begun: BytesMut::new() };
        Answered::from_parts(head, by_line.boxed_unsync())
    }

    /// How often a line arrives.
    fn times(&mut self, line: &[u8]) -> usize {
        match self {
            Self::Omit(sought) => {
                let is_it = |text: &mut String| String::from_utf8_lossy(line).contains(text.as_str());
                if sought.take_if(is_it).is_some() { 0 } else { 1 }
            }
            Self::Repeat => 2,
        }
    }
}

#[derive(Debug)]
struct ByLine {
    body: UnsyncBoxBody<Bytes, Cut>,
    lines: Lines,
    /// The beginning of a line.
    begun: BytesMut,
}

impl ByLine {
    /// Takes more of the answer, and returns what may go on of it.
    fn take(&mut self, bytes: &[u8]) -> Bytes {
        self.begun.extend_from_slice(bytes);
        let mut whole = BytesMut::new();
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line = self.begun.split_to(end + 1);
            for _ in 0..self.lines.times(&line) {
                whole.extend_from_slice(&line);
            }
        }
        whole.freeze()
    }
}

impl Body for ByLine {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                None if !self.begun.is_empty() => {
                    let rest = self.begun.split().freeze();
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

    /// What arrives of four lines that come in three parts, after each of them.
    fn arrived(lines: Lines) -> [String; 3] {
        let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let mut by_line = ByLine { body, lines, begun: BytesMut::new() };
        let parts = ["ADDED 1\nMODI", "FIED 2\nMODIFIED 3\nDEL", "ETED 4\n"];
        parts.map(|part| String::from_utf8(by_line.take(part.as_bytes()).to_vec()).unwrap())
    }

    #[test]
    fn the_first_line_with_the_text_is_left_out_however_it_comes() {
        let omitted = arrived(Lines::Omit(Some("MODIFIED".to_owned())));
        assert_eq!(omitted, ["ADDED 1\n", "MODIFIED 3\n", "DELETED 4\n"]);
    }

    #[test]
    fn each_line_comes_twice_in_its_order_however_it_comes() {
        let repeated = arrived(Lines::Repeat);
        let expected = [
            "ADDED 1\nADDED 1\n",
            "MODIFIED 2\nMODIFIED 2\nMODIFIED 3\nMODIFIED 3\n",
            "DELETED 4\nDELETED 4\n",
        ];
        assert_eq!(repeated, expected);
    }
}
