//! Refusals that come from the repository.

use hotfix_core::model::Severity;
use hotfix_core::observe::Fact;
use hotfix_core::plan::plan;
use hotfix_core::request::{Fix, Goal, Revision};

use super::super::world::{World, branch, deploy, policy, policy_with, production, request, slot, tag};
use super::{deploy_with, lines, refused};

#[test]
fn unknown_names_are_all_named_at_once() {
    let request = deploy_with(|fix, from| {
        *fix = Fix::Commits(["nope", "fixes", "fixes"].map(|text| Revision::new(text).unwrap()).to_vec());
        *from = Some(tag("v9.9.9"));
    });
    let policy = policy_with(|settings| {
        settings.source.production = branch("live");
        settings.source.develop = Some(branch("next"));
    });
    refused(
        &World::shop(),
        &request,
        &policy,
        &[
            "tag v9.9.9 does not exist, here or on the remote; name an existing release",
            "branch live does not exist; set source.production to the branch that plays this part",
            "branch next does not exist; set source.develop to the branch that plays this part",
            "nope names no commit here or on the remote; push it, or name it in full",
            "fixes names commit <fixes>, which the fix names before; name each commit once",
        ],
    );
}

#[test]
fn a_fix_must_be_somewhere_and_not_on_a_branch_with_another_part() {
    let world = World::shop();
    for (fix, expected) in [
        (Fix::Commits(Vec::new()), "the fix names no commits; name at least one, or a branch"),
        (
            Fix::Branch(branch("hotfix/gone")),
            "branch hotfix/gone does not exist, here or on the remote; it may be merged and deleted already",
        ),
        (
            Fix::Branch(branch("main")),
            "branch main is not a hotfix branch: it is source.production of the policy; name the branch of the fix",
        ),
        (
            Fix::Branch(branch("develop")),
            "branch develop is not a hotfix branch: it is source.develop of the policy; name the branch of the fix",
        ),
    ] {
        refused(&world, &deploy_with(|place, _| *place = fix), &policy(), &[expected]);
    }
}

#[test]
fn a_hotfix_starts_from_a_release() {
    let world = World::shop();
    world.git.set_tag(&tag("v2.2.0-rc.1"), &world.first);
    refused(
        &world,
        &deploy_with(|_, from| *from = Some(tag("v2.2.0-rc.1"))),
        &policy(),
        &["tag v2.2.0-rc.1 is not a release; name a tag v<version> without a pre-release part"],
    );
    refused(
        &world,
        &request(Severity::P1, Goal::Create { from: None }),
        &policy_with(|settings| settings.source.tag_prefix = "shop-".to_owned()),
        &[
            "no tag shop-<version> names a release; tag the commit that production runs, or set source.tag_prefix",
        ],
    );
}

#[test]
fn branches_that_exist_are_checked_out_or_diverged() {
    let world = World::shop();
    let other = world.git.resolve("develop").unwrap();
    world.git.set_branch(&branch("hotfix/2.1.1"), Some(&other));
    let exists =
        "branch hotfix/2.1.1 exists at <develop>; deploy that branch, or delete it if nobody needs it";
    refused(&world, &deploy(None), &policy(), &[exists]);
    refused(&world, &request(Severity::P1, Goal::Create { from: None }), &policy(), &[exists]);

    let world = World::shop();
    world.git.check_out(&branch("main"));
    refused(
        &world,
        &deploy(None),
        &policy(),
        &[
            "branch main is checked out in a work tree of this repository; switch that work tree to another branch",
        ],
    );

    let world = World::shop();
    let (request, policy) = (deploy(None), policy());
    let mut snapshot = world.observe(&request, &policy);
    if let Some(Fact::Known { value, .. }) = &mut snapshot.source {
        let main = hotfix_core::model::RefName::branch(&branch("main"));
        value.diverged.insert(main, Some(world.git.resolve("develop").unwrap()));
        let develop = hotfix_core::model::RefName::branch(&branch("develop"));
        value.diverged.insert(develop, None);
    }
    let here = world.git.resolve("develop").unwrap();
    let there = world.git.resolve("main").unwrap();
    let expected = format!(
        "main is at {} here and at {} on the remote; bring both together first",
        here.short(),
        there.short()
    );
    assert_eq!(lines(plan(&request, &snapshot, &policy)), [expected]);
}

#[test]
fn production_must_hold_what_it_is_said_to_hold() {
    let world = World::shop();
    let ahead =
        world.git.commit(std::slice::from_ref(&world.first), &[("src/other.rs", Some("x"))], "unreleased");
    world.git.set_branch(&branch("main"), Some(&ahead));
    let mend = "merged, it would not be what was proven: release or revert what it has beyond v2.1.0 first";
    let expected = format!("branch main is at <main>, which is not what v2.1.0 (<v2.1.0>) holds; {mend}");
    refused(&world, &deploy(None), &policy(), &[&expected]);

    let clash =
        world.git.commit(std::slice::from_ref(&world.first), &[("src/pay.rs", Some("y"))], "unreleased");
    world.git.set_branch(&branch("main"), Some(&clash));
    let expected = format!(
        "branch main is at <main>, which is not what v2.1.0 (<v2.1.0>) holds (the fix conflicts with it in \
         src/pay.rs (both sides changed the same lines)); {mend}"
    );
    refused(&world, &deploy(None), &policy(), &[&expected]);

    let merged = World::shop();
    let fix = merged.git.resolve("fixes").unwrap();
    merged.git.set_branch(&branch("main"), Some(&fix));
    let request = deploy_with(|fix, _| *fix = Fix::Branch(branch("fixes")));
    let expected = format!("branch main is at <main>, which is not what v2.1.0 (<v2.1.0>) holds; {mend}");
    refused(&merged, &request, &policy(), &[&expected]);
}

#[test]
fn what_is_live_must_be_the_release_the_fix_starts_from() {
    let world = World::shop();
    let old = world.release("v2.0.9");
    world.deployer.install(&production(), &slot("blue"), &old, 3.try_into().unwrap());
    let id = old.artifact.id();
    let expected = format!(
        "production/shop runs v2.0.9 ({}), which is not v2.1.0; start from what is live, or deploy v2.1.0 first",
        &id.as_str()[..17]
    );
    refused(&world, &deploy(None), &policy(), &[&expected]);
}

#[test]
fn a_fix_must_apply_be_new_and_be_based_on_the_release() {
    let world = World::shop();
    let other = world.git.commit(&[], &[("src/pay.rs", Some("else"))], "elsewhere");
    let there = world.git.commit(&[other], &[("src/pay.rs", Some("other"))], "elsewhere");
    world.git.set_branch(&branch("fixes"), Some(&there));
    refused(
        &world,
        &deploy(None),
        &policy(),
        &["the fix does not apply to v2.1.0: src/pay.rs (both sides changed the same lines); \
           make it on a branch from v2.1.0 and name that branch"],
    );
    refused(
        &world,
        &deploy_with(|fix, _| *fix = Fix::Branch(branch("fixes"))),
        &policy(),
        &["branch fixes is not based on v2.1.0; name its commits instead, they are picked onto v2.1.0"],
    );

    let world = World::shop();
    let again = world.git.commit(std::slice::from_ref(&world.first), &[], "empty");
    world.git.set_branch(&branch("fixes"), Some(&again));
    let old = world.release("v2.0.9");
    world.deployer.install(&production(), &slot("blue"), &old, 3.try_into().unwrap());
    refused(
        &world,
        &deploy(None),
        &policy(),
        &[
            "the fix changes nothing: v2.1.0 has it already; name other commits, or another release to start from",
        ],
    );
}
