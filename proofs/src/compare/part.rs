//! Parts of a comparison that need a process of their own: `compare part NAME ARGUMENT...`.

use std::path::Path;
use std::time::Duration;

use hotfix_benches::Failure;

use super::{engine, k8s, local, metrics};

/// Runs a part to its end.
///
/// # Errors
/// [`Failure`] when the part cannot do its work.
pub fn run(name: &str, arguments: &[&str]) -> Result<(), Failure> {
    match (name, arguments) {
        ("upstream", [port, folder, parent]) => {
            local::upstream::serve(port.parse()?, Path::new(folder), parent.parse()?)
        }
        ("agent", [state, parent]) => local::agent::serve(Path::new(state), parent.parse()?),
        ("waiting-runs", [count, store]) => engine::waiting::hold(count.parse()?, store.parse()?),
        ("answer-memory", [parser]) => metrics::hold(parser.parse()?),
        ("fleet", [namespaces, each, image, kubeconfig]) => {
            k8s::fleet::hold(namespaces, each.parse()?, image, Path::new(kubeconfig))
        }
        ("watches", [namespace, count, kubeconfig]) => {
            k8s::watches::hold(namespace, count.parse()?, Path::new(kubeconfig))
        }
        _ => Err(Failure::new(format!("no part {name} takes {arguments:?}"))),
    }
}

/// Waits for the end of the process that started this one, however it ends.
pub(super) async fn end_of(parent: u32) {
    let entry = format!("/proc/{parent}");
    while Path::new(&entry).exists() {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
