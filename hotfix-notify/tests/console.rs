//! The console: what is printed, and what happens when nobody reads.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use hotfix_core::memory::ManualClock;
use hotfix_core::model::{Message, Part, Period, Tone};
use hotfix_core::port::{Delivered, DeliveryOutcome, Notifier, PostingKind};
use hotfix_notify::{Console, Style};

use crate::fixture::{message, posting};

/// A clock that stands at noon.
fn noon() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()))
}

/// Keeps what is written.
#[derive(Debug, Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe that nobody reads: says when a write began, and ends it when the reader goes away.
#[derive(Debug)]
struct Clogged {
    began: SyncSender<()>,
    reader: Receiver<()>,
}

impl Write for Clogged {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        self.began.send(()).unwrap();
        let _gone = self.reader.recv();
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn delivered() -> DeliveryOutcome {
    DeliveryOutcome::Delivered(Delivered { channel: String::new(), id: String::new() })
}

fn console(writer: impl Write + Send + 'static) -> Console {
    Console::new("test", writer, noon()).unwrap()
}

#[tokio::test]
async fn a_message_is_a_line_with_details_below() {
    let page = Page::default();
    let console = console(page.clone());
    assert_eq!(console.destination(), "console:test");
    assert_eq!(console.deliver(&posting(PostingKind::Root)).await, delivered());
    assert_eq!(
        page.text(),
        "2026-11-21T12:00:00Z ALERT [inc-7 run-1] Taking back v2.1.1 <!channel> R&D\n\
         \x20 The canary failed its check.\n\
         \x20 *Revert* <https://evil.example|this> with password=[redacted]\n\
         \x20 Verdict: fail: 41 of 200 requests\n\
         \x20 error_budget: <@U024BE7LH>\n"
    );
}

#[tokio::test]
async fn colours_are_ours_and_only_on_request() {
    let page = Page::default();
    let console = console(page.clone()).with_style(Style::Ansi);
    let mut posting = posting(PostingKind::Reply);
    posting.message = Message {
        tone: Tone::Good,
        title: vec![Part::Foreign("\u{1b}[2Jfixed\u{7}\r\nsecond".into())],
        body: Vec::new(),
        facts: Vec::new(),
        ..message()
    };
    assert_eq!(console.deliver(&posting).await, delivered());
    assert_eq!(page.text(), "2026-11-21T12:00:00Z \u{1b}[32mok   \u{1b}[0m [inc-7 run-1] [2Jfixed second\n");
}

// Time is paused: the patience is over as soon as nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_reader_that_never_reads_delays_nothing() {
    let (began, begun) = sync_channel(1);
    let (_keep, reader) = sync_channel(0);
    let console = console(Clogged { began, reader }).with_patience(Period::from_millis(50));
    let late = DeliveryOutcome::Ambiguous { cause: "not written within 50ms".into() };
    assert_eq!(console.deliver(&posting(PostingKind::Root)).await, late);
    // From here on the first line is out of the queue, which takes 64 more.
    begun.recv().unwrap();
    for _ in 0..64 {
        assert_eq!(console.deliver(&posting(PostingKind::Reply)).await, late);
    }
    let full = DeliveryOutcome::Transient { cause: "earlier lines are not written yet".into() };
    assert_eq!(console.deliver(&posting(PostingKind::Reply)).await, full);
}

#[tokio::test]
async fn a_closed_pipe_is_for_ever() {
    let (began, _begun) = sync_channel(1);
    let (keep, reader) = sync_channel(0);
    drop(keep);
    let outcome = console(Clogged { began, reader }).deliver(&posting(PostingKind::Root)).await;
    assert_eq!(outcome, DeliveryOutcome::Permanent { code: "broken_pipe".into() });
}

#[tokio::test]
async fn what_is_printed_cannot_be_changed() {
    let page = Page::default();
    let update = posting(PostingKind::Update);
    let outcome = console(page.clone()).deliver(&update).await;
    // Skipped: the root is where it was.
    assert_eq!(outcome, DeliveryOutcome::Delivered(update.root.unwrap()));
    assert_eq!(page.text(), "");
}

#[test]
fn a_name_that_cannot_be_stored_is_refused() {
    let error = Console::new("two words", Page::default(), noon()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "console.name is not valid: allowed are 1 to 64 letters, digits and any of - _ .; it is shown to people and \
         stored, so it holds no secret"
    );
}
