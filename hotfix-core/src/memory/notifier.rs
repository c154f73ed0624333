//! The reference [`Notifier`]: a destination that shows its messages to a test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Message;
use crate::port::{
    Delivered, DeliveryOutcome, Notifier, NotifierCapabilities, Offered, Posting, PostingKind, PostingProbe,
};

/// A destination that exists only in memory, with threads, updates and a key per posting: a posting it has seen is
/// not shown twice.
#[derive(Debug, Clone)]
pub struct MemoryNotifier {
    destination: String,
    capabilities: NotifierCapabilities,
    board: Arc<Mutex<Board>>,
}

#[derive(Debug, Default)]
struct Board {
    shown: Vec<Shown>,
    receipts: BTreeMap<String, Delivered>,
    attempts: Vec<Posting>,
    script: VecDeque<DeliveryTrouble>,
}

/// A message as the destination shows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What its delivery returned.
    pub receipt: Delivered,
    /// The message it stands below.
    pub under: Option<Delivered>,
    /// What it says, after the updates so far.
    pub message: Message,
}

/// What happens to the next delivery instead of a smooth one. Each is used once, in the order of scripting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryTrouble {
    /// It does not arrive, and the caller hears this.
    Lost(DeliveryOutcome),
    /// It arrives, but the caller hears this.
    Arrives(DeliveryOutcome),
    /// It does not arrive, and the call never returns.
    Hangs,
}

impl MemoryNotifier {
    /// Builds an empty destination that offers everything.
    #[must_use]
    pub fn new(destination: impl Into<String>) -> Self {
        Self {
            destination: destination.into(),
            capabilities: NotifierCapabilities {
                threads: Offered::Yes,
                updates: Offered::Yes,
                probe: Offered::Yes,
            },
            board: Arc::default(),
        }
    }

    /// Narrows what this handle offers.
    #[must_use]
    pub const fn with_capabilities(mut self, capabilities: NotifierCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Scripts what happens to the next delivery for which nothing is scripted yet.
    pub fn trouble(&self, trouble: DeliveryTrouble) {
        lock(&self.board).script.push_back(trouble);
    }

    /// Removes a message, as a person at the destination can.
    pub fn remove(&self, receipt: &Delivered) {
        lock(&self.board).shown.retain(|shown| shown.receipt != *receipt);
    }

    /// Returns what is shown now, in the order of arrival.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        lock(&self.board).shown.clone()
    }

    /// Returns every posting that somebody tried to deliver, repetitions included.
    #[must_use]
    pub fn attempts(&self) -> Vec<Posting> {
        lock(&self.board).attempts.clone()
    }

    /// Records the attempt and returns what becomes of it; `None`: nothing ever.
    fn receive(&self, posting: &Posting) -> Option<DeliveryOutcome> {
        let mut board = lock(&self.board);
        board.attempts.push(posting.clone());
        match board.script.pop_front() {
            None => Some(board.arrive(posting, self)),
            Some(DeliveryTrouble::Lost(outcome)) => Some(outcome),
            Some(DeliveryTrouble::Arrives(outcome)) => {
                board.arrive(posting, self);
                Some(outcome)
            }
            Some(DeliveryTrouble::Hangs) => None,
        }
    }
}

impl Board {
    fn arrive(&mut self, posting: &Posting, place: &MemoryNotifier) -> DeliveryOutcome {
        if let Some(receipt) = self.receipts.get(&posting.dedup) {
            return DeliveryOutcome::Delivered(receipt.clone());
        }
        let NotifierCapabilities { threads, updates, .. } = place.capabilities;
        let receipt = match (posting.kind, &posting.root) {
            (PostingKind::Update, root) if updates == Offered::No => root.clone().unwrap_or_else(nowhere),
            (PostingKind::Update, root) => match self.shown_at(root.as_ref()) {
                Some(shown) => {
                    shown.message = posting.message.clone();
                    shown.receipt.clone()
                }
                None => return DeliveryOutcome::RootGone,
            },
            (PostingKind::Reply | PostingKind::Broadcast, Some(root)) if threads == Offered::Yes => {
                if self.shown_at(Some(root)).is_none() {
                    return DeliveryOutcome::RootGone;
                }
                self.show(posting, Some(root.clone()), place)
            }
            (PostingKind::Reply | PostingKind::Broadcast | PostingKind::Root, _) => {
                self.show(posting, None, place)
            }
        };
        self.receipts.insert(posting.dedup.clone(), receipt.clone());
        DeliveryOutcome::Delivered(receipt)
    }

    fn shown_at(&mut self, receipt: Option<&Delivered>) -> Option<&mut Shown> {
        self.shown.iter_mut().find(|shown| Some(&shown.receipt) == receipt)
    }

    fn show(&mut self, posting: &Posting, under: Option<Delivered>, place: &MemoryNotifier) -> Delivered {
        let receipt = Delivered {
            channel: place.destination.clone(),
            id: format!("message-{}", self.receipts.len() + 1),
        };
        self.shown.push(Shown { receipt: receipt.clone(), under, message: posting.message.clone() });
        receipt
    }
}

/// The receipt of something that is not shown anywhere.
const fn nowhere() -> Delivered {
    Delivered { channel: String::new(), id: String::new() }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    fn capabilities(&self) -> NotifierCapabilities {
        self.capabilities
    }

    fn destination(&self) -> &str {
        &self.destination
    }

    async fn deliver(&self, posting: &Posting) -> DeliveryOutcome {
        match self.receive(posting) {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }

    async fn find(&self, posting: &Posting) -> Result<PostingProbe> {
        if self.capabilities.probe == Offered::No {
            let message = "this destination cannot tell what arrived";
            return Err(Error::new(ErrorKind::Unsupported, "notifier.find", message));
        }
        let found = lock(&self.board).receipts.get(&posting.dedup).cloned();
        Ok(found.map_or(PostingProbe::Absent, PostingProbe::Found))
    }
}
