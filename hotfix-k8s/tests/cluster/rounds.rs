//! What a controller does over and over again, until the test is over.

use std::time::Duration;

use tokio::task::AbortHandle;

/// How long it rests between two. The API server has other tests to serve too.
const REST: Duration = Duration::from_millis(100);

/// A controller that goes by what it reads.
pub(crate) trait Rounds: Send + Sync + 'static {
    /// Looks, and does what is to be done; `None` when the namespace is gone, as it is at the end of a test.
    fn round(&self) -> impl Future<Output = Option<()>> + Send;
}

/// A controller at work. It ends when this is dropped.
pub(crate) struct AtWork(AbortHandle);

impl AtWork {
    pub(crate) fn begin(controller: impl Rounds) -> Self {
        let work = async move {
            while controller.round().await.is_some() {
                tokio::time::sleep(REST).await;
            }
        };
        Self(tokio::spawn(work).abort_handle())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.abort();
    }
}
