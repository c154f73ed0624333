//! Which backends a request can go to: by a VirtualService, else an HTTPRoute, else an Ingress, else the Service.

use serde_json::Value;

use super::world::{Backend, Kind, World, elements};

/// What of a request decides where it goes.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) host: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// Names in lower case.
    pub(super) headers: Vec<(&'a str, &'a str)>,
}

/// Returns the backends of a request, those of weight 0 left out; none when nothing leads anywhere.
pub(super) fn backends(world: &World, ask: &Ask<'_>) -> Vec<Backend> {
    let mut backends = by_virtual_service(world, ask)
        .or_else(|| by_http_route(world, ask))
        .or_else(|| by_ingress(world, ask))
        .unwrap_or_else(|| by_name(world, ask));
    backends.retain(|backend| backend.weight > 0);
    backends
}

fn by_name(world: &World, ask: &Ask<'_>) -> Vec<Backend> {
    let service = world.short(ask.host).to_owned();
    vec![Backend { service, subset: None, port: Value::Null, weight: 1 }]
}

/// The first route of which any match fits.
fn by_virtual_service(world: &World, ask: &Ask<'_>) -> Option<Vec<Backend>> {
    let serves = |object: &&Value| names_host(world, &object["spec"]["hosts"], ask.host);
    let object = world.all(Kind::VirtualService).find(serves)?;
    let fits = |route: &&Value| {
        let matches = elements(&route["match"]);
        matches.is_empty() || matches.iter().any(|condition| fits_istio(condition, ask))
    };
    let route = elements(&object["spec"]["http"]).iter().find(fits);
    let destinations = route.map_or(&[][..], |route| elements(&route["route"]));
    let unsaid = if destinations.len() == 1 { 100 } else { 0 };
    let backend = |entry: &Value| {
        let destination = &entry["destination"];
        Some(Backend {
            service: world.short(destination["host"].as_str()?).to_owned(),
            subset: destination["subset"].as_str().map(str::to_owned),
            port: destination["port"]["number"].clone(),
            weight: entry["weight"].as_u64().unwrap_or(unsaid),
        })
    };
    Some(destinations.iter().filter_map(backend).collect())
}

fn fits_istio(condition: &Value, ask: &Ask<'_>) -> bool {
    let text = |wanted: &Value, found: Option<&str>| match (wanted.as_object(), found) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(found)) => {
            wanted.iter().all(|(how, value)| match (how.as_str(), value.as_str()) {
                ("exact", Some(value)) => found == value,
                ("prefix", Some(value)) => found.starts_with(value),
                _ => false,
            })
        }
    };
    let header = |name: &str| header(ask, name);
    let mut headers = condition["headers"].as_object().into_iter().flatten();
    let mut without = condition["withoutHeaders"].as_object().into_iter().flatten();
    text(&condition["uri"], Some(ask.path))
        && text(&condition["method"], Some(ask.method))
        && text(&condition["authority"], Some(ask.host))
        && headers.all(|(name, wanted)| header(name).is_some() && text(wanted, header(name)))
        && without.all(|(name, wanted)| header(name).is_none() || !text(wanted, header(name)))
}

/// The rule with the most specific match: an exact path, then the longest prefix, then a method, then most headers.
fn by_http_route(world: &World, ask: &Ask<'_>) -> Option<Vec<Backend>> {
    let mut best: Option<(Specificity, &Value)> = None;
    for route in world.all(Kind::HttpRoute).filter(|route| is_for_host(world, route, ask.host)) {
        for rule in elements(&route["spec"]["rules"]) {
            let everything = [Value::Null];
            let matches = elements(&rule["matches"]);
            let matches = if matches.is_empty() { &everything[..] } else { matches };
            for found in matches.iter().filter_map(|condition| fits_gateway_api(condition, ask)) {
                if best.as_ref().is_none_or(|(so_far, _)| found > *so_far) {
                    best = Some((found, rule));
                }
            }
        }
    }
    let (_, rule) = best?;
    let backend = |entry: &Value| {
        Some(Backend {
            service: entry["name"].as_str()?.to_owned(),
            subset: None,
            port: entry["port"].clone(),
            weight: entry["weight"].as_u64().unwrap_or(1),
        })
    };
    Some(elements(&rule["backendRefs"]).iter().filter_map(backend).collect())
}

