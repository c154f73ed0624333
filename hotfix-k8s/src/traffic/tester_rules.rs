//! The same as [`super::testers`] for the rules of an HTTPRoute.
//!
//! Among rules the one with the most specific match decides, and a rule for testers asks for a header more than the one
//! that it is a copy of, so it takes from that rule alone. Names of rules are unique, so those of testers are numbered.

use hotfix_core::model::SlotName;
use json_patch::PatchOperation;
use serde_json::{Value, json};

use super::cursor::Misfit;
use super::http_route::{HttpRoute, OurRule};
use super::shares::{self, Foreign};
use super::testers::{NAME, place, taken};
use super::{NotUnderstood, Route};
use crate::config::Testers;
use crate::slot::Side;

impl HttpRoute {
    /// Returns what makes testers, and only they, reach `slot`; nothing when they do.
    pub(super) fn open_to_testers(
        &self,
        object: &Value,
        testers: &Testers,
        slot: &SlotName,
    ) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let wanted =
            self.slots.side(slot).ok_or_else(|| shares::unknown(&self.slots, slot)).and_then(|side| {
                let ours = self.ours(object, Foreign::PassedOver)?.into_iter().enumerate();
                ours.map(|(number, ours)| Ok((ours.index, rule(testers, number, &ours, side)?))).collect()
            });
        self.tester_rules(object, wanted)
    }

    /// Returns what takes the rules for testers away.
    pub(super) fn close_to_testers(&self, object: &Value) -> Result<Vec<PatchOperation>, NotUnderstood> {
        self.tester_rules(object, Ok(Vec::new()))
    }

    fn tester_rules(
        &self,
        object: &Value,
        wanted: Result<Vec<(usize, Value)>, Misfit>,
    ) -> Result<Vec<PatchOperation>, NotUnderstood> {
        wanted.and_then(|wanted| place(object, "rules", &wanted)).map_err(|misfit| misfit.of(self.object()))
    }
}

fn rule(testers: &Testers, number: usize, ours: &OurRule<'_>, side: Side) -> Result<Value, Misfit> {
    let header = json!({"type": "Exact", "name": testers.header(), "value": testers.value()});
    let mut matches = Vec::new();
    for alternative in ours.rule.list("matches")? {
        let mut headers = Vec::new();
        for asked in alternative.list("headers")? {
            if asked.text("name")?.is_some_and(|name| name.eq_ignore_ascii_case(testers.header())) {
                return Err(taken(&asked));
            }
            headers.push(asked.value().clone());
        }
        headers.push(header.clone());
        let mut narrowed = alternative.value().clone();
        narrowed["headers"] = Value::Array(headers);
        matches.push(narrowed);
    }
    if matches.is_empty() {
        matches.push(json!({"path": {"type": "PathPrefix", "value": "/"}, "headers": [header]}));
    }
    let mut backend = ours.shares.entry(side).value().clone();
    // What the API would put there, so that the rule is known again.
    backend["weight"] = json!(1);
    let mut copy = ours.rule.value().clone();
    copy["name"] = json!(format!("{NAME}-{number}"));
    copy["matches"] = Value::Array(matches);
    copy["backendRefs"] = json!([backend]);
    Ok(copy)
}

#[cfg(test)]
#[path = "tester_rules_tests.rs"]
mod tests;
