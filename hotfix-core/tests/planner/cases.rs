//! Plans carried out on the strict backends: what they leave, from everywhere back, and planning again afterwards.

use hotfix_core::model::{Artifact, ImageReference, Phase, RefName, Release, Severity};
use hotfix_core::plan::{Action, Finding, Gate, Level, NothingToDo, OnFailure, Planned, StrategyChoice};
use hotfix_core::request::{Fix, Goal, Request, Strategy};

use super::world::{World, branch, deploy, policy, production, request, slot, staging, tag};

const STRATEGIES: [Strategy; 4] =
    [Strategy::Direct, Strategy::Rolling, Strategy::BlueGreen, Strategy::Canary];

pub(super) fn nothing(world: &World, request: &Request) -> NothingToDo {
    match world.try_plan(request, &policy()) {
        Ok(Planned::NothingToDo(nothing)) => nothing,
        Ok(Planned::Plan(plan)) => panic!("{plan}"),
        Err(refused) => panic!("{refused}"),
    }
}

fn branch_request(name: &str) -> Request {
    let mut request = deploy(None);
    if let Goal::Deploy { fix, .. } = &mut request.goal {
        *fix = Fix::Branch(branch(name));
    }
    request
}

#[test]
fn a_deploy_leaves_the_fix_live_merged_tagged_and_nothing_else() {
    for strategy in STRATEGIES {
        let mut world = World::shop();
        let before = world.git.references();
        let plan = world.plan(&deploy(Some(strategy)), &policy());
        world.finish(&plan);
        for target in [staging(), production()] {
            assert_eq!(world.live(&target), (slot("green"), tag("v2.1.1-rc.1")), "{strategy}");
        }
        for at in ["main", "develop", "v2.1.1"] {
            assert_eq!(world.git.read(at, "src/pay.rs").as_deref(), Some("fixed\nguard"), "{strategy} {at}");
        }
        assert_eq!(world.git.resolve("v2.1.1"), world.git.resolve("main"));
        assert_eq!(world.tag_fact("v2.1.1").tree, world.tag_fact("v2.1.1-rc.1").tree);
        let mut names: Vec<_> = before.into_keys().collect();
        names.extend(["v2.1.1", "v2.1.1-rc.1"].map(|name| RefName::tag(&tag(name))));
        names.sort();
        assert_eq!(world.git.references().into_keys().collect::<Vec<_>>(), names, "{strategy}");
    }
}

#[test]
fn planning_again_after_success_finds_nothing_to_do() {
    for strategy in STRATEGIES {
        let mut world = World::shop();
        let plan = world.plan(&deploy(Some(strategy)), &policy());
        world.finish(&plan);
        let release = plan.release().unwrap().clone();
        let live = NothingToDo::FixIsLive { target: production(), release };
        assert_eq!(nothing(&world, &deploy(Some(strategy))), live);

        let mut from = deploy(Some(strategy));
        if let Goal::Deploy { from, .. } = &mut from.goal {
            *from = Some(tag("v2.1.0"));
        }
        assert_eq!(nothing(&world, &from), live);
        assert_eq!(
            live.to_string(),
            "nothing to do: production/shop runs v2.1.1-rc.1, which has the fix, and it is merged and tagged"
        );
    }
}

#[test]
fn a_deploy_is_taken_back_from_everywhere() {
    for strategy in STRATEGIES {
        let length = World::shop().plan(&deploy(Some(strategy)), &policy()).steps().len();
        for done in 0..length {
            let mut world = World::shop();
            let plan = world.plan(&deploy(Some(strategy)), &policy());
            if plan.steps()[done].on_failure == OnFailure::Escalate {
                break;
            }
            let mut before = world.git.references();
            world.run(&plan, done);
            world.take_back(&plan, done);
            for target in [staging(), production()] {
                assert_eq!(world.live(&target), (slot("blue"), tag("v2.1.0")), "{strategy} after {done}");
            }
            let evidence = RefName::tag(&tag("v2.1.1-rc.1"));
            before.extend(world.git.references().get(&evidence).map(|id| (evidence, id.clone())));
            assert_eq!(world.git.references(), before, "{strategy} after {done}");
            let again = world.plan(&deploy(Some(strategy)), &policy());
            assert!(again.steps().len() >= length, "{strategy} after {done}");
        }
    }
}

