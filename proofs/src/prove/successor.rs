//! One cell of the matrix: a driver dies at a point, a successor ends the run, the auditor looks before and after.

use std::path::Path;

use hotfix_core::port::Clock as _;
use hotfix_engine::SystemClock;

use super::audit::{self, Ending, Findings, Journal, Site};
use super::cell::{Cell, Ground, eventually};
use super::driver::{JOURNAL, STATE};
use super::kill::{How, KillPoint, Moment};
use super::program::Running;
use super::repository::{ORIGIN, Patch, WORK};

/// Who goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Successor {
    /// The same worker, started again: it owns the lease.
    Restart,
    /// Another worker, which waits for the lease to end.
    Second,
    /// Another worker; the first one is only frozen, and wakes after the takeover.
    Zombie,
}

impl Successor {
    pub(super) const ALL: [Self; 3] = [Self::Restart, Self::Second, Self::Zombie];

    const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Second => "second",
            Self::Zombie => "zombie",
        }
    }

    const fn how(self) -> How {
        match self {
            Self::Zombie => How::Freeze,
            Self::Restart | Self::Second => How::Kill,
        }
    }

    pub(super) const fn worker(self) -> &'static str {
        match self {
            Self::Restart => "w1",
            Self::Second | Self::Zombie => "w2",
        }
    }
}

/// A cell of the matrix.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) patch: Patch,
    pub(super) step: u16,
    /// What the step does, for people.
    pub(super) what: String,
    pub(super) moment: Moment,
    pub(super) successor: Successor,
}

/// What came of a cell.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) name: String,
    pub(super) findings: Findings,
    /// From the moment when somebody could take over until somebody had.
    pub(super) resume_ms: Vec<f64>,
    pub(super) kills: u32,
    /// Where the evidence is, if it was kept.
    pub(super) evidence: Option<std::path::PathBuf>,
}

impl Case {
    fn point(&self) -> KillPoint {
        KillPoint { step: self.step, moment: self.moment, how: self.successor.how() }
    }

    /// The name of the folder, and of the cell.
    fn name(&self) -> String {
        let point = self.point().to_string().replace(':', "-");
        format!("{}-{point}-{}", self.patch.name(), self.successor.name())
    }

    /// Plays the cell.
    pub(super) async fn play(&self, ground: &Ground) -> Verdict {
        let mut verdict = Verdict::new(format!("{} ({})", self.name(), self.what));
        match Cell::open(ground, &self.name()).await {
            Err(error) => verdict.findings.check(false, || error),
            Ok(mut cell) => {
                let played = self.play_in(&cell, &mut verdict).await;
                verdict.close(&mut cell, played).await;
            }
        }
        verdict
    }

    async fn play_in(&self, cell: &Cell, verdict: &mut Verdict) -> Result<Ending, String> {
        let site = site(cell);
        let mut first = cell.start("w1", self.patch, Some(&self.point().to_string()))?;
        let stopped = stopped(&mut first, self.successor.how()).await?;
        verdict.findings.check(stopped, || "the driver ended before it reached its point".to_owned());
        verdict.kills += 1;
        audit::at_any_moment(&site, &mut verdict.findings);
        let free = free_at(&site, self.successor)?;
        let mut second = cell.drive(self.successor.worker(), &["resume"])?;
        if self.successor == Successor::Zombie {
            eventually("the run is taken over", async || {
                Journal::read(&site.journal).ok().filter(|journal| journal.epoch() > 1)
            })
            .await?;
            first.thaw()?;
        }
        ended(&mut second, "the successor").await?;
        if self.successor == Successor::Zombie {
            ended_somehow(&mut first, "the zombie").await?;
        }
        verdict.took_over(&site, free)?;
        Ok(ending(self.patch))
    }
}

/// How a run with the patch ends, however often it is interrupted.
pub(super) const fn ending(patch: Patch) -> Ending {
    match patch {
        Patch::Good => Ending::Live,
        Patch::Bad => Ending::Back,
    }
}

