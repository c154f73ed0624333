//! A client whose requests take their turn in a lane, for what kube asks by itself: the lists and watches of the hub.

use std::sync::Arc;

use hotfix_core::model::Period;
use http::StatusCode;
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use crate::api::{REST, retry_after};
use crate::lanes::{Lane, Lanes};

/// Returns a client that sends through another one, each request when the lane has room for it. A watch takes one turn,
/// when it is opened.
pub(crate) fn in_turn(client: Client, lanes: Arc<Lanes>, lane: Lane) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: http::Request<Body>| {
        let (client, lanes) = (client.clone(), Arc::clone(&lanes));
        async move {
            lanes.pass(lane).await;
            let answer = client.send(request).await?;
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
    use std::time::Duration;

    use http::Response;
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use kube::api::ListParams;
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
}
