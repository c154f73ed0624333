//! For any request, policy and world: a plan that is made is safe, can be carried out and taken back, and is the same
//! every time.

use hotfix_core::model::{Fault, Severity};
use hotfix_core::plan::{Mermaid, NothingToDo, OnFailure, Plan, Planned, check, plan};
use hotfix_core::policy::Policy;
use hotfix_core::port::{Deployer, TrafficSplit};
use hotfix_core::request::{Fix, Goal, Request, Revision, RollbackTo, Staging, Strategy as Way};
use proptest::prelude::*;

use super::world::{World, approval, branch, policy_with, production, request, slot, staging, tag};

/// A world, described by choices that shrink well.
#[derive(Debug, Clone)]
struct Setting {
    replicas: u16,
    ready: u16,
    spare: bool,
    leftover: bool,
    develop: Develop,
    split: TrafficSplit,
    taken: bool,
    proven: bool,
    staged: bool,
    steps: Vec<u8>,
    batch: u16,
    by_issue: bool,
    soak: u64,
    home: Home,
}

/// Which slot others deploy to.
#[derive(Debug, Clone, Copy)]
enum Home {
    Nowhere,
    Live,
    Spare,
}

#[derive(Debug, Clone, Copy)]
enum Develop {
    None,
    Clean,
    Conflict,
    Contained,
}

fn settings() -> impl Strategy<Value = Setting> {
    let develop = prop_oneof![
        Just(Develop::None),
        Just(Develop::Clean),
        Just(Develop::Conflict),
        Just(Develop::Contained)
    ];
    let steps =
        prop::collection::btree_set(1_u8..100, 0..6).prop_map(|set| set.into_iter().chain([100]).collect());
    let flags = any::<[bool; 6]>();
    let home = prop_oneof![Just(Home::Nowhere), Just(Home::Live), Just(Home::Spare)];
    let split = prop::sample::select(vec![
        TrafficSplit::Percent,
        TrafficSplit::Switch,
        TrafficSplit::Instances,
        TrafficSplit::AllInstances,
    ]);
    (1_u16..12, 0_u16..12, develop, steps, 1_u16..5, 0_u64..3, flags, home, split).prop_map(
        |(replicas, ready, develop, steps, batch, soak, flags, home, split)| {
            let [spare, leftover, taken, proven, staged, by_issue] = flags;
            Setting {
                replicas,
                ready,
                spare,
                leftover,
                develop,
                split,
                taken,
                proven,
                staged,
                steps,
                batch,
                by_issue,
                soak,
                home,
            }
        },
    )
}

fn goals() -> impl Strategy<Value = Goal> {
    let way = prop::option::of(prop_oneof![
        Just(Way::Direct),
        Just(Way::Rolling),
        Just(Way::BlueGreen),
        Just(Way::Canary)
    ]);
    let fix = prop_oneof![
        3 => Just(Fix::Commits(vec![Revision::new("fixes").unwrap()])),
        1 => Just(Fix::Branch(branch("fixes"))),
    ];
    let staging = prop_oneof![3 => Just(Staging::First), 1 => Just(Staging::Skip)];
    let from = prop::option::of(Just(tag("v2.1.0")));
    let deploy = (fix, from.clone(), way, staging).prop_map(|(fix, from, strategy, staging)| Goal::Deploy {
        fix,
        from,
        image: None,
        strategy,
        staging,
    });
    let watch = (1_u64..9).prop_map(|hours| Goal::Watch {
        target: production(),
        lasting: hotfix_core::model::Period::from_hours(hours),
    });
    let to = prop_oneof![
        Just(RollbackTo::LastKnownGood),
        Just(RollbackTo::Version("2.0.9".parse().unwrap())),
        Just(RollbackTo::Version("2.1.0".parse().unwrap())),
    ];
    prop_oneof![
        6 => deploy,
        1 => from.prop_map(|from| Goal::Create { from }),
        2 => (to, any::<bool>()).prop_map(|(to, asks)| Goal::Rollback {
            target: production(),
            to,
            because: None,
            ask: asks.then(|| hotfix_core::model::Period::from_hours(1)),
        }),
        1 => watch,
    ]
}

