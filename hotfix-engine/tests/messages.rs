//! Messages: delivered whatever happens to the process, in order, and never in anybody's way.

use std::collections::BTreeMap;
use std::time::Duration;

use hotfix_core::communicate::ProgressKind;
use hotfix_core::memory::{DeliveryTrouble, MemoryNotifier};
use hotfix_core::model::{
    IncidentId, IssueKey, Message, Part, Period, Phase, RunId, Severity, Tone, WorkerName,
};
use hotfix_core::port::{
    DeliveryOutcome, IncidentStore as _, NewIncident, NewRun, Notifier as _, NotifierCapabilities, Offered,
    OutboxState, Posting, PostingKind, ThreadKey,
};
use tokio::time::Instant;

use crate::world::{World, artifact_of, until, until_phase};

fn ambiguous() -> DeliveryOutcome {
    DeliveryOutcome::Ambiguous { cause: "the connection broke".to_owned() }
}

/// How often each posting was tried.
fn tries(notifier: &MemoryNotifier) -> BTreeMap<String, usize> {
    let mut tries = BTreeMap::new();
    for posting in notifier.attempts() {
        *tries.entry(posting.dedup).or_default() += 1;
    }
    tries
}

/// Waits until everything is delivered.
async fn delivered(world: &World, engine: &hotfix_engine::Engine) {
    for _ in 0..600 {
        engine.flush().await;
        if engine.undelivered().await.expect("a readable store").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("not delivered: {:?}", world.notifier.shown());
}

#[tokio::test(start_paused = true)]
async fn turns_are_told_to_everybody_and_the_root_shows_where_the_run_stands() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    let run = world.start(&engine, &world.fix("version 2.1.1")).await;
    run.outcome().await.expect("an end");
    delivered(&world, &engine).await;

    let attempts = world.notifier.attempts();
    let of_kind = |kind: PostingKind| attempts.iter().filter(move |posting| posting.kind == kind);
    let phases: Vec<Phase> = of_kind(PostingKind::Update).map(|posting| posting.message.phase).collect();
    assert_eq!(of_kind(PostingKind::Root).count(), 1);
    assert_eq!(phases, [Phase::Staging, Phase::Production, Phase::Publishing, Phase::Ended]);
    assert_eq!(of_kind(PostingKind::Broadcast).count(), phases.len());
    assert!(of_kind(PostingKind::Reply).count() > phases.len());
    let shown = world.notifier.shown();
    assert_eq!(shown[0].message.plain_title(), "2.1.1 (v2.1.1-rc.1) is live and proven");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_left_is_delivered_once() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    world.notifier.trouble(DeliveryTrouble::Hangs);
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until_phase(&mut run, Phase::Staging).await;
    drop((run, engine));
    assert!(world.notifier.shown().is_empty(), "the root hangs, so nothing else was sent");

    let engine = world.engine("w1");
    let run = engine.resume_all().await.expect("a readable store").pop().expect("one run");
    run.outcome().await.expect("an end");
    delivered(&world, &engine).await;

    let tries = tries(&world.notifier);
    let root = tries.iter().find(|(dedup, _)| dedup.ends_with(":root")).expect("a root");
    assert_eq!(*root.1, 2, "it hung once");
    assert!(tries.iter().all(|(dedup, tries)| dedup.ends_with(":root") || *tries == 1), "{tries:?}");
}

#[tokio::test(start_paused = true)]
async fn what_arrived_without_an_answer_is_found_and_not_sent_again() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    for _ in 0..5 {
        world.notifier.trouble(DeliveryTrouble::Arrives(ambiguous()));
    }
    let run = world.start(&engine, &world.fix("version 2.1.1")).await;
    run.outcome().await.expect("an end");
    delivered(&world, &engine).await;

    assert!(tries(&world.notifier).values().all(|tries| *tries == 1), "{:?}", tries(&world.notifier));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_tell_it_is_sent_again() {
    let world = World::new().await;
    let blind = NotifierCapabilities { threads: Offered::Yes, updates: Offered::Yes, probe: Offered::No };
    let notifier = MemoryNotifier::new("memory:blind").with_capabilities(blind);
    let engine =
        world.builder("w1").notifier(Promising(notifier.clone())).build().expect("a complete engine");
    let _traffic = world.traffic(None, 0);
    notifier.trouble(DeliveryTrouble::Lost(ambiguous()));
    let run = world.start(&engine, &world.fix("version 2.1.1")).await;
    run.outcome().await.expect("an end");
    delivered(&world, &engine).await;

    let tries = tries(&notifier);
    let root = tries.iter().find(|(dedup, _)| dedup.ends_with(":root")).expect("a root");
    assert_eq!(*root.1, 2, "{tries:?}");
}

/// A notifier that promises to find postings and cannot.
#[derive(Debug)]
struct Promising(MemoryNotifier);

#[async_trait::async_trait]
impl hotfix_core::port::Notifier for Promising {
    fn capabilities(&self) -> NotifierCapabilities {
        NotifierCapabilities { probe: Offered::Yes, ..self.0.capabilities() }
    }

