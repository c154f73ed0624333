//! One delivery to one destination: what is sent, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::Period;
use hotfix_core::port::{
    Clock, Delivered, DeliveryOutcome, Notifier, Offered, OutboxItem, OutboxState, PostingKind, PostingProbe,
    Settlement, Silencer, Silencing,
};
use hotfix_core::{ErrorKind, RetryClass};

/// How long one delivery may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first wait after a failed delivery, doubled for each further one.
const FIRST_WAIT: Period = Period::from_secs(1);
/// The longest such wait.
const LONGEST_WAIT: Period = Period::from_mins(5);
/// The longest wait of a silence. What lifts it waits behind it, and should not for long.
const LONGEST_SILENT_WAIT: Period = Period::from_secs(8);
/// How long a posting that may have arrived is left alone before anybody looks for it: services show what they took
/// with a delay.
const FIRST_LOOK: Period = Period::from_secs(5);
/// After so many tries a posting is given up: some six hours.
const TRIES: u32 = 80;

/// Takes postings to one destination.
#[derive(Debug, Clone)]
pub(crate) enum Courier {
    /// To people.
    Notifier(Arc<dyn Notifier>),
    /// To whoever silences alerts.
    Silencer(Arc<dyn Silencer>, Arc<dyn Clock>),
}

impl Courier {
    /// Returns the destination's name in the outbox.
    pub(crate) fn destination(&self) -> &str {
        match self {
            Self::Notifier(notifier) => notifier.destination(),
            Self::Silencer(silencer, _) => silencer.destination(),
        }
    }

    /// Delivers one posting.
    pub(crate) async fn attempt(&self, item: &OutboxItem) -> Settlement {
        match self {
            Self::Notifier(notifier) => tell(&**notifier, item).await,
            Self::Silencer(silencer, clock) => silence(&**silencer, &**clock, item).await,
        }
    }
}

async fn tell(notifier: &dyn Notifier, item: &OutboxItem) -> Settlement {
    let posting = &item.posting;
    let capabilities = notifier.capabilities();
    if posting.kind == PostingKind::Update && capabilities.updates == Offered::No {
        let delivered = posting.root.clone();
        return delivered.map_or_else(
            || Settlement::Dead { cause: "the destination cannot change a message".to_owned() },
            Settlement::Delivered,
        );
    }
    if item.state == OutboxState::Uncertain && capabilities.probe == Offered::Yes {
        match tokio::time::timeout(PATIENCE, notifier.find(posting)).await {
            Ok(Ok(PostingProbe::Found(delivered))) => return Settlement::Delivered(delivered),
            Ok(Ok(PostingProbe::Absent)) => {}
            // Nobody will ever know: twice is better than never.
            Ok(Err(error)) if error.kind() == ErrorKind::Unsupported => {}
            Ok(Err(error)) => return uncertain(item, error.to_string()),
            Err(_) => return uncertain(item, "no answer in time".to_owned()),
        }
    }
    let outcome = tokio::time::timeout(PATIENCE, notifier.deliver(posting)).await;
    let outcome =
        outcome.unwrap_or_else(|_| DeliveryOutcome::Ambiguous { cause: "no answer in time".to_owned() });
    match outcome {
        DeliveryOutcome::Delivered(delivered) => Settlement::Delivered(delivered),
        DeliveryOutcome::Throttled { wait } => Settlement::Retry {
            after: wait.unwrap_or(FIRST_WAIT).max(FIRST_WAIT),
            cause: "throttled".to_owned(),
        },
        DeliveryOutcome::Transient { cause } if item.attempts < TRIES => {
            Settlement::Retry { after: wait_after(item.attempts), cause }
        }
        DeliveryOutcome::Transient { cause } => Settlement::Dead { cause },
        DeliveryOutcome::Ambiguous { cause } => uncertain(item, cause),
        DeliveryOutcome::Permanent { code } => Settlement::Dead { cause: code },
        DeliveryOutcome::RootGone => {
            Settlement::Dead { cause: "the message it belongs to is gone".to_owned() }
        }
    }
}

fn uncertain(item: &OutboxItem, cause: String) -> Settlement {
    if item.attempts < TRIES {
        Settlement::Uncertain { after: wait_after(item.attempts).max(FIRST_LOOK), cause }
    } else {
        Settlement::Dead { cause }
    }
}

/// Silences or lifts. Either is idempotent, so it is simply done again; a silence is given up where it will never work,
/// and both when it would have ended by itself.
async fn silence(silencer: &dyn Silencer, clock: &dyn Clock, item: &OutboxItem) -> Settlement {
    let done = Settlement::Delivered(Delivered { channel: item.destination.clone(), id: String::new() });
    let Some(silencing) = &item.posting.silencing else {
        return Settlement::Dead { cause: "the destination is one that silences alerts".to_owned() };
    };
    let (Silencing::Begin(asked) | Silencing::End(asked)) = silencing;
    if asked.until <= clock.now() {
        return match silencing {
            Silencing::Begin(_) => {
                Settlement::Dead { cause: "it was never silenced, and is over".to_owned() }
            }
            Silencing::End(_) => done,
        };
    }
    let call = async {
        match silencing {
            Silencing::Begin(silence) => silencer.silence(silence).await,
            Silencing::End(silence) => silencer.lift(silence).await,
        }
    };
    let cause = match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(())) => return done,
        Ok(Err(error)) if error.retry() == RetryClass::Never && matches!(silencing, Silencing::Begin(_)) => {
            return Settlement::Dead { cause: error.to_string() };
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(destination = %item.destination, dedup = %item.posting.dedup, %cause, "alerts are not as they should be");
    Settlement::Retry { after: wait_after(item.attempts).min(LONGEST_SILENT_WAIT), cause }
}

fn wait_after(attempts: u32) -> Period {
    let factor = 1_u64 << attempts.min(16);
    Period::from_millis(FIRST_WAIT.as_millis().saturating_mul(factor)).min(LONGEST_WAIT)
}
