use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, BoxStream};
use http::{Request, Response, header};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout as within;
use tower::service_fn;

use super::*;
use crate::config::TargetConfig;
use crate::hub::{Follower, Hub};
use crate::slot::Side;

/// How an API server answers when it is asked for names and versions.
#[derive(Debug, Clone, Copy)]
enum Names {
    Told,
    Code(u16),
    Never,
}

/// An API server that tells nothing of what happens to the Deployments it has.
struct Server {
    version: u64,
    /// By name, with the number of pods and the version.
    deployments: BTreeMap<String, (u64, u64)>,
    names: Names,
    /// What was asked about Deployments.
    asked: Vec<&'static str>,
}

type Shared = Arc<Mutex<Server>>;

fn server(names: Names) -> (Hub, Shared) {
    let deployments = [("shop".to_owned(), (3, 5))].into();
    let server = Arc::new(Mutex::new(Server { version: 7, deployments, names, asked: Vec::new() }));
    let shared = Arc::clone(&server);
    let service = service_fn(move |request: Request<Body>| {
        let answer = lock(&shared).answer(&request);
        async move {
            let Some((code, frames)) = answer else { return future::pending().await };
            Response::builder().status(code).body(StreamBody::new(frames))
        }
    });
    (Hub::new(Client::new(service, "prod")), server)
}

type Frames = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

impl Server {
    fn answer(&mut self, request: &Request<Body>) -> Option<(u16, Frames)> {
        let is_ours = request.uri().path().ends_with("/deployments");
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let accept = request.headers().get(header::ACCEPT).map_or(b"" as &[u8], |accept| accept.as_bytes());
        let wants_names = accept.starts_with(b"application/json;as=PartialObjectMetadataList;");
        let asked = if is_watch {
            "watch"
        } else if wants_names {
            "names"
        } else {
            "list"
        };
        if is_ours {
            self.asked.push(asked);
        }
        let items = self.deployments.iter().filter(|_| is_ours).map(|(name, (replicas, version))| {
            let metadata = json!({"name": name, "resourceVersion": version.to_string()});
            if wants_names {
                json!({"metadata": metadata})
            } else {
                json!({"metadata": metadata, "spec": {"replicas": replicas}})
            }
        });
        let metadata = json!({"resourceVersion": self.version.to_string()});
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items.collect::<Vec<_>>()});
        match self.names {
            _ if is_watch => Some((200, Box::pin(stream::pending()))),
            Names::Code(code) if wants_names && is_ours => {
                let refused = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                    "reason": "Refused", "message": "no"});
                Some((code, whole(&refused)))
            }
            Names::Never if wants_names && is_ours => None,
            _ => Some((200, whole(&list))),
        }
    }

    fn change(&mut self, name: &str, replicas: Option<u64>) {
        self.version += 1;
        match replicas {
            Some(replicas) => self.deployments.insert(name.to_owned(), (replicas, self.version)),
            None => self.deployments.remove(name),
        };
    }
}

fn whole(value: &Value) -> Frames {
    let frame = Frame::data(Bytes::from(value.to_string()));
    Box::pin(stream::iter([Ok(frame)]))
}

fn follow(hub: &Hub, side: Side) -> Follower {
    let (namespace, deployment) = ("prod".to_owned(), "shop".to_owned());
    hub.follow(&TargetConfig { namespace, deployment, ..TargetConfig::default() }, side)
}

fn replicas(follower: &mut Follower) -> Option<u16> {
    follower.seen().deployment.map(|deployment| deployment.replicas)
}

fn count(server: &Shared, what: &str) -> usize {
    lock(server).asked.iter().filter(|asked| **asked == what).count()
}

#[tokio::test(start_paused = true)]
async fn at_rest_only_names_and_versions_are_asked_for() {
    let (hub, server) = server(Names::Told);
    let mut follower = follow(&hub, Side::Main);
    follower.listed().await;
    follower.seen();
    assert!(within(Duration::from_secs(605), follower.next()).await.is_err(), "nothing happens");
    assert_eq!(follower.broken(), None);
    assert_eq!((count(&server, "list"), count(&server, "names")), (1, 20));
    // A silent one is left after half a minute.
    assert_eq!(count(&server, "watch"), 21);
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_does_not_tell_is_known_after_half_a_minute() {
    let cases = [
        (Side::Main, "shop", Some(4), Some(4)),
        (Side::Main, "shop", None, None),
        (Side::Hotfix, "shop-hotfix", Some(2), Some(2)),
    ];
    for (side, name, change, expected) in cases {
        let (hub, server) = server(Names::Told);
        let (mut follower, start) = (follow(&hub, side), Instant::now());
        follower.listed().await;
        sleep_until(start + Duration::from_secs(10)).await;
        lock(&server).change(name, change);
        follower.seen();
        assert!(within(Duration::from_secs(50), follower.next()).await.is_ok(), "nobody hears of it");
        assert_eq!((replicas(&mut follower), start.elapsed().as_secs()), (expected, 30), "{name} {change:?}");
        assert_eq!((count(&server, "list"), count(&server, "names")), (2, 1));
        assert_eq!(follower.broken(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn where_names_cannot_be_had_everything_is_listed() {
    for (names, expected) in [(Names::Code(406), 30), (Names::Code(500), 30), (Names::Never, 40)] {
        let (hub, server) = server(names);
        let (mut follower, start) = (follow(&hub, Side::Main), Instant::now());
        follower.listed().await;
        lock(&server).change("shop", Some(4));
        follower.seen();
        assert!(within(Duration::from_secs(50), follower.next()).await.is_ok(), "nobody hears of it");
        assert_eq!((replicas(&mut follower), start.elapsed().as_secs()), (Some(4), expected), "{names:?}");
        assert!(within(Duration::from_secs(605), follower.next()).await.is_err(), "{names:?}");
        assert_eq!(follower.broken(), None, "{names:?}");
    }
}
