//! The patches of every backend mean on a real API server, with the real definitions, what they mean in the tables.

use hotfix_testkit::cluster::{Gateway, TestCluster, TestNamespace};
use json_patch::PatchOperation;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::destinations::{Recipients, Service};
use super::http_route::{HttpRoute, Rules};
use super::ingress::CanaryIngress;
use super::patched::{hotfix, patched, slot, slots};
use super::virtual_service::{Routes, VirtualService};
use super::{Objections, Route, Uptake};
use crate::config::Testers;

/// A namespace with the kinds of Istio and of the Gateway API.
struct Server {
    cluster: &'static TestCluster,
    namespace: TestNamespace,
}

impl Server {
    async fn open() -> Self {
        let cluster = TestCluster::shared().await.unwrap();
        cluster.install_istio().await.unwrap();
        cluster.install_gateway_api().await.unwrap();
        Self { cluster, namespace: cluster.namespace("traffic").await.unwrap() }
    }

    fn objects(&self, route: &dyn Route) -> Api<DynamicObject> {
        let object = route.object();
        let (group, version) = object.api_version.split_once('/').unwrap();
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, object.kind));
        Api::namespaced_with(self.cluster.client().unwrap(), &self.namespace, &kind)
    }

    /// Creates the object of a route, with all that the server makes of it.
    async fn create(&self, route: &dyn Route, mut object: Value) -> Value {
        let named = route.object();
        object["apiVersion"] = json!(named.api_version);
        object["kind"] = json!(named.kind);
        object["metadata"]["name"] = json!(named.name);
        let apply = PatchParams::apply("operator").force();
        let created = self.objects(route).patch(&named.name, &apply, &Patch::Apply(&object)).await.unwrap();
        serde_json::to_value(created).unwrap()
    }

    /// Sends a patch; the error is the status code.
    async fn send(&self, route: &dyn Route, patch: &[PatchOperation]) -> Result<Value, u16> {
        let patch: Patch<()> = Patch::Json(json_patch::Patch(patch.to_vec()));
        let sent = self.objects(route).patch(&route.object().name, &PatchParams::default(), &patch).await;
        sent.map(|object| serde_json::to_value(object).unwrap()).map_err(|error| match error {
            kube::Error::Api(status) => status.code,
            other => panic!("{other}"),
        })
    }

    /// Walks the weights up and back and returns the object at the end. At every step the server's object is the one
    /// that the patch makes of the object that was read, and the patch cannot be applied again.
    async fn walk(&self, route: &dyn Route, object: Value) -> Value {
        let mut now = object;
        for percent in [0, 5, 50, 100, 0] {
            let patch = route.write(&now, &hotfix(percent)).unwrap();
            let after = self.send(route, &patch).await.unwrap();
            assert_eq!(after["spec"], patched(&now, &patch)["spec"]);
            assert_eq!(route.read(&after), Ok(hotfix(percent)));
            if !patch.is_empty() {
                assert_eq!(self.send(route, &patch).await, Err(422));
            }
            now = after;
        }
        now
    }

    fn virtual_service(&self, name: &str, destinations: Recipients) -> VirtualService {
        VirtualService {
            namespace: self.namespace.name().to_owned(),
            name: name.to_owned(),
            slots: slots(),
            destinations,
            routes: Routes::Every,
            testers: None,
        }
    }

    fn service(&self, name: &str) -> Service {
        Service { namespace: self.namespace.name().to_owned(), name: name.to_owned() }
    }
}

/// Routes with much that is not ours.
fn rich(namespace: &str) -> Value {
    let pair = json!([
        {"destination": {"host": "shop", "port": {"number": 80}}, "weight": 100},
        {"destination": {"host": format!("shop-hotfix.{namespace}.svc.cluster.local")}, "headers": {"request": {"set": {"a": "b"}}}},
    ]);
    json!({"spec": {"hosts": ["shop"], "http": [
        {"name": "docs", "match": [{"uri": {"prefix": "/docs"}}], "redirect": {"uri": "/"}},
        {"name": "api", "match": [{"uri": {"prefix": "/api"}}], "timeout": "3s", "rewrite": {"uri": "/"}, "route": pair},
        {"route": pair, "retries": {"attempts": 2}, "corsPolicy": {"allowOrigins": [{"exact": "*"}]}},
    ]}})
}

