//! Reads a threshold word by word.

use super::threshold::{ALLOWED, Measure, Span};
use super::{InvalidValue, LatencyBound, Percent, Period};

/// What is left to read of a threshold. Units may be set apart: `5 %` and `5%`, `10m` and `10 minutes`.
pub(super) struct Reader<'a> {
    whole: &'a str,
    words: Vec<&'a str>,
    next: usize,
}

/// Times in words.
const WORDS: [(&str, &str); 6] =
    [("second", "s"), ("seconds", "s"), ("minute", "m"), ("minutes", "m"), ("hour", "h"), ("hours", "h")];

impl<'a> Reader<'a> {
    pub(super) fn of(whole: &'a str) -> Self {
        Self { whole, words: whole.split_whitespace().collect(), next: 0 }
    }

    pub(super) fn measure(&mut self) -> Result<Measure, InvalidValue> {
        if let Some(rank) = self.peek().and_then(|word| word.strip_prefix('p')) {
            let rank = rank.parse()?;
            self.next += 1;
            self.expect(&["over"])?;
            return Ok(Measure::Percentile { rank, over: self.bound()? });
        }
        self.expect(&["error", "rate"])?;
        if self.take("over") {
            return Ok(Measure::ErrorRate { over: self.percent()? });
        }
        let by = self.percent()?;
        self.expect(&["over", "baseline"])?;
        Ok(Measure::ErrorRateOverBaseline { by })
    }

    pub(super) fn span(&mut self) -> Result<Span, InvalidValue> {
        if self.take("within") {
            return Ok(Span::Within(self.period()?));
        }
        self.expect(&["in"])?;
        let scrapes = self.number()?;
        if !self.take("scrapes") {
            self.expect(&["scrape"])?;
        }
        if self.take("in") {
            self.expect(&["a", "row"])?;
            return Ok(Span::InARow(scrapes));
        }
        Ok(Span::InAll(scrapes))
    }

    /// Reads how many requests it takes, if that is said, and that nothing comes after it.
    pub(super) fn least(&mut self) -> Result<Option<u64>, InvalidValue> {
        if self.peek().is_none() {
            return Ok(None);
        }
        self.expect(&["of", "at", "least"])?;
        let least = self.number()?;
        self.expect(&["requests"])?;
        if self.peek().is_some() { Err(self.refused()) } else { Ok(Some(least)) }
    }

    fn percent(&mut self) -> Result<Percent, InvalidValue> {
        let word = self.word()?;
        if word.ends_with('%') {
            return word.parse();
        }
        self.expect(&["%"])?;
        format!("{word} %").parse()
    }

    fn bound(&mut self) -> Result<LatencyBound, InvalidValue> {
        let word = self.word()?;
        match self.peek() {
            Some(unit @ ("us" | "ms" | "s")) => {
                self.next += 1;
                format!("{word}{unit}").parse()
            }
            _ => word.parse(),
        }
    }

    fn period(&mut self) -> Result<Period, InvalidValue> {
        let word = self.word()?;
        let unit = self.peek().and_then(|unit| WORDS.iter().find(|(word, _)| *word == unit));
        match unit {
            Some((_, unit)) => {
                self.next += 1;
                format!("{word}{unit}").parse()
            }
            None => word.parse(),
        }
    }

    fn number<N: std::str::FromStr>(&mut self) -> Result<N, InvalidValue> {
        self.word()?.parse().map_err(|_| self.refused())
    }

    fn word(&mut self) -> Result<&'a str, InvalidValue> {
        let word = self.peek().ok_or_else(|| self.refused())?;
        self.next += 1;
        Ok(word)
    }

    fn expect(&mut self, words: &[&str]) -> Result<(), InvalidValue> {
        words.iter().try_for_each(|word| if self.take(word) { Ok(()) } else { Err(self.refused()) })
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        self.next += usize::from(is_next);
        is_next
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    fn refused(&self) -> InvalidValue {
        InvalidValue::new("threshold", self.whole, ALLOWED)
    }
}
