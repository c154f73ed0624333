//! Plain lines to anything that implements [`Write`]: the notifier that needs no account.

use std::fmt;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use async_trait::async_trait;
use chrono::SecondsFormat;
use hotfix_core::model::{Message, Period, Timestamp, Tone};
use hotfix_core::port::{
    Clock, DeliveryOutcome, Notifier, NotifierCapabilities, Offered, Posting, PostingKind, PostingProbe,
    ThreadKey,
};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_http::{Clean, ConfigError};
use tokio::sync::oneshot;

use crate::destination::destination;
use crate::receipt::{nowhere, skipped};

const PATIENCE: Period = Period::from_secs(2);
const QUEUE: usize = 64;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// With the colours of a terminal.
    Ansi,
}

/// Prints each message as one line, and its body and facts indented below.
///
/// ```text
/// 2026-11-21T04:23:41Z ALERT [inc-7 run-1] Production is taken back: 41 of 200 requests failed
///   The fix v2.1.1-rc.1 failed its check at weight 10.
///   verdict: fail
/// ```
///
/// A thread of its own writes, because a pipe that nobody reads blocks for ever. A line that is not out after the
/// patience (two seconds) is ambiguous: it may still come. Control characters never reach the terminal.
pub struct Console {
    destination: String,
    style: Style,
    patience: Period,
    clock: Arc<dyn Clock>,
    lines: SyncSender<Line>,
}

struct Line {
    text: String,
    done: oneshot::Sender<io::Result<()>>,
}

impl Console {
    /// Writes to the standard output, as `console:stdout`.
    ///
    /// # Errors
    /// [`ConfigError::Setup`] when the system gives no thread.
    pub fn stdout(clock: Arc<dyn Clock>) -> std::result::Result<Self, ConfigError> {
        Self::new("stdout", io::stdout(), clock)
    }

    /// Writes to the writer, as `console:` and the name. The writer is flushed after each message.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a name that is none, [`ConfigError::Setup`] when the system gives no thread.
    pub fn new(
        name: &str,
        writer: impl Write + Send + 'static,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, ConfigError> {
        let destination = destination("console.name", "console", name)?;
        let (lines, queue) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name(destination.clone());
        // Never joined: it may hang in a write for ever. It ends when the notifier is dropped.
        let _writing = thread.spawn(move || write_all(&queue, writer)).map_err(|error| {
            let (what, reason) = ("the console's thread", error.to_string());
            ConfigError::Setup { what, reason }
        })?;
        Ok(Self { destination, style: Style::Plain, patience: PATIENCE, clock, lines })
    }

    /// Sets how lines look.
    #[must_use]
    pub const fn with_style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Sets how long a line may take.
    #[must_use]
    pub const fn with_patience(mut self, patience: Period) -> Self {
        self.patience = patience;
        self
    }

    fn queue(&self, text: String) -> std::result::Result<oneshot::Receiver<io::Result<()>>, DeliveryOutcome> {
        let (done, written) = oneshot::channel();
        match self.lines.try_send(Line { text, done }) {
            Ok(()) => Ok(written),
            Err(TrySendError::Full(_)) => {
                let cause = "earlier lines are not written yet".to_owned();
                Err(DeliveryOutcome::Transient { cause })
            }
            Err(TrySendError::Disconnected(_)) => Err(permanent("writer_gone")),
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("destination", &self.destination)
            .field("style", &self.style)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for Console {
    fn capabilities(&self) -> NotifierCapabilities {
        NotifierCapabilities { threads: Offered::No, updates: Offered::No, probe: Offered::No }
    }

    fn destination(&self) -> &str {
        &self.destination
    }

    async fn deliver(&self, posting: &Posting) -> DeliveryOutcome {
        if posting.kind == PostingKind::Update {
            return DeliveryOutcome::Delivered(skipped(posting));
        }
        let written = match self.queue(render(posting, self.clock.now(), self.style)) {
            Ok(written) => written,
            Err(outcome) => return outcome,
        };
        match tokio::time::timeout(self.patience.to_duration(), written).await {
            Ok(Ok(Ok(()))) => DeliveryOutcome::Delivered(nowhere()),
            Ok(Ok(Err(error))) if error.kind() == io::ErrorKind::BrokenPipe => permanent("broken_pipe"),
            Ok(Ok(Err(error))) => ambiguous(format!("part of it may be written: {error}")),
            Ok(Err(_gone)) => permanent("writer_gone"),
            Err(_elapsed) => ambiguous(format!("not written within {}", self.patience)),
        }
    }

    async fn find(&self, _posting: &Posting) -> Result<PostingProbe> {
        let message = "what was printed cannot be read back";
        Err(Error::new(ErrorKind::Unsupported, "notifier.find", message)
            .with("destination", &self.destination))
    }
}

fn permanent(code: &str) -> DeliveryOutcome {
    let code = code.to_owned();
    DeliveryOutcome::Permanent { code }
}

fn ambiguous(cause: String) -> DeliveryOutcome {
    let cause = Clean::line(&cause).as_str().to_owned();
    DeliveryOutcome::Ambiguous { cause }
}

fn write_all(queue: &Receiver<Line>, mut writer: impl Write) {
    while let Ok(line) = queue.recv() {
        let written = writer.write_all(line.text.as_bytes()).and_then(|()| writer.flush());
        // Nobody listens any more when the patience is over.
        let _listener = line.done.send(written);
    }
}

fn render(posting: &Posting, now: Timestamp, style: Style) -> String {
    let Message { tone, title, body, facts, .. } = &posting.message;
    let ThreadKey { incident, run } = &posting.thread;
    let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (word, title) = (word(*tone, style), Clean::line_of_parts(title));
    let mut text = format!("{time} {word} [{incident} {run}] {}\n", title.as_str());
    for line in Clean::of_parts(body).as_str().lines() {
        indented(&mut text, line);
    }
    for fact in facts {
        // Cleaned together: a label can say that the value is a secret.
        indented(&mut text, Clean::line(&format!("{}: {}", fact.label, fact.value)).as_str());
    }
    text
}

fn indented(text: &mut String, line: &str) {
    writeln!(text, "  {line}").expect("a string takes every line");
}

fn word(tone: Tone, style: Style) -> String {
    let (word, colour) = match tone {
        Tone::Neutral => ("info ", "34"),
        Tone::Good => ("ok   ", "32"),
        Tone::Warning => ("warn ", "33"),
        Tone::Bad => ("ALERT", "31"),
    };
    match style {
        Style::Plain => word.to_owned(),
        Style::Ansi => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
    }
}
