//! A client whose requests take their turn in a lane, for what kube asks by itself: the lists and watches of the hub.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::Period;
use http::StatusCode;
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;
use tower::service_fn;

use crate::api::{REST, retry_after};
use crate::lanes::{Lane, Lanes};

/// How long a watch may take to be opened. A server answers at once that it is, whenever something happens; kube waits for
/// that without end.
const OPENING: Duration = Duration::from_secs(30);

/// Returns a client that sends through another one, each request when the lane has room for it. A watch takes one turn,
/// when it is opened.
pub(crate) fn in_turn(client: Client, lanes: Arc<Lanes>, lane: Lane) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: http::Request<Body>| {
        let (client, lanes) = (client.clone(), Arc::clone(&lanes));
        async move {
            lanes.pass(lane).await;
            let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            let answer = client.send(request);
            let answer = if is_watch {
                timeout(OPENING, answer).await.map_err(|late| kube::Error::Service(late.into()))??
            } else {
                answer.await?
            };
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                lanes.busy(lane, retry_after(answer.headers()).map_or(REST, Period::to_duration));
            }
            Ok::<_, kube::Error>(answer)
        }
    });
    Client::new(service, namespace)
}

#[cfg(test)]
mod tests {
    use std::future;

    use http::Response;
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use kube::api::{ListParams, WatchParams};
    use tokio::time::Instant;

    use super::*;
    use crate::config::RequestLimits;

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_too_much_rests_those_who_look_and_nobody_else() {
        let busy = service_fn(|_: http::Request<Body>| async {
            let answer = Response::builder().status(429).header("retry-after", "30");
            answer.body(Body::empty())
        });
        let lanes = Arc::new(Lanes::new(RequestLimits::default()));
        let client = in_turn(Client::new(busy, "prod"), Arc::clone(&lanes), Lane::Observe);
        let pods: Api<Pod> = Api::default_namespaced(client);
        let (start, all) = (Instant::now(), ListParams::default());

        let refused = pods.list(&all).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 429), "{refused}");
        for lane in [Lane::Undo, Lane::Seal, Lane::Wait, Lane::Forward] {
            lanes.pass(lane).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        pods.list(&all).await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_never_opened_is_given_up_and_a_list_is_waited_for() {
        let silent =
            service_fn(|_: http::Request<Body>| future::pending::<Result<Response<Body>, kube::Error>>());
        let lanes = Arc::new(Lanes::new(RequestLimits::default()));
        let pods: Api<Pod> =
            Api::default_namespaced(in_turn(Client::new(silent, "prod"), lanes, Lane::Observe));
        let start = Instant::now();
        let watch = timeout(OPENING * 2, pods.watch(&WatchParams::default(), "7")).await.unwrap().map(drop);
        assert!(
            matches!(&watch, Err(kube::Error::Service(late)) if late.is::<tokio::time::error::Elapsed>()),
            "{watch:?}"
        );
        assert_eq!(start.elapsed(), OPENING);
        assert!(timeout(OPENING * 4, pods.list(&ListParams::default())).await.is_err());
    }
}
