use std::num::NonZeroU16;
use std::time::Duration;

use hotfix_core::model::{Artifact, ObjectId, Release, SlotName, TagName, VerbRefusal, Version};

use super::*;
use crate::layout::Root;

struct Fixture {
    _folder: tempfile::TempDir,
    target: TargetFolder,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let target = Root::new(folder.path()).target(&"production/shop".parse().expect("a target"));
        fs::create_dir_all(target.path()).expect("target folder");
        let fixture = Self { _folder: folder, target };
        let slots = ["blue", "green"].map(|name| SlotName::new(name).expect("a slot"));
        let state = TargetState::empty(slots, "127.0.0.1:0".parse().expect("an address"));
        fixture.ledger().await.create(&state).expect("created");
        fixture
    }

    async fn ledger(&self) -> Ledger {
        let deadline = Instant::now() + Duration::from_secs(20);
        Ledger::open(self.target.clone(), deadline).await.expect("lock")
    }

    async fn apply(&self, key: &str, stamp: u32, verb: Verb) -> Verdict {
        self.ledger().await.apply(&request(key, stamp, verb), &ReadyInstances::new()).expect("written")
    }

    fn state(&self) -> TargetState {
        load(&self.target).expect("readable").expect("created")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.target.writes()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn request(key: &str, seq: u32, verb: Verb) -> Request {
    let key = IdempotencyKey::new(key).expect("a key");
    Request { key, stamp: Stamp::new(1, seq), verb, precondition: Precondition::default() }
}

fn stage(replicas: u16) -> Verb {
    let tree = ObjectId::new("a".repeat(40)).expect("an id");
    let release = Release {
        version: Version::new(2, 1, 1),
        tag: TagName::new("v2.1.1").expect("a tag"),
        artifact: Artifact::Tree(tree),
    };
    let slot = SlotName::new("blue").expect("a slot");
    Verb::Stage { slot, release, replicas: NonZeroU16::new(replicas).expect("not zero") }
}

fn generation(verdict: &Verdict) -> u64 {
    match verdict {
        Verdict::Accepted { generation, .. } => *generation,
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn a_stamp_is_accepted_once_and_only_above_the_last() {
    let fixture = Fixture::new().await;
    assert_eq!(generation(&fixture.apply("stage", 5, stage(1)).await), 1);
    for stale in [5, 4] {
        let verdict = fixture.apply("late", stale, stage(2)).await;
        assert!(matches!(verdict, Verdict::Fenced(current) if current == Stamp::new(1, 5)), "{verdict:?}");
    }
    assert_eq!(fixture.state().desired.generation, 1);
    assert_eq!(fixture.lines().len(), 1);
}

#[tokio::test]
async fn a_key_is_applied_once_and_names_one_effect() {
    let fixture = Fixture::new().await;
    fixture.apply("stage", 5, stage(1)).await;
    let before = fixture.state();
    assert_eq!(generation(&fixture.apply("stage", 5, stage(1)).await), 1);
    assert_eq!(fixture.state(), before, "the same stamp again writes nothing");
    assert_eq!(generation(&fixture.apply("stage", 7, stage(1)).await), 1);
    assert_eq!(fixture.state().fence, Stamp::new(1, 7));
    assert_eq!(fixture.state().desired.slots, before.desired.slots);
    assert!(matches!(fixture.apply("stage", 6, stage(1)).await, Verdict::Fenced(_)));
    assert!(matches!(fixture.apply("stage", 9, stage(2)).await, Verdict::KeyReused));
}

#[tokio::test]
async fn a_seal_only_raises_the_fence_and_can_be_repeated() {
    let fixture = Fixture::new().await;
    fixture.apply("stage", 5, stage(1)).await;
    let slots = fixture.state().desired.slots;
    let seal = async |seq| fixture.ledger().await.seal(Stamp::new(1, seq)).expect("written");
    let sealed = SealVerdict::Sealed { previous: Stamp::new(1, 5) };
    assert_eq!(seal(8).await, sealed);
    assert_eq!(seal(8).await, sealed);
    assert_eq!(seal(7).await, SealVerdict::Overtaken { current: Stamp::new(1, 8) });
    assert_eq!(fixture.state().desired.slots, slots);
    assert!(matches!(fixture.apply("late", 6, stage(2)).await, Verdict::Fenced(_)));
    let verdict = fixture.apply("stage", 8, stage(1)).await;
    assert!(matches!(verdict, Verdict::Fenced(_)), "the seal's stamp is not its own: {verdict:?}");
    assert_eq!(generation(&fixture.apply("stage", 9, stage(1)).await), 1);
}

#[tokio::test]
async fn of_many_writers_with_one_stamp_exactly_one_wins() {
    let fixture = Fixture::new().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut writers = tokio::task::JoinSet::new();
    for number in 1..=16_u16 {
        let folder = fixture.target.clone();
        writers.spawn(async move {
            let ledger = Ledger::open(folder, deadline).await.expect("lock");
            ledger
                .apply(&request(&format!("writer-{number}"), 1, stage(number)), &ReadyInstances::new())
                .expect("written")
        });
    }
    let verdicts = writers.join_all().await;
    let accepted = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Accepted { .. })).count();
    let fenced = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Fenced(_))).count();
    assert_eq!((accepted, fenced, fixture.lines().len()), (1, 15, 1));
}

