//! What is logged in the thread of a test.

use std::cell::RefCell;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    /// What was logged in this thread since somebody listens.
    static LOG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Listens to everything that anybody logs in this thread from now on, of every level.
///
/// The subscriber is that of the whole process: whether one of a thread is asked at all about a place that logs depends on
/// what other threads do at the moment.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Log).expect("nobody else listens"));
    LOG.set(Some(String::new()));
}

/// Returns what was logged.
pub(crate) fn logged() -> String {
    LOG.take().expect("somebody listens")
}

struct Log;

impl Log {
    fn write(record: impl FnOnce(&mut Line<'_>)) {
        LOG.with_borrow_mut(|log| {
            if let Some(log) = log {
                record(&mut Line(log));
            }
        });
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Log {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LOG.with_borrow(Option::is_some)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Self::write(|line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        Self::write(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        Self::write(|line| {
            line.0.push_str(event.metadata().target());
            event.record(line);
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
