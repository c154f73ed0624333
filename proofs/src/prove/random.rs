//! Runs that are killed at random times, again and again, from a seed.

use std::time::Duration;

use super::audit::{Ending, Journal};
use super::repository::Patch;
use super::successor::{Successor, Verdict, ended, ended_as, free_at};
use super::world::World;

/// How often a run is killed at the most.
const MOST_KILLS: u64 = 3;

/// Plays one run. Every driver but the last is killed within the time that a whole run takes.
pub(super) async fn play<W: World>(ground: &W::Ground, seed: u64, whole: Duration) -> Verdict {
    let name = format!("random-{seed}");
    let mut verdict = Verdict::new(name.clone());
    match W::open(ground, &name).await {
        Err(error) => verdict.findings.check(false, || error),
        Ok(mut world) => {
            let played = play_in(&world, &mut verdict, Dice(seed), whole).await;
            verdict.close(&mut world, played).await;
        }
    }
    verdict
}

async fn play_in<W: World>(
    world: &W,
    verdict: &mut Verdict,
    mut dice: Dice,
    whole: Duration,
) -> Result<Ending, String> {
    let home = world.home();
    let patch = if dice.below(3) == 0 { Patch::Bad } else { Patch::Good };
    let mut driver = home.start("w1", patch, None)?;
    for _ in 0..=dice.below(MOST_KILLS) {
        let most = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
        tokio::time::sleep(Duration::from_millis(dice.below(most))).await;
        if driver.ended().is_none() {
            verdict.kills += 1;
        }
        drop(driver);
        world.at_any_moment(&mut verdict.findings);
        let successor = if dice.below(2) == 0 { Successor::Restart } else { Successor::Second };
        let free = free_at(home, successor)?;
        let before = Journal::read(&home.journal())?.epoch();
        driver = home.drive(successor.worker(), &["resume"])?;
        if dice.below(2) == 0 {
            continue;
        }
        ended(&mut driver, "the successor").await?;
        if Journal::read(&home.journal())?.epoch() > before {
            verdict.took_over(home, free)?;
        }
        break;
    }
    if driver.ended().is_none() {
        ended(&mut driver, "the last driver").await?;
    }
    drop(driver);
    // The last one may have been killed while it waited: nobody is left to go on but us.
    ended(&mut home.drive("w4", &["resume"])?, "whoever comes last").await?;
    ended_as(home, patch)
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
