//! Every reason not to plan: the world that gives it, and the one line that says what to do.

mod people;
mod source;
mod workloads;

use hotfix_core::plan::{Planned, Refusal, Refused};
use hotfix_core::policy::Policy;
use hotfix_core::request::{Fix, Goal, Request};

use super::world::{World, deploy, policy};

fn lines(result: Result<Planned, Refused>) -> Vec<String> {
    match result {
        Err(refused) => refused.reasons.iter().map(ToString::to_string).collect(),
        Ok(Planned::Plan(plan)) => panic!("planned:\n{plan}"),
        Ok(Planned::NothingToDo(nothing)) => panic!("{nothing}"),
    }
}

#[track_caller]
fn refused(world: &World, request: &Request, policy: &Policy, expected: &[&str]) {
    let found = lines(world.try_plan(request, policy));
    let short = |text: &str| world.git.resolve(text).map(|id| id.short().to_owned()).unwrap_or_default();
    let filled = |line: &&str| {
        let names = ["main", "develop", "fixes", "hotfix/2.1.1", "v2.1.0"];
        names.iter().fold((*line).to_owned(), |line, name| line.replace(&format!("<{name}>"), &short(name)))
    };
    assert_eq!(found, expected.iter().map(filled).collect::<Vec<_>>());
    for line in found {
        assert!(!line.contains('\n') && !line.ends_with('.'), "{line}");
    }
}

fn deploy_with(change: impl FnOnce(&mut Fix, &mut Option<hotfix_core::model::TagName>)) -> Request {
    let mut request = deploy(None);
    if let Goal::Deploy { fix, from, .. } = &mut request.goal {
        change(fix, from);
    }
    request
}

#[test]
fn refusals_are_data_and_one_text() {
    let Err(refused) =
        World::shop().try_plan(&deploy_with(|fix, _| *fix = Fix::Commits(Vec::new())), &policy())
    else {
        panic!("planned")
    };
    let json = serde_json::to_value(&refused).unwrap();
    assert_eq!(json, serde_json::json!({"reasons": [{"refusal": "source", "fault": "no_commits"}]}));
    assert_eq!(serde_json::from_value::<Refused>(json).unwrap(), refused);
    assert!(matches!(refused.reasons[0], Refusal::Source(_)));
    assert_eq!(
        refused.to_string(),
        "refused for 1 reason\n  - the fix names no commits; name at least one, or a branch"
    );
}