    fn destination(&self) -> &str {
        self.0.destination()
    }

    async fn deliver(&self, posting: &hotfix_core::port::Posting) -> DeliveryOutcome {
        self.0.deliver(posting).await
    }

    async fn find(
        &self,
        posting: &hotfix_core::port::Posting,
    ) -> hotfix_core::Result<hotfix_core::port::PostingProbe> {
        self.0.find(posting).await
    }
}

#[tokio::test(start_paused = true)]
async fn replies_wait_until_it_is_known_what_became_of_the_root() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let _traffic = world.traffic(None, 0);
    world.notifier.trouble(DeliveryTrouble::Arrives(ambiguous()));
    let started = Instant::now();
    let run = world.start(&engine, &world.fix("version 2.1.1")).await;
    while started.elapsed() < Duration::from_secs(4) {
        assert!(world.notifier.attempts().len() <= 1, "a reply was sent: {:?}", world.notifier.attempts());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    run.outcome().await.expect("an end");
    delivered(&world, &engine).await;

    let shown = world.notifier.shown();
    let root = &shown[0].receipt;
    assert!(shown[1..].iter().all(|message| message.under.as_ref() == Some(root)), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_hangs_delays_nothing() {
    let mut took = Vec::new();
    for hangs in [false, true] {
        let world = World::new().await;
        let engine = world.engine("w1");
        let plan = world.plan(&engine, &world.fix("version 2.1.1 with a mistake")).await;
        if hangs {
            for _ in 0..1_000 {
                world.notifier.trouble(DeliveryTrouble::Hangs);
            }
        }
        let _traffic = world.traffic(Some(artifact_of(&plan)), 200);
        let started = Instant::now();
        let run = engine.start(plan).await.expect("a free target");
        run.outcome().await.expect("an end");
        took.push(started.elapsed());
        assert_eq!(world.notifier.shown().is_empty(), hangs);
    }
    assert_eq!(took[0], took[1]);
    assert!(took[0] > Period::from_secs(15).to_duration(), "there was a gate to wait at");
}

#[tokio::test(start_paused = true)]
async fn a_destination_with_many_hanging_deliveries_does_not_hold_up_another() {
    let world = World::new().await;
    for _ in 0..1_000 {
        world.notifier.trouble(DeliveryTrouble::Hangs);
    }
    for number in 0..40 {
        world.store.open_run(another_run(number, world.notifier.destination())).await.expect("a free target");
    }
    let second = MemoryNotifier::new("memory:second");
    let engine = world.builder("w1").notifier(second.clone()).build().expect("a complete engine");
    let started = Instant::now();
    let mut run = world.start(&engine, &world.fix("version 2.1.1")).await;
    until(&mut run, |kind| matches!(kind, ProgressKind::StepDone { .. })).await;
    while second.shown().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(world.notifier.shown().is_empty());
}

#[tokio::test(start_paused = true)]
async fn postings_to_a_destination_that_an_engine_does_not_have_are_left_to_one_that_does() {
    let world = World::new().await;
    world.store.open_run(another_run(1, world.notifier.destination())).await.expect("a free target");
    let silent = world.silent("w1").build().expect("a complete engine");
    tokio::time::sleep(Duration::from_secs(600)).await;
    silent.flush().await;
    let left = silent.undelivered().await.expect("a readable store");
    assert_eq!((left.len(), left[0].attempts, &left[0].state), (1, 0, &OutboxState::Waiting));

    delivered(&world, &world.engine("w2")).await;
    assert_eq!(world.notifier.shown().len(), 1);
}

/// A run of somebody else that has a message for the destination.
fn another_run(number: u32, destination: &str) -> NewRun {
    let thread = ThreadKey {
        incident: IncidentId::new(format!("elsewhere-{number}")).expect("an id"),
        run: RunId::new(format!("other-{number}")).expect("an id"),
    };
    NewRun {
        run: thread.run.clone(),
        worker: WorkerName::new("somebody").expect("a worker"),
        claims: vec![format!("production/other-{number}").parse().expect("a target")],
        ttl: Period::from_hours(48),
        epoch_above: 0,
        incident: NewIncident {
            id: thread.incident.clone(),
            issue: IssueKey::new(format!("OTHER-{number}")).expect("an issue"),
            title: "Something else".to_owned(),
            severity: Severity::P1,
        },
        body: "planned".to_owned(),
        timeline: Vec::new(),
        postings: vec![(destination.to_owned(), root(thread))],
    }
}

fn root(thread: ThreadKey) -> Posting {
    let title = vec![Part::Ours("Something else goes on".to_owned())];
    let message =
        Message { tone: Tone::Neutral, phase: Phase::Started, title, body: Vec::new(), facts: Vec::new() };
    Posting {
        dedup: thread.run.to_string(),
        thread,
        kind: PostingKind::Root,
        message,
        silencing: None,
        root: None,
    }
}
