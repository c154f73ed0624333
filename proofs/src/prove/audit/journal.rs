//! The journal, read from the SQLite file by plain SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::{Ending, Findings, Stamp};

/// What the store's file holds.
#[derive(Debug)]
pub(in crate::prove) struct Journal {
    runs: Vec<Run>,
    pub(in crate::prove) entries: Vec<Entry>,
    /// Targets that some run still holds.
    claimed: Vec<String>,
}

#[derive(Debug)]
struct Run {
    state: String,
    epoch: u64,
    expires_at: i64,
}

/// One journal entry.
#[derive(Debug)]
pub(in crate::prove) struct Entry {
    pub(in crate::prove) run: String,
    seq: u64,
    epoch: u64,
    /// Microseconds since 1970.
    pub(in crate::prove) at: i64,
    pub(in crate::prove) text: String,
    body: Value,
}

/// An effect that somebody was about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::prove) struct Intent {
    pub(in crate::prove) run: String,
    pub(in crate::prove) step: u16,
    pub(in crate::prove) key: String,
    /// Microseconds since 1970.
    pub(in crate::prove) at: i64,
}

/// The life of a run, in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::prove) struct Life {
    pub(in crate::prove) id: String,
    pub(in crate::prove) began_at: i64,
    /// When a verdict said that it must go back.
    pub(in crate::prove) failed_at: Option<i64>,
    pub(in crate::prove) ended_at: Option<i64>,
    /// How many of the steps lead forward; those from there on lead back.
    pub(in crate::prove) forward: u16,
}

impl Entry {
    pub(in crate::prove) fn is(&self, kind: &str) -> bool {
        self.body["kind"] == kind
    }

    /// Whether a verdict says that the release may go on.
    fn passed(&self) -> bool {
        self.body["body"]["verdict"]["outcome"] == "pass"
    }
}

impl Journal {
    /// Reads the file; one that is not there holds nothing.
    pub(in crate::prove) fn read(path: &Path) -> Result<Self, String> {
        let empty = Self { runs: Vec::new(), entries: Vec::new(), claimed: Vec::new() };
        if !path.exists() {
            return Ok(empty);
        }
        let read = || -> rusqlite::Result<Self> {
            // Whoever opens the file first after a kill has to recover its log, which a read-only connection cannot.
            let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            db.pragma_update(None, "query_only", true)?;
            db.busy_timeout(std::time::Duration::from_secs(5))?;
            if !db.table_exists(None, "journal")? {
                return Ok(empty);
            }
            let mut sql = db.prepare("SELECT state, epoch, expires_at FROM run ORDER BY number")?;
            let runs = sql.query_map([], |row| {
                let epoch: i64 = row.get(1)?;
                Ok(Run { state: row.get(0)?, epoch: epoch.cast_unsigned(), expires_at: row.get(2)? })
            })?;
            let mut sql_entries = db.prepare(
                "SELECT seq, journal.epoch, at, body, id FROM journal JOIN run ON run.number = run ORDER BY journal.number",
            )?;
            let entries = sql_entries.query_map([], |row| {
                let (seq, epoch): (i64, i64) = (row.get(0)?, row.get(1)?);
                let text: String = row.get(3)?;
                let body = serde_json::from_str(&text).unwrap_or(Value::Null);
                let (seq, epoch) = (seq.cast_unsigned(), epoch.cast_unsigned());
                Ok(Entry { run: row.get(4)?, seq, epoch, at: row.get(2)?, text, body })
            })?;
            let mut sql_claims = db.prepare("SELECT name FROM target WHERE active_run IS NOT NULL")?;
            let claimed = sql_claims.query_map([], |row| row.get(0))?;
            Ok(Self {
                runs: runs.collect::<rusqlite::Result<_>>()?,
                entries: entries.collect::<rusqlite::Result<_>>()?,
                claimed: claimed.collect::<rusqlite::Result<_>>()?,
            })
        };
        read().map_err(|error| format!("{}: {error}", path.display()))
    }

    /// A forged journal with one run.
    #[cfg(test)]
    pub(super) fn of(state: &str, claimed: &[&str], records: &[Value]) -> Self {
        let timed: Vec<_> = records.iter().map(|record| ("run-1", 0, record.clone())).collect();
        let runs = vec![Run { state: state.to_owned(), epoch: 1, expires_at: 0 }];
        let claimed = claimed.iter().map(|name| (*name).to_owned()).collect();
        Self { runs, claimed, ..Self::timed(&timed) }
    }

