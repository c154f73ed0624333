//! The real Prometheus on pods that come and go.

use std::time::Duration;

use hotfix_testkit::cluster::{Behaviour, DemoPod};
use hotfix_testkit::monitoring::{PrometheusOptions, RealPrometheus};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::shop::Shop;

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a query has that many series, and returns them.
async fn series(prometheus: &RealPrometheus, query: &str, count: usize) -> Vec<Value> {
    let page = DemoPod::at(prometheus.address());
    let asking = async {
        loop {
            if let Ok((200, body)) = page.get(&format!("/api/v1/query?query={query}")).await {
                let answer: Value = serde_json::from_slice(&body).unwrap();
                let series = answer["data"]["result"].as_array().unwrap();
                if series.len() == count {
                    return series.clone();
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{count} series of {query}"))
}

#[tokio::test]
async fn pods_are_scraped_while_they_are_there() {
    let shop = Shop::open().await;
    let prometheus = RealPrometheus::start(&PrometheusOptions::default()).await.unwrap();
    let scrape = shop.cluster.scrape_pods(&shop.namespace, &prometheus);
    shop.deploy(&Behaviour::default()).await;
    let found = series(&prometheus, "http_requests_total", 1).await;
    let labels = &found[0]["metric"];
    assert_eq!((&labels["app"], &labels["code"]), (&json!("shop"), &json!("200")));
    assert_eq!(labels["namespace"], shop.namespace.name());

    let deployments: Api<Deployment> = Api::namespaced(shop.client.clone(), &shop.namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    deployments.patch("shop", &PatchParams::default(), &none).await.unwrap();
    series(&prometheus, "http_requests_total", 0).await;
    drop(scrape);
}
