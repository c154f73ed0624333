use hotfix_core::model::Stamp;
use serde_json::json;

use super::super::note::Was;
use super::*;

fn app() -> SyncOwner {
    SyncOwner::ArgoCd { namespace: "argocd".to_owned(), name: "shop".to_owned() }
}

fn shop() -> Target {
    "production/shop".parse().unwrap()
}

fn on() -> Value {
    json!({"spec": {"syncPolicy": {"automated": {"prune": true}}}})
}

fn off() -> Value {
    json!({"spec": {"syncPolicy": {}}})
}

fn was() -> Note {
    Note { was: Some(Was::Value(json!({"prune": true}))), ..Note::default() }
}

fn noted(epoch: u64, seq: u32, off: Option<Off>) -> Note {
    was().with(&shop(), Entry { stamp: Stamp::new(epoch, seq), off })
}

fn for_a_run(epoch: u64, seq: u32) -> Option<Off> {
    Some(Off::Run(Stamp::new(epoch, seq)))
}

fn decided(value: &Value, note: &Note, stamp: (u64, u32), at: Whereabouts) -> Result<Option<Note>, Unheld> {
    let stamp = Stamp::new(stamp.0, stamp.1);
    let decision = hold(&app(), value, note, (&shop(), stamp), at)?;
    Ok(decision.write.map(|(note, _)| note))
}

#[test]
fn a_sync_is_switched_off_once_and_remembered() {
    let first = decided(&on(), &Note::default(), (1, 1), Whereabouts::Home);
    assert_eq!(first, Ok(Some(noted(1, 1, for_a_run(1, 1)))));
    assert_eq!(decided(&off(), &noted(1, 1, for_a_run(1, 1)), (1, 2), Whereabouts::Away), Ok(None));
    // Whoever takes over is known, and so is the call that switched it off; what was ahead of git stays so.
    let next = decided(&off(), &noted(1, 1, for_a_run(1, 1)), (2, 1), Whereabouts::Home);
    assert_eq!(next, Ok(Some(noted(2, 1, for_a_run(1, 1)))));
    let next = decided(&off(), &noted(1, 1, Some(Off::Ahead)), (2, 1), Whereabouts::Home);
    assert_eq!(next, Ok(Some(noted(2, 1, Some(Off::Ahead)))));
    // It is off for another target of the same owner.
    let pay = "production/pay".parse().unwrap();
    let other = was().with(&pay, Entry { stamp: Stamp::new(4, 4), off: for_a_run(4, 4) });
    let both = decided(&off(), &other, (1, 1), Whereabouts::Home).unwrap().unwrap();
    assert_eq!((both.off(&shop()), both.is_off_for_another(&shop())), (for_a_run(1, 1), true));
}

#[test]
fn what_others_switched_off_is_left_to_them() {
    assert_eq!(decided(&off(), &Note::default(), (1, 1), Whereabouts::Home), Ok(None));
    let disabled = json!({"spec": {"syncPolicy": {"automated": {"enabled": false}}}});
    assert_eq!(decided(&disabled, &Note::default(), (1, 1), Whereabouts::Home), Ok(None));
}

#[test]
fn whoever_switches_it_on_again_wins_until_the_next_run() {
    let again = || Err(Unheld::OnAgain(app().object().into()));
    let run = noted(1, 1, for_a_run(1, 1));
    assert_eq!(decided(&on(), &run, (1, 2), Whereabouts::Home), again());
    assert_eq!(decided(&on(), &run, (2, 1), Whereabouts::Away), again());
    assert_eq!(decided(&on(), &run, (2, 1), Whereabouts::Home), Ok(Some(noted(2, 1, for_a_run(2, 1)))));
}

#[test]
fn a_late_request_and_an_owner_with_an_owner_are_refused() {
    let sealed = noted(2, 5, None);
    let fenced = Err(Unheld::Fenced(Stamp::new(2, 5)));
    assert_eq!(decided(&on(), &sealed, (2, 4), Whereabouts::Home), fenced);
    let mut above = on();
    above["metadata"] = json!({"labels": {"argocd.argoproj.io/instance": "root"}});
    let refused = decided(&above, &Note::default(), (1, 1), Whereabouts::Home).unwrap_err();
    let Reply::Rejected(rejection) = refused.reply() else { panic!("{refused:?}") };
    let expected = "Application argocd/shop is applied by Argo CD application root";
    assert!(rejection.to_string().contains(expected), "{rejection}");
}
