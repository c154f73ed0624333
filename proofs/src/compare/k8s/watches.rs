//! A thousand watches of one process: how many the server has to keep, and what they cost the process at rest.

use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use futures_util::StreamExt as _;
use hotfix_benches::Failure;
use hotfix_benches::program::{program, run};
use hotfix_core::port::{Clock as _, Deployer as _};
use hotfix_engine::SystemClock;
use hotfix_k8s::Traffic;
use hotfix_testkit::cluster::TestCluster;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::opened::open;
use super::site::{Site, deployer};
use crate::compare::case::{Case, Figure};
use crate::compare::memory::resident;
use crate::say;

/// How many follow.
const FOLLOWERS: usize = 1_000;

/// How long the process is left alone.
const REST: Duration = Duration::from_secs(10);

/// Measures in a process of its own, which has done nothing else.
pub(super) async fn measure(cluster: &TestCluster) -> Result<Vec<Case>, Failure> {
    let (site, folder) = (Site::open(cluster).await?, tempfile::tempdir()?);
    let kubeconfig = folder.path().join("kubeconfig");
    cluster.write_kubeconfig(&site.user, &kubeconfig)?;
    let mut part = program(std::env::current_exe()?);
    part.args(["part", "watches", site.namespace.name(), &FOLLOWERS.to_string()]).arg(&kubeconfig);
    let told = tokio::task::spawn_blocking(move || run(&mut part)).await??;
    let told: Vec<&str> = told.split_whitespace().collect();
    let [bytes, load, at] = told[..] else { return Err(Failure::new("the part told nothing")) };
    // A watch comes into the log when it ends, which it does with the process.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut log, user) = (site.log(cluster)?, site.user_name());
    log.retain(|event| event.user == user);
    let open = open(&log, DateTime::parse_from_rfc3339(at)?.to_utc())?;
    let figure = |value, unit| Figure { value, unit };
    Ok(vec![
        Case::alone("1000-watches/open-at-the-server", figure(open as f64, ""), 3.0),
        Case::alone("1000-watches/memory", figure(bytes.parse::<f64>()? / 1024.0 / 1024.0, "MiB"), 200.0),
        Case::alone("1000-watches/load-at-rest", figure(load.parse()?, "%"), 2.0),
    ])
}

/// Follows the shop so many times, and says by how many bytes the process grew, which part of a core it takes, and when that
/// was.
pub(in crate::compare) fn hold(namespace: &str, count: usize, kubeconfig: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = KubeConfigOptions::default();
        let file = Kubeconfig::read_from(kubeconfig)?;
        let user = kube::Config::from_custom_kubeconfig(file, &options).await?;
        let target = "production/shop".parse()?;
        let deployer = deployer(namespace, &target, user, Traffic::Service)?;
        deployer.observe(&target).await?;
        let before = resident()?;
        let mut watches = Vec::with_capacity(count);
        for _ in 0..count {
            let mut watch = deployer.watch(&target).await?;
            let first = watch.next().await;
            first.ok_or_else(|| Failure::new("a watch ended at once"))??;
            watches.push(watch);
        }
        let (grown, start) = (resident()?.saturating_sub(before), worked()?);
        tokio::time::sleep(REST).await;
        let load = (worked()? - start) / REST.as_secs_f64() * 100.0;
        say(&format!("{grown} {load} {}", SystemClock.now().to_rfc3339()));
        Ok(())
    })
}

/// The processor time of this process, in seconds.
pub(super) fn worked() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    // User and system time are the 14th and 15th field, of which two come before.
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
