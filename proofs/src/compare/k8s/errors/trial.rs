//! What one trial gives, and which scrapes it took.

use std::time::Duration;

use chrono::TimeDelta;
use hotfix_core::model::Timestamp;

use super::scene::Scraped;

/// A canary that turned bad and lost its traffic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    /// From when it turned bad to weight 0.
    pub(super) took: Duration,
    /// From the scrape with which the evidence sufficed to weight 0; `None` where nobody says which that was.
    pub(super) late: Option<Duration>,
    /// How many scrapes of it were read of which a part or all was bad.
    pub(super) scrapes: usize,
    /// How many of these were bad as a whole.
    pub(super) whole: usize,
}

/// When the canary turned bad, and when it had no traffic any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turned {
    pub(super) at: Timestamp,
    pub(super) took: Duration,
}

impl Turned {
    /// Weighs the scrapes up to the one with which whoever decided had seen enough.
    pub(super) fn decided_by(self, last: Scraped, scrapes: &[Scraped]) -> Trial {
        let left = self.at + TimeDelta::from_std(self.took).unwrap_or(TimeDelta::MAX);
        let late = (left - last.at).to_std().unwrap_or_default();
        Trial { late: Some(late), ..self.by(last.at, scrapes) }
    }

    /// The same where all that is known is that it was before weight 0.
    pub(super) fn decided(self, scrapes: &[Scraped]) -> Trial {
        self.by(self.at + TimeDelta::from_std(self.took).unwrap_or(TimeDelta::MAX), scrapes)
    }

    fn by(self, end: Timestamp, scrapes: &[Scraped]) -> Trial {
        let of_it = |scrape: &Scraped| scrape.at > self.at && scrape.at <= end;
        let bad = scrapes.iter().filter(|scrape| of_it(scrape)).count();
        let whole = scrapes.windows(2).filter(|pair| of_it(&pair[1]) && pair[0].at >= self.at).count();
        Trial { took: self.took, late: None, scrapes: bad, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_bad_as_a_whole_when_the_one_before_was_made_after_the_turn() {
        let at = |seconds: i64| Timestamp::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let scrapes = [0, 10, 20, 30, 40].map(|seconds| Scraped { at: at(seconds), requests: 1.0 });
        let turned = Turned { at: at(14), took: Duration::from_secs(22) };
        let trial = turned.decided_by(scrapes[3], &scrapes);
        assert_eq!((trial.scrapes, trial.whole, trial.late), (2, 1, Some(Duration::from_secs(6))));
        let trial = turned.decided(&scrapes);
        assert_eq!((trial.scrapes, trial.whole, trial.late), (2, 1, None));
    }
}
