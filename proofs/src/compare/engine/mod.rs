//! Planner, machine and engine: microseconds, memory of waiting runs, and a notifier that hangs.

mod notifier;
pub(super) mod waiting;
mod willing;

use std::hint::black_box;

use hotfix_benches::Failure;
use hotfix_benches::replay::Replay;
use hotfix_benches::world::{Shop, policy, request};
use hotfix_core::plan::plan;

use super::case::{Case, Figure};
use super::clock::micros_each;
pub(super) use willing::WillingSource;

/// What planning may take.
const PLAN_GOAL_MICROS: f64 = 1_000.0;

/// What one event may cost the machine.
const STEP_GOAL_MICROS: f64 = 10.0;

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    let (shop, request, policy) = (Shop::open()?, request()?, policy(|_| {})?);
    let snapshot = shop.observe(&request, &policy);
    let planning = micros_each(|| drop(black_box(plan(&request, black_box(&snapshot), &policy))));
    print(Case::alone("plan", planning, PLAN_GOAL_MICROS));

    let replay = Replay::of(shop.plan(&request, &policy)?)?;
    let fresh = replay.machine();
    let whole = micros_each(|| {
        let mut machine = fresh.clone();
        black_box(Replay::tell(&mut machine, replay.events.clone()));
    });
    let step = Figure { value: whole.value / replay.events.len() as f64, ..whole };
    print(Case::alone("machine-step", step, STEP_GOAL_MICROS));

    waiting::measure(&print)?;
    print(notifier::measure()?);
    Ok(())
}
