//! Pods as targets of the real Prometheus, for as long as they are there.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Config, ResourceExt};
use tokio::task::AbortHandle;

use super::pod::DemoPod;
use crate::monitoring::{Discovered, ScrapeTarget};

/// Keeps a Prometheus told of the pods of a namespace, until it is dropped.
#[derive(Debug)]
pub struct PodScrape {
    task: AbortHandle,
    discovered: Discovered,
}

impl PodScrape {
    pub(super) fn start(
        config: Config,
        namespace: String,
        discovered: Discovered,
        worker: &tokio::runtime::Handle,
    ) -> Self {
        let told = discovered.clone();
        let task = worker.spawn(async move {
            if let Ok(client) = Client::try_from(config) {
                follow(Api::namespaced(client, &namespace), &told).await;
            }
        });
        Self { task: task.abort_handle(), discovered }
    }
}

impl Drop for PodScrape {
    fn drop(&mut self) {
        self.task.abort();
        // It fails only when the Prometheus is gone, and then it scrapes nobody.
        let _gone = self.discovered.replace(&[]);
    }
}

async fn follow(pods: Api<Pod>, discovered: &Discovered) {
    let mut events = pin!(watcher::watcher(pods, watcher::Config::default()).default_backoff());
    let mut targets = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => targets.clear(),
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                if let Some(target) = target(&pod) {
                    targets.insert(pod.name_any(), target);
                }
            }
            Ok(Event::Delete(pod)) => {
                targets.remove(&pod.name_any());
            }
            Ok(Event::InitDone) => {}
            // The watch goes on by itself, after a while.
            Err(_) => continue,
        }
        let all: Vec<ScrapeTarget> = targets.values().cloned().collect();
        // It fails only when the Prometheus is gone, and then nobody asks.
        let _gone = discovered.replace(&all);
    }
}

/// Returns the page of a pod with the labels that a scrape of pods usually gives: its namespace, its name, and its own
/// labels with what Prometheus does not take replaced by underscores.
fn target(pod: &Pod) -> Option<ScrapeTarget> {
    let address = DemoPod::of(pod)?.address();
    let own = pod.labels().iter().map(|(name, value)| (label(name), value.clone()));
    let mut labels: BTreeMap<String, String> = own.collect();
    labels.insert("namespace".to_owned(), pod.namespace().unwrap_or_default());
    labels.insert("pod".to_owned(), pod.name_any());
    Some(ScrapeTarget { address, path: "/metrics".to_owned(), labels })
}

fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
