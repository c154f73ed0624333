//! What the scripted server does with one request.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Response, StatusCode};

/// What to do with one request: a response, or a way not to give one.
///
/// ```
/// use hotfix_testkit::http::Answer;
///
/// let busy = Answer::status(429).header("retry-after", "30");
/// let lost_reply = Answer::json(200, &serde_json::json!({"ok": true})).cut_after(0);
/// # let _ = (busy, lost_reply);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Answer {
    delay: Duration,
    head: Head,
    headers: Vec<(String, String)>,
    body: Bytes,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum Head {
    Status(u16),
    Hang,
    Cut,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Whole,
    HangAfter(usize),
    CutAfter(usize),
}

impl Answer {
    const fn new(head: Head) -> Self {
        Self { delay: Duration::ZERO, head, headers: Vec::new(), body: Bytes::new(), end: End::Whole }
    }

    /// Answers with a status and an empty body.
    pub const fn status(status: u16) -> Self {
        Self::new(Head::Status(status))
    }

    /// Answers with a status and a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let answer = Self::status(status).header("content-type", "application/json");
        answer.text(body.to_string())
    }

    /// Reads the request and never answers.
    pub const fn hang() -> Self {
        Self::new(Head::Hang)
    }

    /// Reads the request and closes the connection without a byte of an answer.
    pub const fn cut() -> Self {
        Self::new(Head::Cut)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn text(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits before answering.
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends the head, which promises the whole body, and that many bytes of it, and then nothing more.
    pub const fn hang_after(mut self, bytes: usize) -> Self {
        self.end = End::HangAfter(bytes);
        self
    }

    /// Sends the head, which promises the whole body, and that many bytes of it, and then closes the connection.
    pub const fn cut_after(mut self, bytes: usize) -> Self {
        self.end = End::CutAfter(bytes);
        self
    }

    pub(crate) async fn play(self) -> Result<Response<ScriptedBody>, Cut> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        match self.head {
            Head::Status(status) => Ok(self.response(status)),
            Head::Hang => std::future::pending().await,
            Head::Cut => Err(Cut),
        }
    }

    fn response(self, status: u16) -> Response<ScriptedBody> {
        let status = StatusCode::from_u16(status).expect("a scripted status is between 100 and 999");
        let mut response = Response::builder().status(status);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        let body = ScriptedBody::new(self.body, self.end);
        response.body(body).expect("scripted headers are valid HTTP")
    }
}

/// The body of a scripted response.
#[derive(Debug)]
pub(crate) struct ScriptedBody {
    promised: u64,
    rest: Option<Bytes>,
    end: End,
    flushed: bool,
}

impl ScriptedBody {
    fn new(body: Bytes, end: End) -> Self {
        let (sent, promised) = match end {
            End::Whole => (body.len(), body.len()),
            // One byte more than is there, so that the client knows that something is missing.
            End::HangAfter(bytes) | End::CutAfter(bytes) if bytes >= body.len() => {
                (body.len(), body.len() + 1)
            }
            End::HangAfter(bytes) | End::CutAfter(bytes) => (bytes, body.len()),
        };
        Self { promised: promised as u64, rest: (sent > 0).then(|| body.slice(..sent)), end, flushed: false }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::HangAfter(_) => Poll::Pending,
            End::CutAfter(_) if self.flushed => Poll::Ready(Some(Err(Cut))),
            // A pause, in which hyper writes out what it has: an error at once would discard the head too.
            End::CutAfter(_) => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::Whole) && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}

/// The reason hyper gets for closing the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script cuts the connection here")
    }
}

impl Error for Cut {}
