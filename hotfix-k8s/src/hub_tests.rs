use std::collections::HashMap;
use std::future;

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tokio::time::Instant;
use tower::service_fn;

use super::*;
use crate::config::WorkloadKind;

/// How an API server answers about a kind.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// There is none of it, and there comes none.
    Empty,
    Code(u16),
    Never,
}

/// The requests to an API server, by their resource, with the second.
type Asked = Arc<Mutex<Vec<(String, u64)>>>;

/// A hub of an API server that answers so about each resource.
fn hub(answers: &[(&'static str, Answers)]) -> (Hub, Asked) {
    let (answers, start): (HashMap<_, _>, _) = (answers.iter().copied().collect(), Instant::now());
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let server = service_fn(move |request: Request<Body>| {
        let resource = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch="));
        let answer = answers[&*resource];
        lock(&log).push((resource, start.elapsed().as_secs()));
        async move {
            let code = match answer {
                Answers::Empty if !is_watch => 200,
                Answers::Code(code) => code,
                Answers::Empty | Answers::Never => future::pending().await,
            };
            let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": []});
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                "reason": "Refused", "message": format!("no ({code})")});
            let body = if code == 200 { list } else { status };
            Response::builder().status(code).body(Body::from(body.to_string().into_bytes()))
        }
    });
    (Hub::new(Client::new(server, "prod")), asked)
}

fn shop(workload: WorkloadKind) -> TargetConfig {
    let (namespace, deployment) = ("prod".to_owned(), "shop".to_owned());
    TargetConfig { namespace, deployment, workload, ..TargetConfig::default() }
}

fn count(asked: &Asked, resource: &str) -> usize {
    lock(asked).iter().filter(|(found, _)| found == resource).count()
}

#[tokio::test(start_paused = true)]
async fn lists_that_all_fail_are_waited_out_for_half_a_minute() {
    for answers in [Answers::Code(500), Answers::Code(429)] {
        let (hub, _) = hub(&[("deployments", answers), ("pods", Answers::Empty)]);
        let (mut follower, start) = (hub.follow(&shop(WorkloadKind::Deployment), Side::Main), Instant::now());
        follower.listed().await;
        assert!(follower.broken().unwrap().contains("no ("), "{:?}", follower.broken());
        assert_eq!(start.elapsed().as_secs(), 30, "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_waited_out_for_a_minute() {
    let (hub, asked) = hub(&[("deployments", Answers::Never), ("pods", Answers::Empty)]);
    let (mut follower, start) = (hub.follow(&shop(WorkloadKind::Deployment), Side::Main), Instant::now());
    follower.listed().await;
    assert_eq!(follower.broken().as_deref(), Some("the API server has said nothing for 60 s"));
    assert_eq!((start.elapsed().as_secs(), count(&asked, "deployments")), (60, 2));
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_news_goes_on() {
    let (hub, _) = hub(&[("deployments", Answers::Empty), ("pods", Answers::Empty)]);
    let mut follower = hub.follow(&shop(WorkloadKind::Deployment), Side::Main);
    follower.listed().await;
    assert!(timeout(Duration::from_secs(600), follower.next()).await.is_err(), "nothing happens");
    assert_eq!(follower.broken(), None);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_read_leaves_the_others_alone() {
    let kinds =
        [("deployments", Answers::Empty), ("pods", Answers::Empty), ("statefulsets", Answers::Code(403))];
    let (hub, asked) = hub(&kinds);
    let mut well = hub.follow(&shop(WorkloadKind::Deployment), Side::Main);
    well.listed().await;
    let start = Instant::now();
    let mut tries = Vec::new();
    for _ in 0..7 {
        let mut forbidden = hub.follow(&shop(WorkloadKind::StatefulSet), Side::Main);
        forbidden.listed().await;
        assert!(forbidden.broken().unwrap().contains("no (403)"), "{:?}", forbidden.broken());
        tries.push(start.elapsed().as_millis());
    }
    assert_eq!(tries, [0, 200, 600, 1400, 3000, 6200, 11_200]);
    assert_eq!(well.broken(), None);
    assert!(timeout(Duration::from_secs(1), well.next()).await.is_err(), "nothing happens to it");
    // One list and one watch of each.
    assert_eq!((count(&asked, "deployments"), count(&asked, "pods")), (2, 2));
}
