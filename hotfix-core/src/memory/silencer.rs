//! The reference [`Silencer`]: it knows which alerts could be heard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{RunId, Target};
use crate::port::{Clock, Silence, Silencer, Silencing};

/// Silences that exist only in memory, and end by themselves when a clock says so. Clones share their state.
#[derive(Debug, Clone)]
pub struct MemorySilencer {
    destination: String,
    clock: Arc<dyn Clock>,
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    silences: BTreeMap<RunId, Silence>,
    asked: Vec<Silencing>,
    script: VecDeque<SilencerTrouble>,
}

/// What happens to the next call instead of a smooth one. Each is used once, in the order of scripting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SilencerTrouble {
    /// It does not arrive, and the caller hears this.
    Lost(ErrorKind),
    /// It arrives, but the caller hears this.
    Arrives(ErrorKind),
    /// It does not arrive, and the call never returns.
    Hangs,
}

impl MemorySilencer {
    /// Builds one that silences nothing yet.
    #[must_use]
    pub fn new(destination: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { destination: destination.into(), clock, book: Arc::default() }
    }

    /// Scripts what happens to the next call for which nothing is scripted yet.
    pub fn trouble(&self, trouble: SilencerTrouble) {
        lock(&self.book).script.push_back(trouble);
    }

    /// Returns the silences about the target that last now.
    #[must_use]
    pub fn active(&self, target: &Target) -> Vec<Silence> {
        let now = self.clock.now();
        let book = lock(&self.book);
        let lasts = |silence: &&Silence| silence.target == *target && silence.until > now;
        book.silences.values().filter(lasts).cloned().collect()
    }

    /// Returns everything that somebody asked for, repetitions included.
    #[must_use]
    pub fn asked(&self) -> Vec<Silencing> {
        lock(&self.book).asked.clone()
    }

    async fn take(&self, asked: Silencing) -> Result<()> {
        let trouble = {
            let mut book = lock(&self.book);
            book.asked.push(asked.clone());
            book.script.pop_front()
        };
        let failed = |kind| Err(Error::new(kind, "silencer", "scripted to fail"));
        match trouble {
            None => self.arrive(asked),
            Some(SilencerTrouble::Lost(kind)) => failed(kind),
            Some(SilencerTrouble::Arrives(kind)) => self.arrive(asked).and_then(|()| failed(kind)),
            Some(SilencerTrouble::Hangs) => std::future::pending().await,
        }
    }

    fn arrive(&self, asked: Silencing) -> Result<()> {
        let now = self.clock.now();
        let mut book = lock(&self.book);
        book.silences.retain(|_, silence| silence.until > now);
        match asked {
            Silencing::Begin(silence) if silence.until <= now => {
                let message = "a silence must end in the future";
                return Err(Error::new(ErrorKind::Invalid, "silencer.silence", message));
            }
            Silencing::Begin(silence) => {
                book.silences.entry(silence.run.clone()).or_insert(silence);
            }
            Silencing::End(silence) => {
                book.silences.remove(&silence.run);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Silencer for MemorySilencer {
    fn destination(&self) -> &str {
        &self.destination
    }

    async fn silence(&self, silence: &Silence) -> Result<()> {
        self.take(Silencing::Begin(silence.clone())).await
    }

    async fn lift(&self, silence: &Silence) -> Result<()> {
        self.take(Silencing::End(silence.clone())).await
    }
}
