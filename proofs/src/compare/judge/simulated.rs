//! The judge and what others do instead, on the same simulated traffic: how often each is wrong, and how late it is right.
//!
//! Limits in brackets are those of 99 % confidence.

use std::fmt;

use hotfix_benches::Failure;
use hotfix_core::model::{InvalidValue, Profile};

use crate::simulation::ladder::{Climb, Climber, End};
use crate::simulation::method::Method;
use crate::simulation::traffic::Truth;
use crate::simulation::{SCRAPES_A_MINUTE, each, limit};

/// Runs of each case at one weight.
const RUNS: u32 = 4000;
/// The same of methods that take long.
const FEW_RUNS: u32 = 400;
/// Runs of each ladder.
const CLIMBS: u32 = 1000;
/// Scrapes at one weight: 25 minutes.
const SCRAPES: u32 = 100;
/// How often a harmless canary may be rolled back.
const MOST_FALSE_ALARMS: f64 = 0.01;

/// One line: what was simulated, and what came out for the judge and for a peer.
struct Row {
    name: String,
    ours: Box<dyn fmt::Display>,
    peer: Option<Box<dyn fmt::Display>>,
    ratio: Option<f64>,
    goal: String,
}

pub(super) fn simulate(print: &impl Fn(&dyn fmt::Display)) -> Result<(), Failure> {
    false_alarms(print)?;
    delays(print)?;
    ladders(print)?;
    Ok(())
}

fn judge() -> Method {
    Method::Judge(Box::default())
}

/// What people do instead. None of the limits is tuned to the error rates below, as those of an emergency are not known.
fn peers() -> Result<Vec<Method>, InvalidValue> {
    Ok(vec![
        Method::Argo { over: 0.01, allowed: 0 },
        Method::Flagger { over: 0.01, limit: 5 },
        Method::Flagger { over: 0.02, limit: 5 },
        Method::Ratio { over: 1.5 },
        Method::Binomial,
        Method::Kayenta,
        Method::KayentaOnce { at: 50 },
        Method::Ranks,
        Method::Rule("error rate over 5 % within 10m".parse()?),
        Method::Rule("error rate over 1 % in 3 scrapes in a row".parse()?),
        Method::Rule("error rate 50 % over baseline within 10m".parse()?),
    ])
}

fn slow_rule() -> Result<Method, InvalidValue> {
    Ok(Method::Rule("p95 over 500ms in 3 scrapes in a row".parse()?))
}

/// How often a canary that is as good as its baseline is condemned within 25 minutes at 10 %.
fn false_alarms(print: &impl Fn(&dyn fmt::Display)) -> Result<(), Failure> {
    for (rate, burst) in [(0.001, 1.0), (0.01, 1.0), (0.05, 1.0), (0.01, 3.0), (0.01, 5.0)] {
        let truth = Truth::errors(rate, rate).in_bursts_of(burst);
        let bursts = if burst > 1.0 { format!(" in bursts of {burst}") } else { String::new() };
        let ours = alarms(&judge(), truth)?.share();
        let (low, _) = ours.limits();
        for peer in peers()? {
            let peer_share = alarms(&peer, truth)?.share();
            print(&Row {
                name: format!("false alarms at {} errors{bursts}, {}", percent(rate), peer.name()),
                ours: Box::new(ours),
                peer: Some(Box::new(peer_share)),
                ratio: None,
                goal: goal("<=1%", low <= MOST_FALSE_ALARMS),
            });
        }
    }
    let truth = Truth::errors(0.001, 0.001).slower(1.0);
    let (timed, peer) = (alarms(&judge(), truth)?.share(), slow_rule()?);
    print(&Row {
        name: format!("false alarms at latencies of 60 to 240 ms, {}", peer.name()),
        ours: Box::new(timed),
        peer: Some(Box::new(alarms(&peer, truth)?.share())),
        ratio: None,
        goal: goal("<=1%", timed.limits().0 <= MOST_FALSE_ALARMS),
    });
    Ok(())
}

/// After how many scrapes harm is found at 10 %.
fn delays(print: &impl Fn(&dyn fmt::Display)) -> Result<(), Failure> {
    for (truth, most) in [
        (Truth::errors(0.001, 0.01), 12.0),
        (Truth::errors(0.01, 0.02), 40.0),
        (Truth::errors(0.01, 0.1), 3.0),
        (Truth::errors(0.001, 1.0), 2.0),
    ] {
        let ours = alarms(&judge(), truth)?;
        for peer in peers()? {
            let found = alarms(&peer, truth)?;
            print(&Row {
                name: format!(
                    "finding {} to {} errors, {}",
                    percent(truth.baseline),
                    percent(truth.canary),
                    peer.name()
                ),
                ratio: found.ratio(&ours),
                ours: Box::new(ours.clone()),
                goal: goal(&format!("<={most} scrapes"), ours.mean() <= most),
                peer: Some(Box::new(found)),
            });
        }
    }
    for (slower, most) in [(1.5, 7.0), (2.0, 4.0)] {
        // The first scrape tells nothing of latency.
        let truth = Truth::errors(0.001, 0.001).slower(slower);
        let ours = alarms(&judge(), truth)?;
        let peer = slow_rule()?;
        let found = alarms(&peer, truth)?;
        print(&Row {
            name: format!("finding requests {slower} times as slow, {}", peer.name()),
            ratio: found.ratio(&ours),
            goal: goal(&format!("<={most} scrapes"), ours.mean() <= most),
            ours: Box::new(ours),
            peer: Some(Box::new(found)),
        });
    }
    Ok(())
}