#[test]
fn the_next_attempt_gets_the_next_candidate() {
    let mut world = World::shop();
    let plan = world.plan(&deploy(None), &policy());
    world.run(&plan, 12);
    world.take_back(&plan, 12);
    let again = world.plan(&deploy(None), &policy());
    assert_eq!(again.release().unwrap().tag, tag("v2.1.1-rc.2"));
    assert_eq!(again.release().unwrap().version.to_string(), "2.1.1");
}

#[test]
fn a_version_taken_on_the_way_is_passed_over_and_said() {
    let world = World::shop();
    world.git.set_tag(&tag("v2.1.1"), &world.git.resolve("develop").unwrap());
    let mut request = deploy(None);
    if let Goal::Deploy { from, .. } = &mut request.goal {
        *from = Some(tag("v2.1.0"));
    }
    let plan = world.plan(&request, &policy());
    assert_eq!(plan.release().unwrap().tag, tag("v2.1.2-rc.1"));
    let taken = |finding: &&Finding| matches!(finding, Finding::VersionsTaken { .. });
    assert_eq!(
        plan.report().findings.iter().find(taken).unwrap().to_string(),
        "2.1.1 exists already, here or on the remote, so this is 2.1.2"
    );
}

#[test]
fn a_branch_is_created_once_and_then_filled_by_a_deploy() {
    let mut world = World::shop();
    let create = request(Severity::P1, Goal::Create { from: None });
    let plan = world.plan(&create, &policy());
    world.finish(&plan);
    assert_eq!(world.git.resolve("hotfix/2.1.1"), world.git.resolve("v2.1.0"));
    let name = RefName::branch(&branch("hotfix/2.1.1"));
    assert_eq!(nothing(&world, &create), NothingToDo::BranchExists { branch: name });

    let deploy = world.plan(&deploy(None), &policy());
    world.run(&deploy, 1);
    assert_ne!(world.git.resolve("hotfix/2.1.1"), world.git.resolve("v2.1.0"));
    world.take_back(&deploy, 1);
    assert_eq!(
        world.git.resolve("hotfix/2.1.1"),
        world.git.resolve("v2.1.0"),
        "our move is undone, the branch stays"
    );
}

#[test]
fn a_branch_with_the_fix_is_deployed_as_it_is_and_deleted_only_at_the_end() {
    let mut world = World::shop();
    let head = world.git.resolve("fixes").unwrap();
    let plan = world.plan(&branch_request("fixes"), &policy());
    let undone: Vec<String> = plan.rollback().iter().map(|undo| undo.effect.fenced().to_string()).collect();
    assert_eq!(undone, ["production/shop", "staging/shop"], "a rollback leaves somebody's branch alone");
    world.finish(&plan);
    assert_eq!(world.git.resolve("fixes"), None);
    assert_eq!(world.git.read("main", "tests/pay.rs").as_deref(), Some("regression"));
    assert_ne!(world.git.resolve("main"), Some(head), "the merge is never a fast-forward");
}

#[test]
fn staging_that_runs_the_fix_already_is_only_proven() {
    let mut world = World::shop();
    let first = world.plan(&branch_request("fixes"), &policy());
    let live = first.release().unwrap().clone();
    world.deployer.install(&staging(), &slot("blue"), &live, 1.try_into().unwrap());
    let plan = world.plan(&branch_request("fixes"), &policy());
    let on_staging: Vec<bool> = plan
        .steps()
        .iter()
        .filter(|step| step.phase == Phase::Staging)
        .map(|step| matches!(step.action, Action::Gate(_)))
        .collect();
    assert_eq!(on_staging, [true, true]);
    assert!(plan.report().findings.contains(&Finding::AlreadyLive { target: staging() }));
    world.finish(&plan);
}

