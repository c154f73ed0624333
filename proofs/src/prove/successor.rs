//! One cell of a matrix: a driver is stopped at a spot, a successor ends the run, the auditor looks before and after.

use hotfix_core::port::Clock as _;
use hotfix_engine::SystemClock;
use hotfix_testkit::cluster::{Disturbance, FaultProxy};

use super::audit::{Ending, Findings, Journal};
use super::kill::{How, KillPoint, Moment};
use super::network;
use super::program::Running;
use super::repository::Patch;
use super::world::{Home, Place, Spot, Successors, World, eventually};

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
    const ALL: [Self; 3] = [Self::Restart, Self::Second, Self::Zombie];

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
    patch: Patch,
    spot: Spot,
    successor: Successor,
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
    /// Returns every cell of some spots.
    pub(super) fn all(patch: Patch, spots: &[Spot]) -> Vec<Self> {
        let cells = |(turn, spot): (usize, &Spot)| {
            let zombie_too = spot.moment().is_none_or(Moment::can_be_taken_over);
            let possible = Successor::ALL.iter().filter(|it| zombie_too || **it != Successor::Zombie);
            let possible: Vec<Successor> = possible.copied().collect();
            let played = match spot.successors {
                Successors::All => possible,
                Successors::InTurn => vec![possible[(turn + turn / 3) % possible.len()]],
            };
            played
                .into_iter()
                .map(|successor| Self { patch, spot: spot.clone(), successor })
                .collect::<Vec<_>>()
        };
        spots.iter().enumerate().flat_map(cells).collect()
    }

    /// The name of the folder, and of the cell.
    fn name(&self) -> String {
        format!("{}-{}-{}", self.patch.name(), self.spot.name(), self.successor.name())
    }

    /// Plays the cell.
    pub(super) async fn play<W: World>(&self, ground: &W::Ground) -> Verdict {
        let mut verdict = Verdict::new(format!("{} ({})", self.name(), self.spot.what));
        match W::open(ground, &self.name()).await {
            Err(error) => verdict.findings.check(false, || error),
            Ok(mut world) => {
                let played = self.play_in(&world, &mut verdict).await;
                verdict.close(&mut world, played).await;
            }
        }
        verdict
    }

    async fn play_in<W: World>(&self, world: &W, verdict: &mut Verdict) -> Result<Ending, String> {
        let (home, how) = (world.home(), self.successor.how());
        let point = |moment| KillPoint { moment, how };
        if let Place::Cut(request) = &self.spot.place {
            network::disturb(need(world)?, request, Disturbance::LoseAnswer);
        }
        let held = match &self.spot.place {
            Place::Held(request) => {
                network::disturb(need(world)?, request, Disturbance::Hold);
                Some(need(world)?)
            }
            Place::Inside(_) | Place::Cut(_) => None,
        };
        let mut first = home.start("w1", self.patch, self.spot.moment().map(point))?;
        if let Some(held) = held {
            network::until_held(held, &mut first).await?;
            match how {
                How::Kill => first.stop(how)?,
                How::Freeze => freeze(&mut first, home).await?,
            }
        }
        let stopped = stopped(&mut first, how).await?;
        verdict.findings.check(stopped, || "the driver ended before it reached its point".to_owned());
        verdict.kills += 1;
        world.at_any_moment(&mut verdict.findings);
        let free = free_at(home, self.successor)?;
        let mut second = home.drive(self.successor.worker(), &["resume"])?;
        if let Some(held) = held {
            sealed(home).await?;
            let answers = held.release().await;
            verdict.findings.check(answers == [REFUSED], || {
                format!("the request that came after the seal was answered with {answers:?}")
            });
        }
        if self.successor == Successor::Zombie {
            eventually("the run is taken over", async || journal(home).filter(|journal| journal.epoch() > 1))
                .await?;
            first.thaw()?;
        }
        ended(&mut second, "the successor").await?;
        if self.successor == Successor::Zombie {
            ended_somehow(&mut first, "the zombie").await?;
        }
        verdict.took_over(home, free)?;
        ended_as(home, self.patch)
    }
}

/// What a server says to a patch whose tests fail.
pub(super) const REFUSED: u16 = 422;

pub(super) fn need<W: World>(world: &W) -> Result<&FaultProxy, String> {
    world.network().ok_or_else(|| "there is no network between this driver and its target".to_owned())
}

/// Freezes a driver, but not while it writes to the journal: nobody else could until it wakes.
async fn freeze(driver: &mut Running, home: &Home) -> Result<(), String> {
    eventually("the driver is frozen between two transactions", async || {
        driver.stop(How::Freeze).ok()?;
        eventually("the driver is frozen", async || {
            (driver.is_frozen() || driver.ended().is_some()).then_some(())
        })
        .await
        .ok()?;
        let free = Journal::is_free(&home.journal());
        if !free {
            driver.thaw().ok()?;
        }
        free.then_some(())
    })
    .await
}

fn journal(home: &Home) -> Option<Journal> {
    Journal::read(&home.journal()).ok()
}

/// Waits until somebody has noted that a target is sealed.
pub(super) async fn sealed(home: &Home) -> Result<(), String> {
    let sealed =
        async || journal(home).filter(|journal| journal.entries.iter().any(|entry| entry.is("sealed")));
    eventually("the successor has sealed", sealed).await.map(drop)
}

/// How a run with the patch ends, however often it is interrupted; if it was opened at all.
pub(super) fn ended_as(home: &Home, patch: Patch) -> Result<Ending, String> {
    let is_opened = !Journal::read(&home.journal())?.is_empty();
    Ok(if is_opened { ending(patch) } else { Ending::Nothing })
}

/// How a run with the patch ends.
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
    pub(super) fn took_over(&mut self, home: &Home, free: i64) -> Result<(), String> {
        if let Some(at) = Journal::read(&home.journal())?.last_takeover() {
            self.resume_ms.push((at - free).max(0) as f64 / 1000.0);
        }
        Ok(())
    }

    /// Looks at everything that is left, after a further resumption that changes nothing.
    pub(super) async fn close<W: World>(&mut self, world: &mut W, played: Result<Ending, String>) {
        match played {
            Ok(ending) => {
                let again = resumed_again(world).await;
                self.findings.check(again.is_ok(), || again.err().unwrap_or_default());
                world.at_the_end(ending, &mut self.findings).await;
            }
            Err(error) => self.findings.check(false, || error),
        }
        if !self.findings.violations.is_empty() {
            self.evidence = Some(world.keep());
        }
    }
}

/// A further resumption changes nothing.
async fn resumed_again<W: World>(world: &W) -> Result<(), String> {
    let before = world.fingerprint()?;
    ended(&mut world.home().drive("w3", &["resume"])?, "a further resumption").await?;
    let after = world.fingerprint()?;
    if before == after {
        Ok(())
    } else {
        Err(format!("a further resumption changed\n{before}\ninto\n{after}"))
    }
}

/// From when on somebody else may take the run.
pub(super) fn free_at(home: &Home, successor: Successor) -> Result<i64, String> {
    let now = SystemClock.now().timestamp_micros();
    let lease_ends = Journal::read(&home.journal())?.lease_ends();
    Ok(if successor == Successor::Restart { now } else { now.max(lease_ends) })
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

/// Waits for a driver to end.
pub(super) async fn ended_somehow(
    driver: &mut Running,
    who: &str,
) -> Result<std::process::ExitStatus, String> {
    eventually(&format!("{who} ends"), async || driver.ended()).await
}
