//! Journals as this version writes them, one folder per schema, read back at every prefix.
//!
//! The journals are added to, never edited: what was written once must be readable for ever. A new story is written by
//! `cargo test -p hotfix-core write_new_journals -- --ignored`, which leaves the files that are there alone.

mod story;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use hotfix_core::execute::{CodecError, Command, Event, JournalError, Machine, Record, Run};
use hotfix_core::model::WorkerName;

use story::{Journal, at, stories};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal/v1")
}

/// A line is the epoch of the writer, a blank, and the record.
fn write(journal: &Journal) -> String {
    journal.iter().fold(String::new(), |mut text, (epoch, record)| {
        writeln!(text, "{epoch} {}", record.encode().unwrap()).unwrap();
        text
    })
}

fn read(text: &str) -> Journal {
    let line = |line: &str| {
        let (epoch, body) = line.split_once(' ').unwrap();
        (epoch.parse().unwrap(), Record::decode(body).unwrap())
    };
    text.lines().map(line).collect()
}

fn fold(journal: &[(u64, Record)]) -> Result<Run, JournalError> {
    Run::fold(journal.iter().map(|(epoch, record)| (*epoch, record)))
}

/// One line per prefix: what is known, and what a worker that takes the run over does first.
fn account(journal: &Journal) -> String {
    let mut text = String::new();
    for end in 1..=journal.len() {
        let run = fold(&journal[..end]).unwrap();
        let done = run.steps().iter().filter(|state| state.is_behind()).count();
        let course = run.course().clone();
        let next = first_command(run);
        writeln!(text, "{end:>2} {:<11} {done:>2} done, {course:?} => {next}", journal[end - 1].1.kind())
            .unwrap();
    }
    text
}

fn first_command(run: Run) -> String {
    let mut machine = Machine::new(run);
    let worker = WorkerName::new("heir").unwrap();
    let mut commands = machine.step(Event::Resumed { worker, epoch: 99 }, at(100));
    if let [Command::Append(record)] = &commands[..]
        && matches!(**record, Record::Takeover { .. })
    {
        commands = machine.step(Event::Appended, at(100));
    }
    let name = |command: &Command| match command {
        Command::Append(record) => format!("append {}", record.kind()),
        Command::Seal { target, stamp } => format!("seal {target} at {stamp}"),
        Command::Watch { step } => format!("watch step {step}"),
        Command::WakeAt(_) => "wake".to_owned(),
        Command::Stop(stop) => format!("stop {stop:?}"),
        other => format!("{other:?}"),
    };
    commands.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn journals_of_every_version_read_back_at_every_prefix() {
    for (name, _) in stories() {
        let text = fs::read_to_string(folder().join(format!("{name}.journal"))).unwrap();
        let expected = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        assert_eq!(account(&read(&text)), expected, "{name}");
        assert_eq!(write(&read(&text)), text, "{name}: what is read is written the same");
    }
}

#[test]
fn the_same_run_is_still_written_the_same() {
    for (name, journal) in stories() {
        let text = fs::read_to_string(folder().join(format!("{name}.journal"))).unwrap();
        assert_eq!(read(&text), journal, "{name}");
    }
}

#[test]
fn the_stories_hold_every_kind_of_record() {
    let all: Vec<_> =
        stories().into_iter().flat_map(|(_, journal)| journal).map(|(_, record)| record.kind()).collect();
    for kind in Record::KINDS {
        assert!(all.contains(&kind), "{kind}");
    }
}

#[test]
fn what_a_reader_does_not_know_is_refused_and_never_skipped() {
    let (_, journal) = stories().into_iter().next().unwrap();
    let record = journal[1].1.encode().unwrap();
    let newer = record.replace("\"min_reader\":1", "\"min_reader\":2");
    assert!(matches!(Record::decode(&newer), Err(CodecError::TooNew { needed: 2, .. })));
    let unknown = record.replace("\"kind\":\"intent\"", "\"kind\":\"intention\"");
    assert!(
        matches!(Record::decode(&unknown), Err(CodecError::UnknownKind { kind, .. }) if kind == "intention")
    );
    let flagged = record.replace("\"flags\":[]", "\"flags\":[\"fast-lane\"]");
    assert!(
        matches!(Record::decode(&flagged), Err(CodecError::UnknownFlag { flag, .. }) if flag == "fast-lane")
    );
    assert!(matches!(Record::decode("{}"), Err(CodecError::Malformed(_))));
}

#[test]
fn a_journal_that_contradicts_itself_is_refused_with_the_entry() {
    let (_, journal) = stories().into_iter().next().unwrap();
    assert_eq!(fold(&journal[1..]).unwrap_err(), JournalError::NoPlan);
    let doubled = [&journal[..2], &journal[1..2]].concat();
    assert!(matches!(fold(&doubled), Err(JournalError::Contradiction { entry: 2, kind: "intent", .. })));
    let mut stale = journal.clone();
    stale[1].0 += 1;
    assert!(matches!(fold(&stale), Err(JournalError::Contradiction { entry: 2, kind: "outcome", .. })));
    let after_the_end = [&journal[..], &journal[1..2]].concat();
    assert!(matches!(fold(&after_the_end), Err(JournalError::Contradiction { kind: "intent", .. })));
}

#[test]
#[ignore = "writes the files of new stories"]
fn write_new_journals() {
    for (name, journal) in stories() {
        let path = folder().join(format!("{name}.journal"));
        if !path.exists() {
            fs::write(path, write(&journal)).unwrap();
            fs::write(folder().join(format!("{name}.txt")), account(&journal)).unwrap();
        }
    }
}
