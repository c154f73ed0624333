use serde_json::json;

use super::*;

fn world(objects: &[(Kind, Value)]) -> World {
    let mut world = World::of("prod");
    objects.iter().for_each(|(kind, object)| world.put(*kind, object.clone()));
    world
}

/// Where a request to `host` and `path` goes, as `name:port=weight`.
fn routed(world: &World, host: &str, path: &str, headers: &[(&str, &str)]) -> Vec<String> {
    let ask = Ask { host, method: "GET", path, headers: headers.to_vec() };
    let shown = |backend: &Backend| format!("{}:{}={}", backend.name(), backend.port, backend.weight);
    backends(world, &ask).iter().map(shown).collect()
}

#[test]
fn the_first_route_of_a_virtual_service_that_fits_decides() {
    let to = |host: &str, weight: Value| json!({"destination": {"host": host, "port": {"number": 80}}, "weight": weight});
    let subset = json!({"destination": {"host": "shop", "subset": "v1"}});
    let object = json!({"metadata": {"name": "shop"}, "spec": {"hosts": ["shop", "*.example.com"], "http": [
        {"match": [{"headers": {"x-hotfix": {"exact": "1"}}, "uri": {"prefix": "/api"}}], "route": [to("shop-hotfix", json!(null))]},
        {"match": [{"uri": {"exact": "/sub"}, "withoutHeaders": {"x-old": {}}}], "route": [subset]},
        {"route": [to("shop.prod.svc.cluster.local", json!(90)), to("shop-hotfix", json!(10)), to("legacy", json!(null))]},
    ]}});
    let world = world(&[(Kind::VirtualService, object)]);
    let split = ["shop:80=90", "shop-hotfix:80=10"];
    assert_eq!(routed(&world, "shop", "/", &[]), split);
    assert_eq!(routed(&world, "shop.prod:8080", "/api", &[]), split);
    assert_eq!(routed(&world, "web.example.com", "/api/x", &[("x-hotfix", "1")]), ["shop-hotfix:80=100"]);
    assert_eq!(routed(&world, "shop", "/", &[("x-hotfix", "1")]), split);
    assert_eq!(routed(&world, "shop", "/sub", &[]), ["shop/v1:null=100"]);
    assert_eq!(routed(&world, "shop", "/sub", &[("x-old", "1")]), split);
    assert_eq!(routed(&world, "other", "/", &[]), ["other:null=1"]);
}

#[test]
fn the_most_specific_rule_of_an_http_route_decides() {
    let to = |name: &str, weight: u64| json!({"name": name, "port": 80, "weight": weight});
    let path = |value: &str| json!([{"path": {"type": "PathPrefix", "value": value}}]);
    let header = json!([{"headers": [{"name": "X-Hotfix", "value": "1"}]}]);
    let object = json!({"metadata": {"name": "shop"}, "spec": {"parentRefs": [{"name": "edge"}], "hostnames": ["shop.example.com"], "rules": [
        {"backendRefs": [to("shop", 95), to("shop-hotfix", 5), to("off", 0)]},
        {"matches": path("/api"), "backendRefs": [to("api", 1)]},
        {"matches": header, "backendRefs": [to("shop-hotfix", 1)]},
    ]}});
    let world = world(&[(Kind::HttpRoute, object)]);
    let ask = |path: &str, headers: &[(&str, &str)]| routed(&world, "shop.example.com", path, headers);
    assert_eq!(ask("/", &[]), ["shop:80=95", "shop-hotfix:80=5"]);
    assert_eq!(ask("/api/carts", &[]), ["api:80=1"]);
    assert_eq!(ask("/apis", &[]), ["shop:80=95", "shop-hotfix:80=5"]);
    assert_eq!(ask("/", &[("x-hotfix", "1")]), ["shop-hotfix:80=1"]);
}

#[test]
fn a_canary_ingress_takes_its_weight_from_the_one_beside_it() {
    let ingress = |name: &str, annotations: Value| {
        json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}
        ]}}]}})
    };
    let canary = json!({
        "nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "10",
        "nginx.ingress.kubernetes.io/canary-by-header": "X-Hotfix",
    });
    let main = (Kind::Ingress, ingress("shop", json!({})));
    let both = world(&[main.clone(), (Kind::Ingress, ingress("shop-hotfix", canary))]);
    assert_eq!(routed(&both, "shop.example.com", "/", &[]), ["shop:80=90", "shop-hotfix:80=10"]);
    assert_eq!(routed(&both, "shop.example.com", "/", &[("x-hotfix", "always")]), ["shop-hotfix:80=100"]);
    assert_eq!(routed(&both, "shop.example.com", "/", &[("x-hotfix", "never")]), ["shop:80=100"]);
    assert_eq!(routed(&world(&[main]), "shop.example.com", "/", &[]), ["shop:80=100"]);
}

#[test]
fn only_ready_pods_of_the_subset_are_asked() {
    let endpoint = |pod: &str, address: &str, ready: bool| json!({"addresses": [address], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}});
    let pod = |name: &str, slot: &str| json!({"metadata": {"name": name, "labels": {"slot": slot}}});
    let world = world(&[
        (
            Kind::Service,
            json!({"metadata": {"name": "shop"}, "spec": {"ports": [{"name": "admin", "port": 81}, {"name": "http", "port": 80}]}}),
        ),
        (
            Kind::EndpointSlice,
            json!({
                "metadata": {"name": "shop-1", "labels": {"kubernetes.io/service-name": "shop"}},
                "ports": [{"name": "http", "port": 8080}],
                "endpoints": [endpoint("a", "10.1.0.1", true), endpoint("b", "10.1.0.2", true), endpoint("c", "10.1.0.3", false)],
            }),
        ),
        (Kind::Pod, pod("a", "main")),
        (Kind::Pod, pod("b", "hotfix")),
        (Kind::Pod, pod("c", "hotfix")),
        (
            Kind::DestinationRule,
            json!({"metadata": {"name": "shop"}, "spec": {
                "host": "shop.prod", "subsets": [{"name": "hotfix", "labels": {"slot": "hotfix"}}],
            }}),
        ),
    ]);
    let endpoints = |subset: Option<&str>, port: Value| {
        let subset = subset.map(str::to_owned);
        let backend = Backend { service: "shop".to_owned(), subset, port, weight: 1 };
        world.endpoints(&backend).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(endpoints(None, json!(80)), ["10.1.0.1:8080", "10.1.0.2:8080"]);
    assert_eq!(endpoints(Some("hotfix"), json!("http")), ["10.1.0.2:8080"]);
    assert!(endpoints(Some("unknown"), json!(80)).is_empty());
    assert!(endpoints(None, json!(null)).is_empty());
}
