//! A configuration as a file, for programs and for processes of a test's own.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kube::Config;
use kube::config::Kubeconfig;
use serde_json::json;

/// Writes the user, the address and the namespace of a configuration, with the certificates that the cluster's own file
/// trusts. The file holds a token, so nobody else may read it.
pub(super) fn write(config: &Config, own: &Path, file: &Path) -> io::Result<()> {
    let text = kubeconfig(config, own)?;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?
        .write_all(text.as_bytes())
}

fn kubeconfig(config: &Config, own: &Path) -> io::Result<String> {
    let own = Kubeconfig::read_from(own).map_err(io::Error::other)?;
    let mut contexts = own.contexts.iter();
    let current = contexts.find(|context| Some(&context.name) == own.current_context.as_ref());
    let name = current.and_then(|current| Some(&current.context.as_ref()?.cluster));
    let cluster = own.clusters.iter().find(|cluster| Some(&cluster.name) == name);
    let mut cluster = serde_json::to_value(cluster.and_then(|cluster| cluster.cluster.as_ref()))?;
    cluster["server"] = config.cluster_url.to_string().trim_end_matches('/').into();
    let written = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": config.auth_info}],
        "contexts": [{"name": "test", "context": {
            "cluster": "test", "user": "test", "namespace": config.default_namespace,
        }}],
        "current-context": "test",
    });
    Ok(written.to_string())
}