    /// A forged journal with the run of each record and when it was written. Every run is an epoch: `run-2` is the second.
    #[cfg(test)]
    pub(in crate::prove) fn timed(records: &[(&str, i64, Value)]) -> Self {
        let entry = |(seq, (run, at, body)): (u64, &(&str, i64, Value))| Entry {
            run: (*run).to_owned(),
            seq,
            epoch: run.rsplit('-').next().and_then(|epoch| epoch.parse().ok()).unwrap_or(1),
            at: *at,
            text: body.to_string(),
            body: body.clone(),
        };
        Self { runs: Vec::new(), entries: (0..).zip(records).map(entry).collect(), claimed: Vec::new() }
    }

    /// Whether nobody is in the middle of a transaction that writes.
    pub(in crate::prove) fn is_free(path: &Path) -> bool {
        let look = || -> rusqlite::Result<()> {
            let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            db.busy_timeout(std::time::Duration::ZERO)?;
            db.execute_batch("BEGIN IMMEDIATE; ROLLBACK")
        };
        look().is_ok()
    }

    pub(in crate::prove) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn epochs(&self) -> Vec<u64> {
        self.runs.iter().map(|run| run.epoch).collect()
    }

    /// The highest epoch of any run.
    pub(in crate::prove) fn epoch(&self) -> u64 {
        self.epochs().into_iter().max().unwrap_or(0)
    }

    /// When the lease of the last run ends, in microseconds since 1970.
    pub(in crate::prove) fn lease_ends(&self) -> i64 {
        self.runs.last().map_or(0, |run| run.expires_at)
    }

    /// When the last takeover was written, in microseconds since 1970.
    pub(in crate::prove) fn last_takeover(&self) -> Option<i64> {
        self.entries.iter().rfind(|entry| entry.is("takeover")).map(|entry| entry.at)
    }

    /// The committed intents: which effect each stamp stands for.
    pub(in crate::prove) fn intents(&self) -> BTreeMap<Stamp, Intent> {
        let intents = self.entries.iter().filter(|entry| entry.is("intent"));
        let stamped = intents.filter_map(|entry| {
            let body = &entry.body["body"];
            let step = body["step"].as_u64()?.try_into().ok()?;
            let key = body["key"].as_str()?.to_owned();
            Some((stamp(&body["stamp"])?, Intent { run: entry.run.clone(), step, key, at: entry.at }))
        });
        stamped.collect()
    }

    /// The seals that somebody noted, each with when, in microseconds since 1970.
    pub(in crate::prove) fn seals(&self) -> Vec<(Stamp, i64)> {
        let sealed = self.entries.iter().filter(|entry| entry.is("sealed"));
        sealed.filter_map(|entry| Some((stamp(&entry.body["body"]["stamp"])?, entry.at))).collect()
    }

    /// The stamp of the first attempt at a step.
    pub(in crate::prove) fn first_stamp_of(&self, step: u16) -> Option<Stamp> {
        self.intents().into_iter().find(|(_, intent)| intent.step == step).map(|(stamp, _)| stamp)
    }

    /// When an epoch began, in microseconds since 1970.
    pub(in crate::prove) fn epoch_begins(&self, epoch: u64) -> Option<i64> {
        self.entries.iter().find(|entry| entry.epoch == epoch).map(|entry| entry.at)
    }

    /// The run that a stamp belongs to: that of its intent; a seal has none, but an epoch.
    pub(in crate::prove) fn run_of(&self, stamp: Stamp) -> Option<Life> {
        let intended = self.intents().get(&stamp).map(|intent| intent.run.clone());
        let claimed =
            || self.entries.iter().find(|entry| entry.epoch == stamp.0).map(|entry| entry.run.clone());
        self.life(&intended.or_else(claimed)?)
    }

    fn life(&self, id: &str) -> Option<Life> {
        let own = || self.entries.iter().filter(|entry| entry.run == id);
        let first = own().next()?;
        let forward = first.body.pointer("/body/plan/steps").and_then(Value::as_array).map_or(0, Vec::len);
        let failed = |entry: &&Entry| entry.is("verdict") && !entry.passed();
        Some(Life {
            id: id.to_owned(),
            began_at: first.at,
            failed_at: own().find(failed).map(|entry| entry.at),
            ended_at: own().find(|entry| entry.is("terminal")).map(|entry| entry.at),
            forward: forward.try_into().unwrap_or(u16::MAX),
        })
    }

