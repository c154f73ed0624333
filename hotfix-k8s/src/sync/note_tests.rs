//! What is noted on an owner is read back as it was.

use hotfix_core::model::{Stamp, Target};
use serde_json::json;

use super::note::{Entry, Note, Off, Was};
use crate::names;

fn target(name: &str) -> Target {
    name.parse().unwrap()
}

#[test]
fn a_note_is_read_as_it_was_written_and_forgets_what_was_when_nobody_needs_it() {
    let (shop, pay) = (target("production/shop"), target("production/pay"));
    let entry = |seq, off| Entry { stamp: Stamp::new(3, seq), off };
    let automated = json!({"prune": true, "selfHeal": true});
    let both = Note { was: Some(Was::Value(automated)), ..Note::default() }
        .with(&shop, entry(1, Some(Off::Run(Stamp::new(1, 1)))))
        .with(&pay, entry(7, Some(Off::Ahead)));
    let text = r#"{"was":{"value":{"prune":true,"selfHeal":true}},"targets":{"production/pay":{"stamp":"3.7","off":"ahead"},"production/shop":{"stamp":"3.1","off":{"run":"1.1"}}}}"#;
    assert_eq!(both.text(), text);
    let object = json!({"metadata": {"annotations": {names::SYNC: text}}});
    assert_eq!(Note::read(&object), Ok(both.clone()));

    let one = both.with(&pay, entry(8, None));
    assert!(one.was.is_some() && one.is_off_for_another(&pay) && !one.is_off_for_another(&shop));
    let none = one.with(&shop, entry(2, None));
    assert_eq!((none.was.clone(), none.stamp(&shop), none.off(&shop)), (None, Stamp::new(3, 2), None));
}

#[test]
fn an_absent_field_is_remembered_as_one() {
    let shop = target("production/shop");
    let entry = Entry { stamp: Stamp::new(1, 1), off: Some(Off::Run(Stamp::new(1, 1))) };
    let note = Note { was: Some(Was::Absent), ..Note::default() }.with(&shop, entry);
    let object = json!({"metadata": {"annotations": {names::SYNC: note.text()}}});
    assert_eq!(Note::read(&object), Ok(note));
    let odd = json!({"metadata": {"annotations": {names::SYNC: "odd"}}});
    assert!(Note::read(&odd).unwrap_err().starts_with("its annotation hotfix.dev/sync is not readable: "));
    assert_eq!(Note::read(&json!({"metadata": {}})), Ok(Note::default()));
}