/// How ladders of 10, 25, 50 and 75 % end.
fn ladders(print: &impl Fn(&dyn fmt::Display)) -> Result<(), Failure> {
    let truths = [
        ("healthy", 0.001, 0.001, End::Promoted),
        ("healthy", 0.01, 0.01, End::Promoted),
        ("broken as before", 0.05, 0.05, End::Promoted),
        ("broken beyond any ceiling as before", 0.2, 0.2, End::Frozen),
        ("fixed", 0.05, 0.001, End::Promoted),
        ("harmful", 0.001, 0.01, End::RolledBack),
        ("harmful", 0.01, 0.02, End::RolledBack),
        ("harmful", 0.01, 0.1, End::RolledBack),
        ("harmful", 0.001, 1.0, End::RolledBack),
    ];
    let climbers = [
        ("judge fast", Climber::Judge(Box::new(Profile::Fast.into()))),
        ("argo limit 0", Climber::Argo { allowed: 0 }),
        ("argo limit 3", Climber::Argo { allowed: 3 }),
        ("flagger", Climber::Flagger),
    ];
    for (what, baseline, canary, wanted) in truths {
        let truth = Truth::errors(baseline, canary);
        let ours = Ladders::of(&Climber::Judge(Box::default()), truth, wanted)?;
        for (name, climber) in &climbers {
            print(&Row {
                name: format!("ladder, {what}, {} to {} errors, {name}", percent(baseline), percent(canary)),
                ours: Box::new(ours),
                peer: Some(Box::new(Ladders::of(climber, truth, wanted)?)),
                ratio: None,
                goal: "-".to_owned(),
            });
        }
    }
    Ok(())
}

fn alarms(method: &Method, truth: Truth) -> Result<Alarms, InvalidValue> {
    let traffic = Method::traffic(truth)?;
    // The same traffic for every method.
    let cell = format!("{truth:?}");
    let runs = if method.is_slow() { FEW_RUNS } else { RUNS };
    each(&cell, runs, |random| method.alarm(&traffic, SCRAPES, random)).map(Alarms)
}

/// After how many scrapes there was an alarm, in each run.
#[derive(Clone)]
struct Alarms(Vec<Option<u32>>);

impl Alarms {
    fn share(&self) -> Share {
        Share::of(self.0.iter().flatten().count(), self.0.len())
    }

    /// The mean of those that were found.
    fn mean(&self) -> f64 {
        mean(self.0.iter().flatten().map(|scrapes| f64::from(*scrapes)))
    }

    /// How many times as long it took as another, if both find nearly all.
    fn ratio(&self, other: &Self) -> Option<f64> {
        let finds = |alarms: &Self| alarms.0.iter().flatten().count() * 20 >= alarms.0.len() * 19;
        (finds(self) && finds(other)).then(|| self.mean() / other.mean())
    }

    /// Half the width of the mean's limits.
    fn doubt(&self) -> f64 {
        let found: Vec<f64> = self.0.iter().flatten().map(|scrapes| f64::from(*scrapes)).collect();
        let variance = mean(found.iter().map(|scrapes| (scrapes - self.mean()).powi(2)));
        2.576 * (variance / found.len() as f64).sqrt()
    }
}

impl fmt::Display for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.iter().all(Option::is_none) {
            return f.write_str("never");
        }
        write!(f, "{:.1}scrapes[+-{:.1}] in {}", self.mean(), self.doubt(), self.share())
    }
}

/// A share of runs.
#[derive(Clone, Copy)]
struct Share {
    hits: u32,
    runs: u32,
}

impl Share {
    fn of(hits: usize, runs: usize) -> Self {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { hits: count(hits), runs: count(runs) }
    }

    fn limits(self) -> (f64, f64) {
        (limit::lower(self.hits, self.runs), limit::upper(self.hits, self.runs))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.limits();
        let share = f64::from(self.hits) / f64::from(self.runs);
        let [share, low, high] = [share, low, high].map(|share| share * 100.0);
        write!(f, "{share:.2}%[{low:.2},{high:.2}]")
    }
}

/// How many ladders ended as they should, how long these took, and what all of them cost.
#[derive(Clone, Copy)]
struct Ladders {
    wanted: End,
    share: Share,
    minutes: f64,
    excess: f64,
}

impl Ladders {
    fn of(climber: &Climber, truth: Truth, wanted: End) -> Result<Self, InvalidValue> {
        let traffic = Climber::traffic(truth)?;
        let cell = format!("{truth:?}");
        let climbs = each(&cell, CLIMBS, |random| climber.climb(&traffic, random))?;
        let ended: Vec<&Climb> = climbs.iter().filter(|climb| climb.end == wanted).collect();
        Ok(Self {
            wanted,
            share: Share::of(ended.len(), climbs.len()),
            minutes: mean(ended.iter().map(|climb| f64::from(climb.scrapes) / SCRAPES_A_MINUTE)),
            excess: mean(climbs.iter().map(|climb| climb.excess)),
        })
    }
}

impl fmt::Display for Ladders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.wanted {
            End::Promoted => "promoted",
            End::RolledBack => "rolled back",
            End::Frozen => "left to a human",
        };
        write!(f, "{} {end}", self.share)?;
        if self.share.hits > 0 {
            write!(f, " after {:.1}min", self.minutes)?;
        }
        if self.excess > 0.5 { write!(f, " at {:.0} failed requests", self.excess) } else { Ok(()) }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ours={} peer=", self.name, self.ours)?;
        match &self.peer {
            Some(peer) => peer.fmt(f)?,
            None => f.write_str("none")?,
        }
        match self.ratio {
            Some(ratio) => write!(f, " ratio={ratio:.2}x")?,
            None => f.write_str(" ratio=-")?,
        }
        write!(f, " goal={}", self.goal)
    }
}

fn goal(text: &str, met: bool) -> String {
    format!("{text} {}", if met { "met" } else { "missed" })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1e5).round() / 1e3)
}
