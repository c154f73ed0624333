//! A thousand Deployments and a run for each that waits, in one process: memory, load at rest, watches and requests.
//! Their pods' status is written by hand, so that the machine has room for them.

mod hold;
mod kubelet;
mod log;
mod shops;

use hotfix_benches::Failure;
use hotfix_benches::program::{program, run};
use hotfix_testkit::cluster::{Behaviour, TestCluster, TestNamespace};
use kube::Client;
use serde_json::json;
use tokio::task::JoinSet;

use super::super::case::{Better, Case, Figure, Goal};
use crate::{say, shop};
use shops::Small;

pub(in crate::compare) use hold::hold;

/// How many namespaces there are, and how many shops in each.
const NAMESPACES: usize = 10;
const EACH: usize = 100;

/// The service account of the deployer.
const USER: &str = "hotfix";

pub(super) async fn measure(cluster: &TestCluster) -> Result<Vec<Case>, Failure> {
    let client = cluster.client()?;
    let mut kubelet = JoinSet::new();
    kubelet.spawn(kubelet::play(client.clone()));
    let mut namespaces = Vec::new();
    for _ in 0..NAMESPACES {
        namespaces.push(cluster.namespace("fleet").await?);
    }
    let names: Vec<&str> = namespaces.iter().map(TestNamespace::name).collect();
    let shops = Small::all(&names, EACH)?;
    let [old, new] = [0, 1].map(|patch| shop::release(cluster, patch, &Behaviour::default()));
    let (old, new) = (old?, new?);
    shops::create(&shops, &client, shop::image(&old)?).await?;
    let user = user(cluster, &client, &names, &shops).await?;
    // Each takes a right that no run takes.
    shops::adopt(&shops, &shops::deployer(&shops, cluster.config())?).await?;

    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    cluster.write_kubeconfig(&user, &kubeconfig)?;
    let mut part = program(std::env::current_exe()?);
    part.args(["part", "fleet", &names.join(","), &EACH.to_string(), shop::image(&new)?.as_str()]);
    part.arg(&kubeconfig);
    let told = tokio::task::spawn_blocking(move || run(&mut part)).await??;
    let told: hold::Told = serde_json::from_str(&told)?;
    let asked = log::read(cluster, &namespaces, &user_name(&names), &told)?;
    // Each says farewell to the server.
    tokio::task::spawn_blocking(move || drop(namespaces)).await?;
    Ok(cases(&told, &asked, shops.len()))
}

fn cases(told: &hold::Told, asked: &log::Asked, runs: usize) -> Vec<Case> {
    let mib = |bytes: usize| Figure { value: bytes as f64 / 1024.0 / 1024.0, unit: "MiB" };
    let took = (told.waiting - told.began).as_seconds_f64();
    say(&format!(
        "compare k8s {runs}-runs: {took:.0} s from the first plan until all waited, {:.1} MiB before, {} watches in \
         {NAMESPACES} namespaces",
        mib(told.before).value,
        asked.open,
    ));
    let name = |what: &str| format!("{runs}-runs/{what}");
    let told_only = |what: &str, value: f64, unit| Case {
        name: name(what),
        ours: Figure { value, unit },
        peer: None,
        better: Better::Less,
        goal: Goal::Nothing,
    };
    let watches = Figure { value: asked.open as f64 / NAMESPACES as f64, unit: "" };
    vec![
        Case::alone(name("memory"), mib(told.resident), 200.0),
        Case::alone(name("load-at-rest"), Figure { value: told.load, unit: "%" }, 2.0),
        Case::alone(name("watches-per-namespace"), watches, 3.0),
        told_only("requests-of-a-run-until-it-waits", asked.starting as f64 / runs as f64, ""),
        told_only("requests-at-rest", asked.per_minute, "/min"),
    ]
}

/// The deployer's user, with the least rights in each of the namespaces.
async fn user(
    cluster: &TestCluster,
    client: &Client,
    namespaces: &[&str],
    shops: &[Small],
) -> Result<kube::Config, Failure> {
    let (first, others) = namespaces.split_first().ok_or_else(|| Failure::new("no namespace"))?;
    let rules = |namespace: &str| {
        let of_it = shops.iter().filter(|shop| shop.namespace == namespace);
        shop::rules(&of_it.map(Small::config).collect::<Vec<_>>())
    };
    let config = cluster.user(first, USER, &rules(first)?).await?;
    let group = "rbac.authorization.k8s.io";
    for namespace in others {
        let head = |kind: &str| json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": USER}});
        let (mut role, mut binding) = (head("Role"), head("RoleBinding"));
        role["rules"] = serde_json::to_value(rules(namespace)?)?;
        binding["roleRef"] = json!({"apiGroup": group, "kind": "Role", "name": USER});
        binding["subjects"] = json!([{"kind": "ServiceAccount", "name": USER, "namespace": first}]);
        shop::create(client, namespace, role).await?;
        shop::create(client, namespace, binding).await?;
    }
    Ok(config)
}

/// The same, as the server calls it.
fn user_name(namespaces: &[&str]) -> String {
    format!("system:serviceaccount:{}:{USER}", namespaces.first().unwrap_or(&""))
}
