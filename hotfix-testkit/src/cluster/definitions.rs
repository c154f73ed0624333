//! Kinds of objects that others define: those of Istio, of the Gateway API, of Traefik and of GitOps controllers, installed
//! as data.

use std::io;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};

/// A definition, mostly as its project publishes it.
#[derive(Debug)]
pub(super) struct Definition<'a> {
    pub(super) name: &'a str,
    pub(super) yaml: &'a str,
}

macro_rules! definition {
    ($name:literal, $file:literal) => {
        Definition { name: $name, yaml: include_str!(concat!("../../specs/kubernetes/", $file)) }
    };
}

pub(super) const ISTIO: &[Definition<'_>] = &[
    definition!("destinationrules.networking.istio.io", "istio/destinationrules.yaml"),
    definition!("virtualservices.networking.istio.io", "istio/virtualservices.yaml"),
];

pub(super) const GATEWAY_API: &[Definition<'_>] = &[
    definition!("gatewayclasses.gateway.networking.k8s.io", "gateway-api/gatewayclasses.yaml"),
    definition!("gateways.gateway.networking.k8s.io", "gateway-api/gateways.yaml"),
    definition!("httproutes.gateway.networking.k8s.io", "gateway-api/httproutes.yaml"),
    definition!("referencegrants.gateway.networking.k8s.io", "gateway-api/referencegrants.yaml"),
];

/// Without its schema.
pub(super) const TRAEFIK: &[Definition<'_>] =
    &[definition!("traefikservices.traefik.io", "traefik/traefikservices.yaml")];

/// Without schemas: enough for what a GitOps controller is told, without the controller.
pub(super) const GITOPS: &[Definition<'_>] = &[
    definition!("applications.argoproj.io", "gitops/applications.yaml"),
    definition!("helmreleases.helm.toolkit.fluxcd.io", "gitops/helmreleases.yaml"),
    definition!("kustomizations.kustomize.toolkit.fluxcd.io", "gitops/kustomizations.yaml"),
];

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Installs definitions and waits until objects of their kinds can be made. Again is harmless.
pub(super) async fn install(client: &Client, definitions: &[Definition<'_>]) -> io::Result<()> {
    for Definition { name, yaml } in definitions {
        let request =
            http::Request::patch(format!("{DEFINITIONS}/{name}?fieldManager=hotfix-testkit&force=true"))
                .header("content-type", "application/apply-patch+yaml")
                .body(yaml.as_bytes().to_vec())
                .map_err(io::Error::other)?;
        client.request_text(request).await.map_err(io::Error::other)?;
    }
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for Definition { name, .. } in definitions {
        let established = await_condition(api.clone(), name, conditions::is_crd_established());
        established.await.map_err(io::Error::other)?;
    }
    Ok(())
}