#[tokio::test]
async fn a_virtual_service_is_walked_up_and_back() {
    let server = Server::open().await;
    let (main, hotfix) = (server.service("shop"), server.service("shop-hotfix"));
    let hosts = server.virtual_service("hosts", Recipients::Hosts { main, hotfix });
    let created = server.create(&hosts, rich(&server.namespace)).await;
    let walked = server.walk(&hosts, created).await;

    let testers = Testers::new("x-hotfix", "1").unwrap();
    let opening = hosts.open_to_testers(&walked, &testers, &slot("hotfix")).unwrap();
    let open = server.send(&hosts, &opening).await.unwrap();
    assert_eq!(open["spec"], patched(&walked, &opening)["spec"]);
    assert_eq!(hosts.open_to_testers(&open, &testers, &slot("hotfix")), Ok(Vec::new()));
    let walked_open = server.walk(&hosts, open).await;
    let closed = server.send(&hosts, &hosts.close_to_testers(&walked_open).unwrap()).await.unwrap();
    assert_eq!(closed["spec"], walked["spec"]);

    let (main, hotfix) = ("a".to_owned(), "b".to_owned());
    let subsets =
        server.virtual_service("subsets", Recipients::Subsets { of: server.service("shop"), main, hotfix });
    let to = |subset: &str| json!({"destination": {"host": "shop", "subset": subset}, "weight": 1});
    let object = json!({"spec": {"hosts": ["shop"], "http": [{"route": [to("a"), to("b")]}]}});
    let created = server.create(&subsets, object).await;
    server.walk(&subsets, created).await;
}

/// A foreign edit of the list between reading and writing is met by a refusal; an edit of the metadata is not.
#[tokio::test]
async fn a_patch_meets_the_list_that_was_read_or_none() {
    let server = Server::open().await;
    let (main, canary) = (server.service("shop"), server.service("shop-hotfix"));
    let route = server.virtual_service("shop", Recipients::Hosts { main, hotfix: canary });
    let read = server.create(&route, rich(&server.namespace)).await;
    let patch = route.write(&read, &hotfix(10)).unwrap();
    let annotate =
        json!([{"op": "add", "path": "/metadata/annotations", "value": {"hotfix.dev/fence": "1"}}]);
    let insert = json!([{"op": "add", "path": "/spec/http/0", "value": read["spec"]["http"][2]}]);
    let [annotate, insert] =
        [annotate, insert].map(|patch| serde_json::from_value::<json_patch::Patch>(patch).unwrap());
    server.send(&route, &annotate).await.unwrap();
    server.send(&route, &insert).await.unwrap();
    assert_eq!(server.send(&route, &patch).await, Err(422));

    let read = server.create(&route, rich(&server.namespace)).await;
    let patch = route.write(&read, &hotfix(10)).unwrap();
    let annotate =
        json!([{"op": "replace", "path": "/metadata/annotations/hotfix.dev~1fence", "value": "2"}]);
    server.send(&route, &serde_json::from_value::<json_patch::Patch>(annotate).unwrap()).await.unwrap();
    assert_eq!(route.read(&server.send(&route, &patch).await.unwrap()), Ok(hotfix(10)));
}

#[tokio::test]
async fn an_http_route_is_in_force_when_its_gateway_says_so() {
    let server = Server::open().await;
    let route = HttpRoute {
        namespace: server.namespace.name().to_owned(),
        name: "shop".to_owned(),
        slots: slots(),
        services: server.namespace.name().to_owned(),
        main: "shop".to_owned(),
        hotfix: "shop-hotfix".to_owned(),
        rules: Rules::Every,
        testers: None,
    };
    let filter = json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}]);
    let object = json!({"spec": {"parentRefs": [{"name": "edge"}], "rules": [{
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": filter,
        "backendRefs": [
            {"name": "shop", "port": 80},
            {"name": "shop-hotfix", "port": 80, "weight": 0, "filters": filter},
        ],
    }]}});
    let created = server.create(&route, object).await;
    let walked = server.walk(&route, created).await;
    assert_eq!(route.uptake(&walked, &Objections::default()), Uptake::Pending);

    let client = server.cluster.client().unwrap();
    let _gateway = Gateway::start(client, &server.namespace).await.unwrap();
    let objects = server.objects(&route);
    let in_force = await_condition(objects, "shop", |found: Option<&DynamicObject>| {
        found.is_some_and(|found| {
            route.uptake(&serde_json::to_value(found).unwrap(), &Objections::default()) == Uptake::InForce
        })
    });
    tokio::time::timeout(std::time::Duration::from_secs(20), in_force).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_canary_ingress_is_walked_up_and_back() {
    let server = Server::open().await;
    let route = CanaryIngress {
        namespace: server.namespace.name().to_owned(),
        name: "shop-hotfix".to_owned(),
        slots: slots(),
        hotfix: "shop-hotfix".to_owned(),
    };
    let object = json!({
        "metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}},
        "spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [{
            "path": "/", "pathType": "Prefix", "backend": {"service": {"name": "shop-hotfix", "port": {"number": 80}}},
        }]}}]},
    });
    let created = server.create(&route, object).await;
    let walked = server.walk(&route, created).await;
    assert_eq!(walked["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"], "0");
}