#[tokio::test]
async fn a_crash_between_acceptance_and_log_is_healed() {
    let fixture = Fixture::new().await;
    fixture.apply("one", 1, stage(1)).await;
    fixture.apply("two", 2, stage(2)).await;
    let whole = fs::read_to_string(fixture.target.writes()).expect("log");
    let torn = &whole[..whole.len() - 40];
    fs::write(fixture.target.writes(), torn).expect("tear");
    let keys = |writes: &[Write]| writes.iter().map(|write| write.number).collect::<Vec<_>>();
    assert_eq!(keys(&writes(&fixture.target).expect("readable")), [1, 2], "an auditor sees it meanwhile");
    fixture.apply("three", 3, stage(3)).await;
    assert!(fs::read_to_string(fixture.target.writes()).expect("log").starts_with(&whole));
    assert_eq!(keys(&writes(&fixture.target).expect("readable")), [1, 2, 3]);
}

#[tokio::test]
async fn a_refused_request_leaves_no_trace() {
    let fixture = Fixture::new().await;
    let before = fixture.state();
    let slot = SlotName::new("blue").expect("a slot");
    let verdict = fixture.apply("promote", 1, Verb::Promote { slot }).await;
    assert!(
        matches!(verdict, Verdict::Refused(Refusal::Rule(VerbRefusal::NotAllTraffic { percent: 0, .. }))),
        "{verdict:?}"
    );
    assert_eq!(fixture.state(), before);
    assert_eq!(fixture.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_key_of_long_ago_is_found_in_the_log() {
    let fixture = Fixture::new().await;
    for number in 1..=u32::try_from(RECENT_KEYS).expect("small") + 2 {
        fixture.apply(&format!("key-{number}"), number, stage(1)).await;
    }
    let state = fixture.state();
    assert_eq!(state.recent.len(), RECENT_KEYS);
    let find = |key: &str| find_key(&fixture.target, &state, &IdempotencyKey::new(key).expect("a key"));
    assert_eq!(find("key-1").expect("readable").map(|applied| applied.generation), Some(1));
    assert_eq!(find("key-0").expect("readable"), None);
}

#[tokio::test]
async fn a_state_of_another_version_is_refused_by_name() {
    let fixture = Fixture::new().await;
    let newer =
        fs::read_to_string(fixture.target.state()).expect("state").replace("\"format\": 1", "\"format\": 2");
    fs::write(fixture.target.state(), newer).expect("write");
    let error = load(&fixture.target).expect_err("unknown format").to_string();
    assert!(error.contains("its format is 2, this version writes 1"), "{error}");
}
