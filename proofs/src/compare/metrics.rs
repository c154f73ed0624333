//! Answers of Prometheus: parsed into flat tables, and into a tree of JSON values.

use std::hint::black_box;
use std::str::FromStr;

use hotfix_benches::Failure;
use hotfix_benches::answer::answer;
use hotfix_benches::program::{program, run};
use hotfix_metrics::Answer;

use super::case::{Better, Case, Figure, Goal};
use super::clock::micros_each;
use super::memory::resident;
use crate::say;

const SERIES: usize = 10_000;
const FASTER: f64 = 3.0;
const SMALLER: f64 = 10.0;

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    let body = answer(SERIES);
    Parser::Flat.check(&body)?;
    let case = |name: &str, ours, peer, goal| Case {
        name: name.to_owned(),
        ours,
        peer: Some(peer),
        better: Better::Less,
        goal: Goal::Ratio(goal),
    };
    let time = |parser: Parser| {
        let Figure { value, .. } = micros_each(|| parser.parse_and_drop(&body));
        Figure { value: value / 1000.0, unit: "ms" }
    };
    print(case("parse-10000-series", time(Parser::Flat), time(Parser::Tree), FASTER));
    print(case("hold-10000-series", memory("flat")?, memory("tree")?, SMALLER));
    Ok(())
}

/// Measures in a process of its own, which has done nothing else.
fn memory(parser: &str) -> Result<Figure, Failure> {
    let mut part = program(std::env::current_exe()?);
    let bytes: f64 = run(part.args(["part", "answer-memory", parser]))?.parse()?;
    Ok(Figure { value: bytes / 1024.0 / 1024.0, unit: "MiB" })
}

/// Parses the answer, holds it, and says how many bytes that takes.
pub(super) fn hold(parser: Parser) -> Result<(), Failure> {
    let body = answer(SERIES);
    let before = resident()?;
    let flat = (parser == Parser::Flat).then(|| Answer::parse(body.as_bytes()));
    let tree = (parser == Parser::Tree).then(|| serde_json::from_str::<serde_json::Value>(&body));
    let after = resident()?;
    black_box((flat, tree));
    say(&format!("{}", after.saturating_sub(before)));
    Ok(())
}

/// Who parses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parser {
    Flat,
    Tree,
}

impl FromStr for Parser {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        match name {
            "flat" => Ok(Self::Flat),
            "tree" => Ok(Self::Tree),
            _ => Err(Failure::new(format!("no parser {name}"))),
        }
    }
}

impl Parser {
    fn parse_and_drop(self, body: &str) {
        match self {
            Self::Flat => drop(black_box(Answer::parse(black_box(body.as_bytes())))),
            Self::Tree => {
                drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes()))))
            }
        }
    }

    fn check(self, body: &str) -> Result<(), Failure> {
        let found = Answer::parse(body.as_bytes()).map_err(|error| Failure::new(error.to_string()))?;
        let samples: usize = found.series().map(|series| series.samples().len()).sum();
        if samples == SERIES * 6 { Ok(()) } else { Err(Failure::new(format!("{samples} samples were read"))) }
    }
}
