//! Requests without a pause to the endpoints of the shop's Service, as a kube-proxy would send them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use hotfix_testkit::cluster::{DemoPod, reach};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::site::{Shop, until};

/// Ends with the test.
pub(crate) struct Traffic {
    log: Arc<Mutex<Log>>,
    watching: JoinHandle<()>,
    sending: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Log {
    answered: usize,
    failed: Vec<String>,
    last: String,
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.watching.abort();
        self.sending.abort();
    }
}

impl Traffic {
    pub(crate) fn start(shop: &Shop) -> Self {
        let slices: Api<EndpointSlice> = Api::namespaced(shop.client.clone(), &shop.namespace);
        let (known, endpoints) = watch::channel(Vec::new());
        let watching = tokio::spawn(async move {
            let config = watcher::Config::default().labels("kubernetes.io/service-name=shop");
            let mut slices = std::pin::pin!(watcher(slices, config).applied_objects());
            while let Some(Ok(slice)) = slices.next().await {
                known.send_replace(ready(&slice));
            }
        });
        let (log, (stop, stopped)) = (Arc::new(Mutex::new(Log::default())), watch::channel(false));
        let sending = tokio::spawn(send(endpoints, Arc::clone(&log), stopped));
        Self { log, watching, sending, stop }
    }

    /// Waits until a version answers, and no other any more.
    pub(crate) async fn reaches(&self, version: &str) {
        until("a version answers", || async { self.log.lock().expect("a log").last == version }).await;
    }

    /// Ends the requests and returns how many were answered, and what became of the others.
    pub(crate) async fn stop(mut self) -> (usize, Vec<String>) {
        self.stop.send_replace(true);
        (&mut self.sending).await.expect("no request panics");
        let log = std::mem::take(&mut *self.log.lock().expect("a log"));
        (log.answered, log.failed)
    }
}

fn ready(slice: &EndpointSlice) -> Vec<DemoPod> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(8080);
    let endpoints = slice.endpoints.iter().flatten();
    let ready = endpoints.filter(|endpoint| {
        endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true))
    });
    let addresses: BTreeSet<String> = ready.flat_map(|endpoint| endpoint.addresses.clone()).collect();
    let pods = addresses.iter().filter_map(|address| address.parse().ok());
    pods.map(|address| DemoPod::at(reach(address, port))).collect()
}

async fn send(
    mut endpoints: watch::Receiver<Vec<DemoPod>>,
    log: Arc<Mutex<Log>>,
    stopped: watch::Receiver<bool>,
) {
    let _listed = endpoints.wait_for(|pods| !pods.is_empty()).await.is_ok();
    let mut turn = 0;
    while !*stopped.borrow() {
        let pods = endpoints.borrow().clone();
        turn += 1;
        let outcome = match pods.get(turn % pods.len().max(1)) {
            Some(pod) => {
                pod.identity().await.map(|identity| identity.version).map_err(|error| error.to_string())
            }
            None => Err("no endpoint".to_owned()),
        };
        {
            let mut log = log.lock().expect("a log");
            match outcome {
                Ok(version) => {
                    log.answered += 1;
                    log.last = version;
                }
                Err(error) => log.failed.push(error),
            }
        }
        tokio::task::yield_now().await;
    }
}
