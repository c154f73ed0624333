//! Requests on their way to an API server, told apart by the stamp that they bring.

use std::time::Duration;

use hotfix_testkit::cluster::{Disturbance, FaultProxy};
use hotfix_testkit::http::Recorded;
use serde_json::Value;
use tokio::time::timeout;

use super::program::Running;
use super::world::{LONG, Request};

/// How often somebody who waits for a request looks whether it can still come.
const LOOK: Duration = Duration::from_millis(50);

/// Disturbs one request, and no other.
pub(super) fn disturb(proxy: &FaultProxy, request: &Request, disturbance: Disturbance) {
    let wanted = request.clone();
    proxy.next(move |recorded| is_it(recorded, &wanted), disturbance);
}

fn is_it(recorded: &Recorded, wanted: &Request) -> bool {
    recorded.method == "PATCH"
        && recorded.path.ends_with(&format!("/{}", wanted.object))
        && serde_json::from_slice(&recorded.body).ok().and_then(|patch| brought(&patch))
            == Some(wanted.stamp.clone())
}

/// Returns the stamp that a patch puts into the fence of an object.
fn brought(patch: &Value) -> Option<String> {
    let operations = patch.as_array()?.iter();
    let mut fences = operations.filter(|operation| {
        operation["path"] == "/metadata/annotations/hotfix.dev~1fence" && operation["op"] != "test"
    });
    let fence: Value = serde_json::from_str(fences.next()?["value"].as_str()?).ok()?;
    Some(fence["stamp"].as_str()?.to_owned())
}

/// Waits until a request is held that a driver sent.
pub(super) async fn until_held(proxy: &FaultProxy, driver: &mut Running) -> Result<(), String> {
    let waiting = async {
        while timeout(LOOK, proxy.held(1)).await.is_err() {
            if let Some(status) = driver.ended() {
                return Err(format!("the driver ended before it sent the request: {status}"));
            }
        }
        Ok(())
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| Err("the request was never sent".to_owned()))
}