fn requests() -> impl Strategy<Value = Request> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let reason = prop::option::of(Just("INC-7".to_owned()));
    (goals(), severity, 0_usize..3, reason, "[ -~\n]{0,40}").prop_map(
        |(goal, severity, agreed, reason, title)| {
            let mut request = request(severity, goal);
            request.title = title;
            request.approvals = ["kim", "lee"][..agreed.min(2)]
                .iter()
                .map(|who| approval(who, "2026-11-21T03:00:00Z"))
                .collect();
            request.break_glass = reason;
            request
        },
    )
}

fn policy(setting: &Setting) -> Policy {
    policy_with(|settings| {
        if matches!(setting.develop, Develop::None) {
            settings.source.develop = None;
        }
        if setting.by_issue {
            settings.source.branch = "hotfix/{issue}".parse().unwrap();
        }
        settings.rollout.canary_steps.clone_from(&setting.steps);
        settings.rollout.rolling_batch = setting.batch;
        settings.rollout.staging_soak = hotfix_core::model::Period::from_secs(setting.soak);
        settings.rollout.preview_soak = hotfix_core::model::Period::from_secs(setting.soak);
    })
}

fn world(setting: &Setting) -> World {
    let mut world = World::with_replicas(setting.replicas);
    let live = world.release("v2.1.0");
    let old = world.release("v2.0.9");
    if !setting.proven {
        world.proven.clear();
    }
    if setting.spare && setting.leftover {
        world.deployer.install(&production(), &slot("green"), &old, setting.replicas.try_into().unwrap());
    }
    if !setting.spare {
        world.deployer.add_target(&production(), [slot("blue")]);
    }
    world.deployer.install(&production(), &slot("blue"), &live, setting.replicas.try_into().unwrap());
    if setting.ready < setting.replicas {
        world.deployer.set_ready(&production(), &slot("blue"), setting.ready);
        let fault = Fault::CrashLoop { instance: "shop-1".to_owned(), restarts: 3 };
        world.deployer.report(&production(), &slot("blue"), fault);
    }
    let mut capabilities = world.deployer.capabilities(&production());
    capabilities.split = setting.split;
    world.deployer = world.deployer.clone().with_capabilities(capabilities);
    if setting.taken {
        world.git.set_tag(&tag("v2.1.1-rc.3"), &world.first);
    }
    match setting.home {
        Home::Nowhere => {}
        Home::Live => world.come_home_to("blue"),
        Home::Spare => world.come_home_to("green"),
    }
    develop(setting.develop, &world);
    if setting.staged {
        let fix = hotfix_core::model::Release {
            artifact: hotfix_core::model::Artifact::Tree(fix_tree(&world)),
            ..live
        };
        world.deployer.install(&staging(), &slot("blue"), &fix, 1.try_into().unwrap());
    }
    world
}

fn fix_tree(world: &World) -> hotfix_core::model::ObjectId {
    world.git.set_tag(&tag("tree-of-the-fix"), &world.git.resolve("fixes").unwrap());
    world.tag_fact("tree-of-the-fix").tree
}

fn develop(kind: Develop, world: &World) {
    let head = world.git.resolve("develop").unwrap();
    let fix = world.git.resolve("fixes").unwrap();
    let next = match kind {
        Develop::None | Develop::Clean => return,
        Develop::Conflict => world.git.commit(&[head], &[("src/pay.rs", Some("rewritten"))], "rewrite"),
        Develop::Contained => {
            let files = [("src/pay.rs", Some("fixed\nguard")), ("tests/pay.rs", Some("regression"))];
            world.git.commit(&[head, fix], &files, "merged already")
        }
    };
    world.git.set_branch(&branch("develop"), Some(&next));
}