/// Whether the path is exact, how long it is, whether there is a method, how many headers.
type Specificity = (bool, usize, bool, usize);

fn is_for_host(world: &World, route: &Value, host: &str) -> bool {
    if !elements(&route["spec"]["hostnames"]).is_empty() {
        return names_host(world, &route["spec"]["hostnames"], host);
    }
    elements(&route["spec"]["parentRefs"]).iter().any(|parent| match parent["kind"].as_str() {
        Some("Service") => parent["name"] == world.short(host),
        _ => true,
    })
}

fn fits_gateway_api(condition: &Value, ask: &Ask<'_>) -> Option<Specificity> {
    let path = condition["path"]["value"].as_str().unwrap_or("/");
    let exact = condition["path"]["type"] == "Exact";
    let fits = if exact { ask.path == path } else { is_under(ask.path, path) };
    let method = condition["method"].as_str();
    let headers = elements(&condition["headers"]);
    let all = headers.iter().all(|wanted| {
        let name = wanted["name"].as_str().unwrap_or_default().to_lowercase();
        header(ask, &name).is_some_and(|found| wanted["value"] == found)
    });
    (fits && all && method.is_none_or(|method| method == ask.method)).then_some((
        exact,
        path.len(),
        method.is_some(),
        headers.len(),
    ))
}

/// The longest path of all Ingresses that are no canaries, and the canary of the same path beside it.
fn by_ingress(world: &World, ask: &Ask<'_>) -> Option<Vec<Backend>> {
    let ingresses = |canary: bool| {
        world
            .all(Kind::Ingress)
            .filter(move |object| (annotation(object, "canary") == Some("true")) == canary)
    };
    let (path, mut main) =
        ingresses(false).filter_map(|object| ingress_path(object, ask)).max_by_key(length)?;
    main.weight = 100;
    for object in ingresses(true) {
        let Some((_, mut canary)) = ingress_path(object, ask).filter(|(same, _)| *same == path) else {
            continue;
        };
        let number = |name: &str| annotation(object, name).and_then(|text| text.parse().ok());
        let total = number("canary-weight-total").unwrap_or(100);
        canary.weight = number("canary-weight").unwrap_or(0).min(total);
        match annotation(object, "canary-by-header").and_then(|name| header(ask, &name.to_lowercase())) {
            Some("always") => canary.weight = total,
            Some("never") => canary.weight = 0,
            _ => {}
        }
        main.weight = total - canary.weight;
        return Some(vec![main, canary]);
    }
    Some(vec![main])
}

fn length((path, _): &(&str, Backend)) -> usize {
    path.len()
}

fn ingress_path<'a>(object: &'a Value, ask: &Ask<'_>) -> Option<(&'a str, Backend)> {
    let host = ask.host.split(':').next().unwrap_or(ask.host);
    let rules = elements(&object["spec"]["rules"]).iter();
    let paths = rules
        .filter(|rule| rule["host"].as_str().is_none_or(|wanted| wanted == host))
        .flat_map(|rule| elements(&rule["http"]["paths"]));
    let fitting = paths.filter_map(|entry| {
        let path = entry["path"].as_str().unwrap_or("/");
        let fits = if entry["pathType"] == "Exact" { ask.path == path } else { is_under(ask.path, path) };
        let service = &entry["backend"]["service"];
        let [number, name] = ["number", "name"].map(|field| service["port"][field].clone());
        let port = if number.is_null() { name } else { number };
        let service = service["name"].as_str()?.to_owned();
        fits.then_some((path, Backend { service, subset: None, port, weight: 0 }))
    });
    fitting.max_by_key(length)
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{name}")].as_str()
}

fn names_host(world: &World, hosts: &Value, host: &str) -> bool {
    let host = world.short(host);
    elements(hosts).iter().filter_map(Value::as_str).any(|wanted| match wanted.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => world.short(wanted) == host,
    })
}

fn is_under(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn header<'a>(ask: &Ask<'a>, name: &str) -> Option<&'a str> {
    ask.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