impl Verdict {
    pub(super) fn new(name: String) -> Self {
        Self { name, findings: Findings::default(), resume_ms: Vec::new(), kills: 0, evidence: None }
    }

    /// Notes how long the last takeover took from when it was possible.
    pub(super) fn took_over(&mut self, site: &Site, free: i64) -> Result<(), String> {
        if let Some(at) = Journal::read(&site.journal)?.last_takeover() {
            self.resume_ms.push((at - free).max(0) as f64 / 1000.0);
        }
        Ok(())
    }

    /// Looks at everything that is left, and once more after a further resumption.
    pub(super) async fn close(&mut self, cell: &mut Cell, played: Result<Ending, String>) {
        match played {
            Ok(ending) => self.look(cell, ending).await,
            Err(error) => self.findings.check(false, || error),
        }
        if !self.findings.violations.is_empty() {
            self.evidence = Some(cell.keep());
        }
    }

    async fn look(&mut self, cell: &Cell, ending: Ending) {
        let (site, findings) = (site(cell), &mut self.findings);
        let settled = eventually("the processes are as wanted", async || audit::processes(&site).ok()).await;
        let settled = settled.and_then(|()| audit::processes(&site));
        findings.check(settled.is_ok(), || settled.err().unwrap_or_default());
        audit::at_the_end(&site, ending, findings);
        let release = if ending == Ending::Live { "good" } else { "baseline" };
        for address in cell.addresses {
            let answer = super::traffic::who_answers(address).await;
            findings
                .check(answer.as_deref() == Ok(release), || format!("{address} is answered by {answer:?}"));
        }
        let again = resumed_again(cell, &site).await;
        findings.check(again.is_ok(), || again.err().unwrap_or_default());
        audit::check_answers(&cell.traffic.answers(), findings);
    }
}

/// A further resumption changes nothing.
async fn resumed_again(cell: &Cell, site: &Site) -> Result<(), String> {
    let before = audit::fingerprint(site)?;
    ended(&mut cell.drive("w3", &["resume"])?, "a further resumption").await?;
    let after = audit::fingerprint(site)?;
    if before == after {
        Ok(())
    } else {
        Err(format!("a further resumption changed\n{before}\ninto\n{after}"))
    }
}

/// From when on somebody else may take the run.
pub(super) fn free_at(site: &Site, successor: Successor) -> Result<i64, String> {
    let now = SystemClock.now().timestamp_micros();
    let lease_ends = Journal::read(&site.journal)?.lease_ends();
    Ok(if successor == Successor::Restart { now } else { now.max(lease_ends) })
}

pub(super) fn site(cell: &Cell) -> Site {
    let below = |name: &str| Path::new(&cell.folder).join(name);
    Site {
        journal: below(JOURNAL),
        origin: below(ORIGIN),
        work: below(WORK),
        state: below(STATE),
        folder: cell.folder.clone(),
    }
}

/// Waits until a driver was stopped at its point; `false` when it ended without.
async fn stopped(driver: &mut Running, how: How) -> Result<bool, String> {
    use std::os::unix::process::ExitStatusExt as _;
    eventually("the driver reaches its point", async || match driver.ended() {
        Some(status) => Some(how == How::Kill && status.signal() == Some(9)),
        None => (how == How::Freeze && driver.is_frozen()).then_some(true),
    })
    .await
}

/// Waits for a driver to end well.
pub(super) async fn ended(driver: &mut Running, who: &str) -> Result<(), String> {
    let status = ended_somehow(driver, who).await?;
    if status.success() { Ok(()) } else { Err(format!("{who} failed: {status}")) }
}

async fn ended_somehow(driver: &mut Running, who: &str) -> Result<std::process::ExitStatus, String> {
    eventually(&format!("{who} ends"), async || driver.ended()).await
}