/// Carries a plan out, stops it after `stop` steps and takes it back, and then carries it out whole.
fn live_through(setting: &Setting, request: &Request, plan: &Plan, policy: &Policy, stop: usize) {
    let reversible = plan.steps().iter().take_while(|step| step.on_failure == OnFailure::RollBack).count();
    let stop = stop % (reversible + 1);
    let observed = || {
        let world = world(setting);
        let _ = world.observe(request, policy); // Composes the objects that the plan names.
        world
    };
    let mut broken = observed();
    let before: Vec<_> = plan.baselines().iter().map(|kept| broken.live(&kept.target)).collect();
    broken.run(plan, stop);
    broken.take_back(plan, stop);
    let after: Vec<_> = plan.baselines().iter().map(|kept| broken.live(&kept.target)).collect();
    assert_eq!(before, after, "taken back after {stop}:\n{plan}");

    let mut whole = observed();
    whole.finish(plan);
    if let (Home::Live, Some(release)) = (setting.home, plan.release()) {
        assert_eq!(whole.live(&production()), (slot("blue"), release.tag.clone()), "{plan}");
    }
    let again = whole.try_plan(request, policy);
    match (&request.goal, again) {
        (Goal::Deploy { fix: Fix::Commits(_), .. }, Ok(Planned::NothingToDo(NothingToDo::FixIsLive { .. })))
        | (Goal::Create { .. }, Ok(Planned::NothingToDo(NothingToDo::BranchExists { .. })))
        | (
            Goal::Rollback { to: RollbackTo::Version(_), .. },
            Ok(Planned::NothingToDo(NothingToDo::ReleaseIsLive { .. })),
        )
        // The branch of the fix is gone, and the last good release is another one now.
        | (Goal::Deploy { fix: Fix::Branch(_), .. }, Err(_))
        | (Goal::Rollback { to: RollbackTo::LastKnownGood, .. }, _)
        | (Goal::Watch { .. }, Ok(Planned::Plan(_))) => {}
        (goal, again) => panic!("planned again after success, {goal:?} gave {again:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn plans_are_safe_repeatable_and_lead_there_and_back(
        setting in settings(),
        request in requests(),
        stop in any::<usize>(),
    ) {
        let policy = policy(&setting);
        let snapshot = world(&setting).observe(&request, &policy);
        match plan(&request, &snapshot, &policy) {
            Err(refused) => {
                prop_assert!(!refused.reasons.is_empty());
                for reason in &refused.reasons {
                    prop_assert!(!reason.to_string().contains('\n'), "{reason}");
                }
            }
            Ok(Planned::NothingToDo(nothing)) => {
                prop_assert!(matches!(request.goal, Goal::Rollback { .. }), "{}", nothing);
            }
            Ok(Planned::Plan(made)) => {
                prop_assert_eq!(check(&made), Ok(()), "{}", made);
                let again = plan(&request, &snapshot, &policy);
                prop_assert_eq!(&again, &Ok(Planned::Plan(made.clone())));
                let json = serde_json::to_string(&made).unwrap();
                let back: Plan = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(serde_json::to_string(&back).unwrap(), json);
                prop_assert_eq!(back.to_string(), made.to_string());
                prop_assert_eq!(Mermaid(&back).to_string(), Mermaid(&made).to_string());
                live_through(&setting, &request, &made, &policy, stop);
            }
        }
    }
}

/// The generator is worth nothing if it makes no plans.
#[test]
fn most_generated_requests_are_planned() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut planned = 0;
    for _ in 0..200 {
        let (setting, request) = (settings(), requests()).new_tree(&mut runner).unwrap().current();
        let policy = policy(&setting);
        let made = world(&setting).try_plan(&request, &policy);
        planned += usize::from(matches!(made, Ok(Planned::Plan(_))));
    }
    assert!(planned >= 40, "{planned} of 200 requests were planned");
}
