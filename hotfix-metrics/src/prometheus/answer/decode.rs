//! Reads the JSON of an answer into its tables, without a tree in between.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::histogram::Body;
use super::number::{Millis, Value};
use super::symbols::Symbol;
use super::{Answer, Entry, Histogram, Refusal, Sample, Unreadable};

pub(super) fn answer(body: &[u8]) -> Result<Answer, Unreadable> {
    let mut answer = Answer::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let refusal =
        Envelope(&mut answer).deserialize(&mut json).and_then(|refusal| json.end().map(|()| refusal));
    match refusal {
        Ok(None) => {
            answer.symbols.finish();
            Ok(answer)
        }
        Ok(Some(refusal)) => Err(Unreadable::Refused(refusal)),
        Err(error) => Err(Unreadable::Malformed { reason: error.to_string() }),
    }
}

/// Declares a seed that reads a JSON value into a part of the answer.
macro_rules! seed {
    ($name:ident, $output:ty, $deserialize:ident) => {
        struct $name<'a>(&'a mut Answer);

        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = $output;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$output, D::Error> {
                deserializer.$deserialize(self)
            }
        }
    };
}

seed!(Envelope, Option<Refusal>, deserialize_map);
seed!(Data, (), deserialize_any);
seed!(AllSeries, (), deserialize_any);
seed!(OneSeries, (), deserialize_map);
seed!(Labels, (), deserialize_map);
seed!(Samples, (), deserialize_seq);
seed!(OneSample, (), deserialize_seq);
seed!(Histograms, (), deserialize_seq);
seed!(OneHistogram, (), deserialize_seq);

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = Option<Refusal>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `status`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut status: Option<String> = None;
        let mut refusal = Refusal::default();
        let mut data = false;
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "status" => status = Some(map.next_value()?),
                "data" => {
                    map.next_value_seed(Data(&mut *self.0))?;
                    data = true;
                }
                "errorType" => refusal.error_type = map.next_value()?,
                "error" => refusal.error = map.next_value()?,
                "warnings" => self.0.warnings = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default(),
                "infos" => self.0.infos = map.next_value::<Option<Vec<String>>>()?.unwrap_or_default(),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match status.as_deref() {
            Some("success") if data => Ok(None),
            Some("success") => Err(A::Error::missing_field("data")),
            Some("error") => Ok(Some(refusal)),
            Some(other) => Err(A::Error::custom(format_args!("the status is {other:?}"))),
            None => Err(A::Error::missing_field("status")),
        }
    }
}

impl<'de> Visitor<'de> for Data<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `result`")
    }

    /// An error may come with data that is null.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut result = false;
        while let Some(key) = map.next_key::<&str>()? {
            if key == "result" {
                map.next_value_seed(AllSeries(&mut *self.0))?;
                result = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if result { Ok(()) } else { Err(A::Error::missing_field("result")) }
    }
}

impl<'de> Visitor<'de> for AllSeries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series (a query must not give a scalar or a string)")
    }

    /// Some compatible servers write an empty result as null.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneSeries(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> Visitor<'de> for OneSeries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series with `metric` (a query must not give a scalar or a string)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let answer = self.0;
        let mut entry = Entry::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "metric" => {
                    let start = answer.labels.len();
                    map.next_value_seed(Labels(&mut *answer))?;
                    entry.labels = range(start, answer.labels.len())?;
                }
                "value" | "values" => {
                    let start = answer.samples.len();
                    if key == "value" {
                        map.next_value_seed(OneSample(&mut *answer))?;
                    } else {
                        map.next_value_seed(Samples(&mut *answer))?;
                    }
                    entry.samples = range(start, answer.samples.len())?;
                }
                "histogram" | "histograms" => {
                    let start = answer.histograms.len();
                    if key == "histogram" {
                        map.next_value_seed(OneHistogram(&mut *answer))?;
                    } else {
                        map.next_value_seed(Histograms(&mut *answer))?;
                    }
                    entry.histograms = range(start, answer.histograms.len())?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        answer.series.push(entry);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Labels<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Series stand beside their like: most labels are those of the series before, in the same order.
        let mut likely = self.0.series.last().map_or(0, |entry| entry.labels.start as usize);
        while let Some(name) = map.next_key_seed(Text { answer: &mut *self.0, likely, side: Side::Name })? {
            let value = map.next_value_seed(Text { answer: &mut *self.0, likely, side: Side::Value })?;
            self.0.labels.push((name, value));
            likely += 1;
        }
        Ok(())
    }
}

/// The name or the value of a label.
struct Text<'a> {
    answer: &'a mut Answer,
    /// The label that it probably is again.
    likely: usize,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Name,
    Value,
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Symbol;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Symbol, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = Symbol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Symbol, E> {
        let Answer { labels, symbols, .. } = self.answer;
        if let Some((name, value)) = labels.get(self.likely) {
            let likely = match self.side {
                Side::Name => *name,
                Side::Value => *value,
            };
            if symbols.text(likely) == text {
                return Ok(likely);
            }
        }
        symbols.intern(text).ok_or_else(|| E::custom("more labels than fit"))
    }
}

impl<'de> Visitor<'de> for Samples<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneSample(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> Visitor<'de> for OneSample<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample: time and value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let (at, value) = pair::<A, Value>(seq, &self)?;
        self.0.samples.push(Sample { at, value: value.0 });
        Ok(())
    }
}

impl<'de> Visitor<'de> for Histograms<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of native histograms")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneHistogram(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> Visitor<'de> for OneHistogram<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a native histogram: time and buckets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let (at, Body { count, buckets }) = pair::<A, Body>(seq, &self)?;
        self.0.histograms.push(Histogram { at, count, buckets });
        Ok(())
    }
}

/// Reads a time and what stands behind it.
fn pair<'de, A: SeqAccess<'de>, T: serde::Deserialize<'de>>(
    mut seq: A,
    expected: &dyn serde::de::Expected,
) -> Result<(i64, T), A::Error> {
    let at: Millis = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, expected))?;
    let what: T = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, expected))?;
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok((at.0, what))
}

fn range<E: Error>(start: usize, end: usize) -> Result<Range<u32>, E> {
    let fits = |number| u32::try_from(number).map_err(|_| E::custom("more samples than fit"));
    Ok(fits(start)?..fits(end)?)
}