#[test]
fn a_fix_that_is_live_but_not_published_is_proven_and_published() {
    let mut world = World::shop();
    let plan = world.plan(&deploy(None), &policy());
    let publish = usize::from(plan.point_of_no_return().unwrap().0);
    world.run(&plan, publish);
    let rest = world.plan(&branch_request("hotfix/2.1.1"), &policy());
    let on_production: Vec<_> = rest.steps().iter().filter(|step| step.phase == Phase::Production).collect();
    let Action::Gate(Gate::Verify { weight: 100, baseline: None, .. }) = &on_production[1].action else {
        panic!("{rest}")
    };
    assert_eq!(on_production.len(), 2);
    world.finish(&rest);
    assert_eq!(world.git.read("v2.1.1", "src/pay.rs").as_deref(), Some("fixed\nguard"));
}

fn image(digit: char) -> ImageReference {
    let digest: String = std::iter::repeat_n(digit, 64).collect();
    ImageReference::new(&format!("shop@sha256:{digest}")).unwrap()
}

#[test]
fn images_are_traced_to_their_trees_by_their_tags() {
    let mut world = World::shop();
    for target in [staging(), production()] {
        let live = Release { artifact: Artifact::Image(image('a')), ..world.release("v2.1.0") };
        world.deployer.install(&target, &slot("blue"), &live, 2.try_into().unwrap());
    }
    let mut request = deploy(None);
    if let Goal::Deploy { image: built, .. } = &mut request.goal {
        *built = Some(image('b'));
    }
    let plan = world.plan(&request, &policy());
    assert_eq!(plan.release().unwrap().artifact, Artifact::Image(image('b')));
    world.finish(&plan);
    assert!(matches!(nothing(&world, &request), NothingToDo::FixIsLive { .. }));
}

#[test]
fn a_conflict_with_develop_is_left_out_and_listed() {
    let mut world = World::shop();
    let develop = world.git.resolve("develop").unwrap();
    let other = world.git.commit(&[develop], &[("src/pay.rs", Some("rewritten"))], "rewrite");
    world.git.set_branch(&branch("develop"), Some(&other));
    let plan = world.plan(&deploy(None), &policy());
    let left: Vec<String> = plan.report().follow_ups().map(ToString::to_string).collect();
    let fix = plan.steps()[0].action.to_string();
    let fix = fix.rsplit(' ').next().unwrap();
    assert_eq!(
        left,
        [format!(
            "merge {fix} into develop by hand; it conflicts in src/pay.rs (both sides changed the same lines)"
        )]
    );
    world.finish(&plan);
    assert_eq!(world.git.resolve("develop"), Some(other));
    assert_eq!(world.git.read("main", "src/pay.rs").as_deref(), Some("fixed\nguard"));
}

#[test]
fn with_the_live_side_down_the_fix_gets_all_traffic_at_once() {
    for strategy in [None, Some(Strategy::Canary), Some(Strategy::Rolling)] {
        let mut world = World::shop();
        world.deployer.set_ready(&production(), &slot("blue"), 0);
        let plan = world.plan(&deploy(strategy), &policy());
        let of = strategy.unwrap_or(Strategy::Canary);
        let because = StrategyChoice::LiveIsDown { of };
        let chosen = Finding::Strategy { strategy: Strategy::Direct, because };
        assert_eq!((plan.report().findings[0].clone(), chosen.level()), (chosen, Level::Warning));
        world.finish(&plan);
        assert_eq!(world.live(&production()), (slot("green"), tag("v2.1.1-rc.1")));
    }
}
