//! Instances are told one by one as they become ready, to those who follow the run where it is driven.

use std::num::NonZeroU16;

use futures_util::StreamExt as _;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::memory::Behaviour;
use hotfix_core::plan::{Plan, Planned};
use hotfix_core::port::Deployer as _;
use hotfix_core::request::{Goal, Staging, Strategy};
use hotfix_engine::{Engine, ProgressStream, RunHandle};

use crate::world::{World, artifact_of, production, request, slot, until, until_judged};

/// A world with three instances in production, and a plan that goes there straight away.
async fn a_plan(strategy: Strategy) -> (World, Engine, Plan) {
    let world = World::new().await;
    let live = world.deployer.snapshot(&production()).await.expect("something is live").release;
    let three = NonZeroU16::new(3).expect("three");
    world.deployer.install(&production(), &slot("blue"), &live, three);
    let engine = world.engine("w1");
    let mut request = request(&world.fix("version 2.1.1"));
    if let Goal::Deploy { strategy: wished, staging, .. } = &mut request.goal {
        (*wished, *staging) = (Some(strategy), Staging::Skip);
    }
    match engine.plan(&request).await {
        Ok(Planned::Plan(plan)) => (world, engine, *plan),
        other => panic!("no plan: {other:?}"),
    }
}

/// What was told of instances, and of the gates that they are at, without the numbers of the steps.
async fn told(run: &mut ProgressStream) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(progress) = run.next().await {
        let kind = progress.expect("a readable journal").kind;
        let said = without_step(&kind);
        match kind {
            ProgressKind::InstanceReady { .. } => told.push(said),
            ProgressKind::StepStarted { .. } if said.contains("ready") || said.contains("judge") => {
                told.push(said);
            }
            ProgressKind::Decided { verdict, .. } => told.push(verdict.outcome.to_string()),
            _ => {}
        }
    }
    told
}

async fn next_instance(run: &mut RunHandle) -> String {
    let kind = until(run, |kind| matches!(kind, ProgressKind::InstanceReady { .. })).await.kind;
    without_step(&kind)
}

fn without_step(kind: &ProgressKind) -> String {
    let text = kind.to_string();
    text.split_once(": ").map_or(text.clone(), |(_, said)| said.to_owned())
}

#[tokio::test(start_paused = true)]
async fn instances_are_told_batch_by_batch_between_their_gates() {
    let (world, engine, plan) = a_plan(Strategy::Rolling).await;
    let _traffic = world.traffic(None, 0);

    let run = engine.start(plan).await.expect("a free target");
    let mut here = engine.watch(run.run(), 0);
    assert_eq!(
        told(&mut here).await,
        [
            "production/shop: wait until green is ready",
            "instance 1/3 healthy",
            "pass",
            "production/shop: judge green at 33 % against blue",
            "pass",
            "production/shop: wait until green is ready",
            "instance 2/3 healthy",
            "pass",
            "production/shop: judge green at 66 % against blue",
            "pass",
            "production/shop: wait until green is ready",
            "instance 3/3 healthy",
            "pass",
            "production/shop: judge green at 100 %",
            "pass",
        ]
    );
    assert!(matches!(run.outcome().await.expect("an end"), Outcome::Succeeded { .. }));
}

#[tokio::test(start_paused = true)]
async fn each_instance_is_told_once_in_order_also_when_two_are_ready_at_the_same_time() {
    let (world, engine, plan) = a_plan(Strategy::Direct).await;
    world.deployer.behave(artifact_of(&plan), Behaviour::Slow);
    let (production, green) = (production(), slot("green"));
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    until(&mut run, |kind| kind.to_string().contains("wait until green is ready")).await;
    world.deployer.set_ready(&production, &green, 1);
    assert_eq!(next_instance(&mut run).await, "instance 1/3 healthy");
    world.deployer.set_ready(&production, &green, 0);
    world.deployer.set_ready(&production, &green, 3);
    assert_eq!(next_instance(&mut run).await, "instance 2/3 healthy", "the first is not told again");
    assert_eq!(next_instance(&mut run).await, "instance 3/3 healthy");

    // One that is away for a while in the next gate is none that is new.
    until_judged(&mut run).await;
    world.deployer.set_ready(&production, &green, 2);
    until_judged(&mut run).await;
    world.deployer.set_ready(&production, &green, 3);
    let rest = told(&mut (Box::pin(run) as ProgressStream)).await;
    assert!(rest.iter().all(|said| !said.contains("instance")), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_following_hears_of_no_instance_twice_and_of_none_elsewhere() {
    let (world, engine, plan) = a_plan(Strategy::Direct).await;
    world.deployer.behave(artifact_of(&plan), Behaviour::Slow);
    let (production, green) = (production(), slot("green"));
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    let id = run.run().clone();
    until(&mut run, |kind| kind.to_string().contains("wait until green is ready")).await;
    world.deployer.set_ready(&production, &green, 1);
    let first = until(&mut run, |kind| matches!(kind, ProgressKind::InstanceReady { .. })).await;
    let mut goes_on = engine.watch(&id, first.seq + 1);
    let mut elsewhere = world.engine("w2").watch(&id, 0);
    world.deployer.set_ready(&production, &green, 3);
    run.detach();

    let passed = ["pass", "production/shop: judge green at 100 %", "pass"];
    let expected: Vec<_> =
        ["instance 2/3 healthy", "instance 3/3 healthy"].into_iter().chain(passed).collect();
    assert_eq!(told(&mut goes_on).await, expected);
    let expected: Vec<_> = ["production/shop: wait until green is ready"].into_iter().chain(passed).collect();
    assert_eq!(told(&mut elsewhere).await, expected, "they are not in the journal");
    let from_the_start = told(&mut engine.watch(&id, 0)).await;
    assert_eq!(from_the_start, expected, "nobody drives it any more");
}
