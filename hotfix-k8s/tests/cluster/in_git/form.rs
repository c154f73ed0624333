//! The forms in which teams write an image, and what who applies it makes of each.

use serde_json::{Value, json};

use super::super::gitops_controller::Tool;
use super::shop::manifest;

/// How the image of the shop stands in the repository.
pub(crate) struct Form {
    /// Who applies it.
    pub(crate) tool: Tool,
    /// The file that names the image.
    pub(crate) file: &'static str,
    /// What the deployer is told of it.
    pub(crate) image: fn() -> Value,
    /// The file with an image, and the others.
    pub(crate) files: fn(image: &str, pods: u16) -> Files,
    /// The Deployment that the files describe.
    pub(crate) render: fn(read: Read<'_>) -> Option<Value>,
}

/// Reads a file of the repository.
pub(crate) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Paths with what is in the files, the one that names the image first.
pub(crate) type Files = Vec<(&'static str, String)>;

/// The manifest of the Deployment itself, under Argo CD.
pub(crate) const MANIFEST: Form = Form {
    tool: Tool::ArgoCd,
    file: SHOP,
    image: || json!("manifest"),
    files: |image, pods| vec![(SHOP, manifest(image, pods))],
    render: |read| deployment(&read(SHOP)?),
};

/// A Kustomization that names the image of its base, under Flux.
pub(crate) const KUSTOMIZATION: Form = Form {
    tool: Tool::Kustomize,
    file: OVERLAY,
    image: || json!({"kustomization": {"name": "shop/web"}}),
    files: |image, pods| {
        let (name, tag, digest) = parts(image);
        let overlay = format!(
            "# Production. Ask #checkout before you change it.\nresources: [../base]\nimages:\n  \
             - {{name: log, newTag: v7}}\n  - name: {name}   # the shop\n    newTag: \"{tag}\"\n    \
             digest: {digest}\n"
        );
        vec![(OVERLAY, overlay), (BASE, manifest(name, pods))]
    },
    render: |read| {
        let kustomization = parsed(&read(OVERLAY)?)?;
        let mut deployment = deployment(&read(BASE)?)?;
        let image = deployment.pointer_mut(IMAGE)?;
        let images = kustomization["images"].as_array()?;
        let entry = images.iter().find(|entry| entry["name"] == *image)?;
        let text = |field: &str| entry[field].as_str();
        *image = json!(format!("{}:{}@{}", text("name")?, text("newTag")?, text("digest")?));
        Some(deployment)
    },
};

/// Values of a chart that name the image, under Flux.
pub(crate) const VALUES: Form = Form {
    tool: Tool::Helm,
    file: PRODUCTION,
    image: || json!({"values": {"repository": "web.image.repository", "tag": "web.image.tag"}}),
    files: |image, pods| {
        let (name, tag, digest) = parts(image);
        let values = format!(
            "log: {{image: {{tag: v7}}}}\nweb:\n  image:\n    repository: {name}\n    \
             tag: '{tag}@{digest}'   # with its digest\n"
        );
        let template = manifest("{{ .Values.web.image.repository }}:{{ .Values.web.image.tag }}", pods);
        vec![(PRODUCTION, values), (TEMPLATE, template)]
    },
    render: |read| {
        let values = parsed(&read(PRODUCTION)?)?;
        let mut template = read(TEMPLATE)?;
        for field in ["repository", "tag"] {
            let value = values["web"]["image"][field].as_str()?;
            template = template.replace(&format!("{{{{ .Values.web.image.{field} }}}}"), value);
        }
        deployment(&template)
    },
};

const SHOP: &str = "apps/shop.yaml";
const OVERLAY: &str = "apps/production/kustomization.yaml";
const BASE: &str = "apps/base/shop.yaml";
const PRODUCTION: &str = "charts/shop/production.yaml";
const TEMPLATE: &str = "charts/shop/templates/shop.yaml";
const IMAGE: &str = "/spec/template/spec/containers/0/image";

/// The Deployment of a file of several documents.
fn deployment(text: &str) -> Option<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).ok()?;
    documents.into_iter().find(|document| document["kind"] == "Deployment")
}

fn parsed(text: &str) -> Option<Value> {
    serde_saphyr::from_str(text).ok()
}

/// Name, tag and digest of an image that was pushed.
fn parts(image: &str) -> (&str, &str, &str) {
    let (named, digest) = image.split_once('@').expect("a digest");
    let (name, tag) = named.rsplit_once(':').expect("a tag");
    (name, tag, digest)
}
