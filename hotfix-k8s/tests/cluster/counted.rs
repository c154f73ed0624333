//! Somebody who counts the pods that serve a shop while a test changes how many there are.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Api;
use kube::api::ListParams;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pods::is_ready;
use super::site::Shop;

/// How long whoever counts rests between two looks. The API server has other tests to serve too.
const REST: Duration = Duration::from_millis(20);

/// The fewest pods that ever took traffic together, and the most that there ever were.
pub(crate) struct Counted {
    pub(crate) seen: watch::Receiver<(usize, usize)>,
    counting: JoinHandle<()>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counting.abort();
    }
}

/// Counts the ready pods that the shop's Service selects, and its pods that nobody ends, at every look. Kubernetes too goes
/// by the pods when it replaces them: what keeps the endpoints hears of each a little later.
pub(crate) fn count(shop: &Shop) -> Counted {
    let (tell, seen) = watch::channel((usize::MAX, 0));
    let services: Api<Service> = Api::namespaced(shop.client.clone(), &shop.namespace);
    let pods = shop.pod_api();
    let counting = tokio::spawn(async move {
        loop {
            if let Ok(Some((ready, there))) = look(&services, &pods).await {
                tell.send_modify(|(fewest, most)| {
                    (*fewest, *most) = ((*fewest).min(ready), (*most).max(there));
                });
            }
            tokio::time::sleep(REST).await;
        }
    });
    Counted { seen, counting }
}

async fn selector(services: &Api<Service>) -> kube::Result<Option<BTreeMap<String, String>>> {
    Ok(services.get("shop").await?.spec.and_then(|spec| spec.selector))
}

/// `None` when the Service was told to select others while the pods were read.
async fn look(services: &Api<Service>, pods: &Api<Pod>) -> kube::Result<Option<(usize, usize)>> {
    let selected = selector(services).await?;
    let pods = pods.list(&ListParams::default()).await?.items;
    if selector(services).await? != selected {
        return Ok(None);
    }
    let selected = selected.unwrap_or_default();
    let there = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let is_selected = |pod: &&Pod| {
        let labels = pod.metadata.labels.as_ref();
        selected.iter().all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
    };
    let ready = there.clone().filter(is_selected).filter(|pod| is_ready(pod)).count();
    Ok(Some((ready, there.count())))
}
