//! `install`: the first release of a new host. Everything after it is a hotfix and goes through a plan.

use std::time::Duration;

use hotfix::local::TargetOptions;
use hotfix::model::{Artifact, Release, TagName, Target, Version};
use hotfix::port::{FetchMode, SourceQuery, VersionControl as _};

use crate::backends::Session;
use crate::exit::{Exit, Failure};
use crate::say;

/// How long a first release may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// Puts the release of a tag live on every target.
pub(crate) async fn run(session: &Session, tag: &TagName) -> Result<Exit, Failure> {
    let release = release(session, tag).await?;
    for target in session.targets() {
        install(session, &target, &release).await?;
    }
    Ok(Exit::Done)
}

async fn install(session: &Session, target: &Target, release: &Release) -> Result<(), Failure> {
    let deployer = session.deployer();
    let settings = session.config.targets.get(&target.environment).cloned().unwrap_or_default();
    let options = TargetOptions { listen: settings.listen, ..TargetOptions::default() };
    deployer.add_target(target, options).await?;
    deployer.install(target, release, settings.replicas, PATIENCE).await?;
    let address = deployer.address(target, PATIENCE).await?;
    say::line(format_args!("{target}: {release} is live on http://{address}"));
    Ok(())
}

async fn release(session: &Session, tag: &TagName) -> Result<Release, Failure> {
    let prefix = &session.config.policy.source.tag_prefix;
    let version = tag.as_str().strip_prefix(prefix.as_str()).and_then(|text| Version::parse(text).ok());
    let version = version.ok_or_else(|| {
        Failure::usage(format!("tag {tag} names no version; allowed are tags such as {prefix}2.1.0"))
    })?;
    let query = SourceQuery {
        service: session.config.service.clone(),
        refs: Vec::new(),
        revisions: Vec::new(),
        fetch: FetchMode::Remote,
    };
    let facts = session.git()?.observe(&query).await?;
    let Some(fact) = facts.tags.get(tag) else {
        let tags: Vec<_> = facts.tags.keys().rev().take(5).map(TagName::as_str).collect();
        return Err(Failure::usage(format!("there is no tag {tag}; there are {}", tags.join(", "))));
    };
    Ok(Release { version, tag: tag.clone(), artifact: Artifact::Tree(fact.tree.clone()) })
}
