//! The contract of [`Check`].

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::model::Target;
use hotfix_core::port::{Check, CheckScope, CheckSubject};

use super::expect::{equal, holds, succeeds};
use super::report::{Outcome, Report};
use super::run_cases;

/// What the author of a check provides: usually the check and a scripted server that plays the service.
#[async_trait]
pub trait CheckFixture: Send + Sync {
    /// Makes a check of something that is well.
    async fn site(&self) -> CheckSite;

    /// From here on it is not.
    async fn break_down(&self, site: &CheckSite);
}

/// A check that is ready for one case.
#[derive(Debug, Clone)]
pub struct CheckSite {
    /// The backend.
    pub check: Arc<dyn Check>,
    /// What it looks at.
    pub subject: CheckSubject,
    /// A workload that it does not look at, if there can be one.
    pub other: Option<Target>,
}

/// Runs every case.
///
/// # Panics
/// If a case is broken; the message names each.
pub async fn all(fixture: &dyn CheckFixture) {
    report(fixture).await.assert_kept();
}

/// Runs every case and returns what came out.
pub async fn report(fixture: &dyn CheckFixture) -> Report {
    let mut report = Report::new("check");
    run_cases!(report, fixture, [cases::{
        the_name_is_stable_and_one_line,
        it_says_what_it_looks_at,
        what_is_well_passes_every_time,
        what_is_broken_is_told_with_its_cause,
    }]);
    report
}

/// The cases, one per sentence of the contract.
pub mod cases {
    use super::*;

    /// The name is what people know the check by.
    pub async fn the_name_is_stable_and_one_line(fixture: &dyn CheckFixture) -> Outcome {
        let site = fixture.site().await;
        let name = site.check.name().to_owned();
        holds(!name.is_empty() && !name.contains(char::is_control), &format!("{name:?} is one line"))?;
        succeeds("look", site.check.look(&site.subject).await)?;
        equal("the name", &site.check.name(), &name.as_str())
    }

    /// A check says of which workloads it tells anything.
    pub async fn it_says_what_it_looks_at(fixture: &dyn CheckFixture) -> Outcome {
        let site = fixture.site().await;
        let scope = site.check.scope(&site.subject.target);
        holds(scope != CheckScope::Nothing, "it looks at its subject")?;
        match site.other {
            Some(other) => equal("the scope elsewhere", &site.check.scope(&other), &CheckScope::Nothing),
            None => Ok(()),
        }
    }

    /// What is well passes, and looking changes nothing.
    pub async fn what_is_well_passes_every_time(fixture: &dyn CheckFixture) -> Outcome {
        let site = fixture.site().await;
        for _ in 0..3 {
            let report = succeeds("look", site.check.look(&site.subject).await)?;
            equal("what is wrong", &report.faults, &Vec::new())?;
            holds(!report.seen.is_empty() && !report.seen.contains('\n'), "what was seen is one line")?;
        }
        Ok(())
    }

    /// What is broken is told as faults that say why.
    pub async fn what_is_broken_is_told_with_its_cause(fixture: &dyn CheckFixture) -> Outcome {
        let site = fixture.site().await;
        succeeds("look", site.check.look(&site.subject).await)?;
        fixture.break_down(&site).await;
        let report = succeeds("look", site.check.look(&site.subject).await)?;
        holds(!report.faults.is_empty(), "something is wrong")?;
        let told = report.faults.iter().all(|fault| !fault.to_string().is_empty());
        holds(told, &format!("each fault says what: {:?}", report.faults))
    }
}
