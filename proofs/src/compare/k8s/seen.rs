//! An object as the API server tells of it, followed by somebody who takes no part.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use hotfix_benches::Failure;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use kube::core::DynamicObject;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long anything here may take.
pub(super) const LONG: Duration = Duration::from_secs(120);

/// Every value of one object from now on. Dropping it ends the watch.
#[derive(Debug)]
pub(super) struct Seen {
    values: UnboundedReceiver<Value>,
    _watch: JoinSet<()>,
}

impl Seen {
    pub(super) fn follow(api: Api<DynamicObject>, name: &str) -> Self {
        let (sender, values) = unbounded_channel();
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let mut watch = JoinSet::new();
        watch.spawn(async move { while follow(&api, &params, &sender).await.is_ok() {} });
        Self { values, _watch: watch }
    }

    /// Waits for a value of which something is true.
    pub(super) async fn until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<(), Failure> {
        let found = async {
            while let Some(value) = self.values.recv().await {
                if is_so(&value) {
                    return true;
                }
            }
            false
        };
        match timeout(LONG, found).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(format!("the watch ended before this was seen: {what}"))),
            Err(_) => Err(Failure::new(format!("not seen within {LONG:?}: {what}"))),
        }
    }
}

/// Follows until the server ends the watch.
async fn follow(
    api: &Api<DynamicObject>,
    params: &WatchParams,
    values: &UnboundedSender<Value>,
) -> Result<(), Failure> {
    let mut events = api.watch(params, "0").await?.boxed();
    while let Some(event) = events.try_next().await? {
        if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
            values.send(serde_json::to_value(object)?)?;
        }
    }
    Ok(())
}
