//! Two processes that want one Deployment: with one store the second is told who has it; with a store each and no claim
//! that both see, only the fence of the target keeps them apart.

use std::process::ExitStatus;

use super::audit::{self, Evidence, Side};
use super::world::{Ground, Shop};
use crate::prove::audit::{Ending, Findings, Journal};
use crate::prove::program::Running;
use crate::prove::repository::Patch;
use crate::prove::successor::{Verdict, ended, ended_somehow};
use crate::prove::world::{Home, World as _, eventually};

/// Who comes first, and who comes beside him.
pub(super) const FIRST: &str = "w1";
pub(super) const OTHER: &str = "w2";

/// One store: of two that begin at the same time one proceeds, and so does the one that is there first.
pub(super) async fn with_one_store(ground: &Ground) -> Vec<Verdict> {
    vec![play(ground, "two-at-once", at_once).await, play(ground, "two-one-later", one_later).await]
}

async fn play(
    ground: &Ground,
    name: &str,
    story: impl AsyncFnOnce(&Shop, &mut Findings) -> Result<(), String>,
) -> Verdict {
    let mut verdict = Verdict::new(name.to_owned());
    match Shop::open(ground, name).await {
        Err(error) => verdict.findings.check(false, || error),
        Ok(mut shop) => {
            let played = story(&shop, &mut verdict.findings).await.map(|()| Ending::Live);
            verdict.close(&mut shop, played).await;
        }
    }
    verdict
}

async fn at_once(shop: &Shop, findings: &mut Findings) -> Result<(), String> {
    let home = shop.home();
    let [mut one, mut two] = [home.start(FIRST, Patch::Good, None)?, home.start(OTHER, Patch::Good, None)?];
    let one = ended_somehow(&mut one, FIRST).await?;
    let two = ended_somehow(&mut two, OTHER).await?;
    findings.check(one.success() != two.success(), || format!("{FIRST}: {one}, {OTHER}: {two}"));
    let (winner, loser) = if one.success() { (FIRST, OTHER) } else { (OTHER, FIRST) };
    refused((home, winner), (home, loser), findings)
}

async fn one_later(shop: &Shop, findings: &mut Findings) -> Result<(), String> {
    let home = shop.home();
    let mut one = home.start(FIRST, Patch::Good, None)?;
    first_change(home, &mut one).await?;
    let mut two = home.start(OTHER, Patch::Good, None)?;
    let status = ended_somehow(&mut two, OTHER).await?;
    findings.check(!status.success(), || format!("{OTHER} was not refused: {status}"));
    ended(&mut one, FIRST).await?;
    refused((home, FIRST), (home, OTHER), findings)
}

/// Waits until a driver has written down a change of the cluster.
pub(super) async fn first_change(home: &Home, driver: &mut Running) -> Result<(), String> {
    eventually("the run has begun to deploy", async || {
        if let Some(status) = driver.ended() {
            return Some(Err(format!("the driver ended before it deployed: {status}")));
        }
        let journal = Journal::read(&home.journal()).ok()?;
        journal.entries.iter().any(|entry| entry.is("verdict")).then_some(Ok(()))
    })
    .await?
}

/// The loser was told who holds the target and by which run.
pub(super) fn refused(
    (home, winner): (&Home, &str),
    (other, loser): (&Home, &str),
    findings: &mut Findings,
) -> Result<(), String> {
    let log = said(other, loser)?;
    let run =
        Journal::read(&home.journal())?.entries.first().map(|entry| entry.run.clone()).unwrap_or_default();
    findings.check(!run.is_empty() && log.contains(&run) && log.contains(winner), || {
        format!("{loser} was told {log:?}, the target is held by run {run} of {winner}")
    });
    Ok(())
}

pub(super) fn said(home: &Home, worker: &str) -> Result<String, String> {
    let log = home.log(worker);
    std::fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))
}

/// How somebody ended who knew nothing of the other.
#[derive(Debug)]
pub(super) struct End {
    pub(super) status: ExitStatus,
    /// The last line that it said.
    pub(super) said: String,
}

/// Two stores. Neither can know of the other: whatever happens, no stamp falls, nothing is applied twice, and of the two
/// at least one does not end well and says so. Which one keeps the target, and what of the other's work the way back of
/// the loser takes with it, is not said: that takes a claim that both see.
pub(super) async fn with_two_stores(ground: &Ground, when: When) -> (Verdict, Option<[End; 2]>) {
    let mut verdict = Verdict::new(format!("two stores, {when:?}"));
    let name = format!("rivals-{when:?}").to_lowercase();
    let played = match Shop::open(ground, &name).await {
        Err(error) => Err(error),
        Ok(mut shop) => {
            let played = rivals(ground, &shop, when, &mut verdict.findings).await;
            if played.is_err() || !verdict.findings.violations.is_empty() {
                verdict.evidence = Some(shop.keep());
            }
            played
        }
    };
    match played {
        Ok(ends) => (verdict, Some(ends)),
        Err(error) => {
            verdict.findings.check(false, || error);
            (verdict, None)
        }
    }
}

/// When the other one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At the same moment.
    AtOnce,
    /// When the first one has begun to deploy.
    Later,
}

async fn rivals(
    ground: &Ground,
    shop: &Shop,
    when: When,
    findings: &mut Findings,
) -> Result<[End; 2], String> {
    let rival = shop.rival(ground).await?;
    let homes = [shop.home(), &rival];
    let mut one = homes[0].start(FIRST, Patch::Good, None)?;
    if when == When::Later {
        first_change(homes[0], &mut one).await?;
    }
    let mut two = homes[1].start(OTHER, Patch::Good, None)?;
    let status = [ended_somehow(&mut one, FIRST).await?, ended_somehow(&mut two, OTHER).await?];
    let journals = [Journal::read(&homes[0].journal())?, Journal::read(&homes[1].journal())?];
    let sides = [0, 1].map(|index| Side { user: shop.user(index), journal: &journals[index] });
    let log = shop.log()?;
    audit::check_apart(&Evidence { log: &log, sides: &sides, way: shop.way() }, findings);
    let lives = journals.each_ref().map(|journal| journal.outcomes().concat());
    let succeeded = lives.iter().filter(|outcome| *outcome == "succeeded").count();
    findings.check(succeeded < 2 && lives.iter().all(|outcome| !outcome.is_empty()), || {
        format!("both ended: {lives:?}")
    });
    let said = [said(homes[0], FIRST)?, said(homes[1], OTHER)?];
    let [first, second] = said.map(|said| said.trim_end().lines().last().unwrap_or_default().to_owned());
    let [one, two] = status;
    Ok([End { status: one, said: first }, End { status: two, said: second }])
}