    /// How its runs ended, each in a word.
    pub(in crate::prove) fn outcomes(&self) -> Vec<String> {
        let ends = self.entries.iter().filter(|entry| entry.is("terminal"));
        ends.filter_map(|entry| entry.body["body"]["outcome"].as_str().map(str::to_owned)).collect()
    }

    /// Everything that one more entry would change.
    pub(in crate::prove) fn sum(&self) -> String {
        format!("{} entries, epochs {:?}", self.entries.len(), self.epochs())
    }

    pub(in crate::prove) fn check_ended(&self, ending: Ending, findings: &mut Findings) {
        let runs = usize::from(ending != Ending::Nothing);
        findings.check(self.runs.len() == runs, || format!("{} runs instead of {runs}", self.runs.len()));
        for run in &self.runs {
            findings.check(run.state == "ended", || format!("the run is {}", run.state));
        }
        findings.check(self.claimed.is_empty(), || format!("still claimed: {:?}", self.claimed));
        for (expected, entry) in (0..).zip(&self.entries) {
            findings
                .check(entry.seq == expected, || format!("entry {expected} has the number {}", entry.seq));
        }
        let falls = self.entries.windows(2).find(|pair| pair[1].epoch < pair[0].epoch);
        findings.check(falls.is_none(), || {
            format!("the epoch falls at entry {:?}", falls.map(|pair| pair[1].seq))
        });
        self.check_effects(findings);
        self.check_negatives(findings);
        if ending == Ending::Nothing {
            return;
        }
        let terminal: Vec<_> = self.entries.iter().filter(|entry| entry.is("terminal")).collect();
        findings.check(terminal.len() == 1, || format!("{} terminal records", terminal.len()));
        findings.check(self.entries.last().is_some_and(|entry| entry.is("terminal")), || {
            "the last record is not the terminal one".to_owned()
        });
        let outcome = terminal.first().map(|entry| entry.body["body"]["outcome"].clone()).unwrap_or_default();
        findings.check(outcome == ending.outcome(), || {
            format!("the outcome is {outcome}, not {}", ending.outcome())
        });
        let gates: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.is("verdict"))
            .map(|entry| (&entry.run, entry.body["body"]["step"].as_u64()))
            .collect();
        let judged: BTreeSet<_> = gates.iter().collect();
        findings.check(judged.len() == gates.len(), || format!("a gate was judged twice: {gates:?}"));
        let verdicts: Vec<bool> =
            self.entries.iter().filter(|entry| entry.is("verdict")).map(Entry::passed).collect();
        let proven = !verdicts.is_empty() && verdicts.iter().all(|passed| *passed);
        findings.check(proven || outcome != Ending::Live.outcome(), || {
            format!("it succeeded with the verdicts {verdicts:?}")
        });
    }

    /// "Not applied" is believed of an effect whose sender did not hear of it only when the target was sealed above it.
    fn check_negatives(&self, findings: &mut Findings) {
        let mut sealed: BTreeMap<u64, Stamp> = BTreeMap::new();
        for entry in &self.entries {
            let body = &entry.body["body"];
            let (Some(step), Some(stamp)) = (body["step"].as_u64(), stamp(&body["stamp"])) else { continue };
            if entry.is("sealed") {
                sealed.insert(step, stamp);
            }
            let failure = &body["result"]["failure"];
            if entry.is("outcome") && (failure == "interrupted" || !failure["unanswered"].is_null()) {
                findings.check(sealed.get(&step).is_some_and(|seal| *seal > stamp), || {
                    format!(
                        "step {step} at {stamp:?} counts as not applied, sealed is {:?}",
                        sealed.get(&step)
                    )
                });
            }
        }
    }

    /// Every intent has one outcome and stamps rise.
    fn check_effects(&self, findings: &mut Findings) {
        let stamps = |kind: &str| -> Vec<Stamp> {
            let of_kind = self.entries.iter().filter(|entry| entry.is(kind));
            of_kind.filter_map(|entry| stamp(&entry.body["body"]["stamp"])).collect()
        };
        let (intents, outcomes) = (stamps("intent"), stamps("outcome"));
        findings
            .check(intents == outcomes, || format!("intents {intents:?} and outcomes {outcomes:?} differ"));
        let rising = intents.windows(2).all(|pair| pair[0] < pair[1]);
        findings.check(rising, || format!("the stamps of the intents do not rise: {intents:?}"));
    }
}

/// Reads a stamp.
pub(super) fn stamp(value: &Value) -> Option<Stamp> {
    Some((value["epoch"].as_u64()?, value["seq"].as_u64()?))
}
