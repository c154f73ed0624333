use super::*;

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("a key")
}

fn applied(name: &str, seq: u32) -> Applied {
    Applied {
        key: key(name),
        digest: "d1".to_owned(),
        stamp: Stamp::new(1, seq),
        receipt: format!("did {name}"),
    }
}

#[test]
fn a_note_prints_as_it_parses() {
    let seal = SealNote { stamp: Stamp::new(7, 3), previous: Stamp::new(7, 2) };
    let note = Note::default().recorded(applied("run:1", 2)).sealed(seal);
    let text = concat!(
        r#"{"stamp":"7.3","sealed":{"stamp":"7.3","previous":"7.2"},"#,
        r#""applied":[{"key":"run:1","digest":"d1","stamp":"1.2","receipt":"did run:1"}]}"#
    );
    assert_eq!(note.text(), text);
    let object = serde_json::json!({"metadata": {"annotations": {"hotfix.dev/fence": text}}});
    assert_eq!(Note::read(&object), Ok(Some((text.to_owned(), note))));
    assert_eq!(Note::read(&serde_json::json!({"metadata": {}})), Ok(None));
}

#[test]
fn a_note_that_somebody_edited_is_not_guessed_at() {
    let object = serde_json::json!({"metadata": {"annotations": {"hotfix.dev/fence": r#"{"stamp":"7"}"#}}});
    let reason = Note::read(&object).unwrap_err();
    assert!(
        reason.starts_with("its annotation hotfix.dev/fence is not readable: \"7\" is no stamp"),
        "{reason}"
    );
}

#[test]
fn the_guard_compares_the_whole_text_and_replaces_it() {
    let object = serde_json::json!({"metadata": {"uid": "u1"}});
    let patch = guard(&object, r#"{"stamp":"1.1"}"#, &Note::default().raised(Stamp::new(1, 2)));
    let expected = serde_json::json!([
        {"op": "test", "path": "/metadata/annotations/hotfix.dev~1fence", "value": r#"{"stamp":"1.1"}"#},
        {"op": "replace", "path": "/metadata/annotations/hotfix.dev~1fence", "value": r#"{"stamp":"1.2"}"#},
        {"op": "test", "path": "/metadata/uid", "value": "u1"},
    ]);
    assert_eq!(serde_json::to_value(patch).unwrap(), expected);
}

#[test]
fn the_first_fence_holds_for_the_version_that_was_read() {
    let object = serde_json::json!({"metadata": {"resourceVersion": "41"}});
    let expected = serde_json::json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": "41"},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": "/metadata/annotations/hotfix.dev~1fence", "value": r#"{"stamp":"0.0"}"#},
    ]);
    assert_eq!(serde_json::to_value(first(&object, &Note::default())).unwrap(), expected);
}

#[test]
fn sixteen_keys_are_remembered() {
    let note =
        (0..20).fold(Note::default(), |note, number| note.recorded(applied(&format!("k{number}"), number)));
    let keys: Vec<&str> = note.applied.iter().map(|applied| applied.key.as_str()).collect();
    assert_eq!((keys.len(), keys[0], keys[15]), (16, "k4", "k19"));
    let again = note.recorded(applied("k4", 30));
    assert_eq!((again.applied.len(), again.applied[15].key.as_str()), (16, "k4"));
}

#[test]
fn a_target_is_as_far_as_its_farthest_object() {
    let anchor = Note::default().raised(Stamp::new(1, 4));
    let copy = Note::default().recorded(applied("a", 3));
    let newest = Note::default().recorded(applied("b", 4));
    let (two, three) = ([&anchor, &copy], [&anchor, &copy, &newest]);
    let (a, b) = (&copy.applied[0], &newest.applied[0]);
    let cases: [(&[&Note], &str, &str, u32, Admission<'_>); 7] = [
        (&two, "c", "d1", 5, Admission::Fresh),
        (&two, "c", "d1", 4, Admission::Fenced(Stamp::new(1, 4))),
        (&two, "a", "d1", 5, Admission::Repeated(1, a)),
        (&two, "a", "d1", 3, Admission::Fenced(Stamp::new(1, 4))),
        (&two, "a", "d1", 4, Admission::Fenced(Stamp::new(1, 4))),
        (&two, "a", "d2", 5, Admission::KeyReused),
        (&three, "b", "d1", 4, Admission::Repeated(2, b)),
    ];
    for (notes, name, digest, seq, expected) in cases {
        let found = admit(notes, &key(name), digest, Stamp::new(1, seq));
        assert_eq!(found, expected, "{name} {seq}");
    }
}
