//! Keeps a [`World`] as the API server has it, and says on HTTPRoutes that they are in force.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::world::{Kind, World, elements};

/// How long a watch that ended rests before it begins again.
const REST: Duration = Duration::from_millis(100);

/// Who the gateway says it is.
const CONTROLLER: &str = "hotfix.dev/test-gateway";

/// What is known: the objects, and of which kinds all of them were seen.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) world: Arc<World>,
    pub(super) complete: Vec<Kind>,
}

impl Known {
    pub(super) fn nothing(namespace: &str) -> Self {
        Self { world: Arc::new(World::of(namespace)), complete: Vec::new() }
    }

    fn change(&mut self, change: impl FnOnce(&mut World)) {
        change(Arc::make_mut(&mut self.world));
    }

    fn completed(&mut self, kind: Kind) {
        if !self.complete.contains(&kind) {
            self.complete.push(kind);
        }
    }
}

/// Follows one kind of object for ever.
pub(super) async fn follow(client: Client, namespace: String, kind: Kind, known: watch::Sender<Known>) {
    let api = api(client, &namespace, kind);
    let mut events = std::pin::pin!(watcher::watcher(api.clone(), watcher::Config::default()));
    let mut listed = Vec::new();
    while let Some(event) = events.next().await {
        match event.map(event_of) {
            Ok(Change::Put(object)) => {
                known.send_modify(|known| known.change(|world| world.put(kind, object.clone())));
                in_force(&api, kind, &object).await;
            }
            Ok(Change::Gone(name)) => {
                known.send_modify(|known| known.change(|world| world.remove(kind, &name)));
            }
            Ok(Change::ListBegins) => listed.clear(),
            Ok(Change::Listed(object)) => listed.push(object),
            Ok(Change::ListEnds) => {
                let objects = std::mem::take(&mut listed);
                known.send_modify(|known| {
                    known.change(|world| world.replace(kind, objects.clone()));
                    known.completed(kind);
                });
                for object in &objects {
                    in_force(&api, kind, object).await;
                }
            }
            Err(error) => {
                if is_unknown_to_the_server(&error) {
                    known.send_modify(|known| known.completed(kind));
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Waits until every kind was listed, or is one that the server does not have.
pub(super) async fn complete(known: &mut watch::Receiver<Known>) -> io::Result<()> {
    let all = |known: &Known| known.complete.len() == Kind::ALL.len();
    known.wait_for(all).await.map(|_| ()).map_err(io::Error::other)
}

enum Change {
    Put(Value),
    Gone(String),
    ListBegins,
    Listed(Value),
    ListEnds,
}

fn event_of(event: Event<DynamicObject>) -> Change {
    let json = |object| serde_json::to_value(object).unwrap_or_default();
    match event {
        Event::Apply(object) => Change::Put(json(object)),
        Event::Delete(object) => Change::Gone(object.metadata.name.unwrap_or_default()),
        Event::Init => Change::ListBegins,
        Event::InitApply(object) => Change::Listed(json(object)),
        Event::InitDone => Change::ListEnds,
    }
}

fn is_unknown_to_the_server(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

fn api(client: Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let [group, version, kind, plural] = kind.resource();
    let kind = GroupVersionKind::gvk(group, version, kind);
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk_with_plural(&kind, plural))
}

/// Says in the status of an HTTPRoute, for each of its parents, that this generation is in force. Done after the
/// world has it; said again when somebody changes the route.
async fn in_force(api: &Api<DynamicObject>, kind: Kind, object: &Value) {
    let metadata = &object["metadata"];
    let generation = &metadata["generation"];
    let said = elements(&object["status"]["parents"]).iter().any(|parent| {
        parent["controllerName"] == CONTROLLER
            && elements(&parent["conditions"]).iter().all(|said| said["observedGeneration"] == *generation)
    });
    let (Kind::HttpRoute, false, Some(name)) = (kind, said, metadata["name"].as_str()) else {
        return;
    };
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation,
            "lastTransitionTime": metadata["creationTimestamp"],
        })
    };
    let parent = |parent: &Value| {
        json!({
            "parentRef": parent, "controllerName": CONTROLLER,
            "conditions": [condition("Accepted"), condition("ResolvedRefs")],
        })
    };
    let parents: Vec<Value> = elements(&object["spec"]["parentRefs"]).iter().map(parent).collect();
    let status = json!({"status": {"parents": parents}});
    // What fails here is said with the next change; a test that waits for it says that it waits in vain.
    let _said = api.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await;
}
