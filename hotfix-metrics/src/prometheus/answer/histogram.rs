//! Samples of native histograms.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::number::Value;

/// A native histogram at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Milliseconds since 1970.
    pub at: i64,
    /// How many observations there were since the instance started.
    pub count: f64,
    /// The buckets that are not empty, lowest first.
    pub buckets: Vec<Bucket>,
}

/// How many observations lay between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// How many.
    pub count: f64,
}

impl Histogram {
    /// Returns how many observations lay above the bound; `None` when the bound may lie inside of a bucket, so that
    /// nobody can say.
    ///
    /// Native buckets begin at powers of `2^(2^-n)`, of which the filled ones tell the `n`. A rounded bound may lie
    /// `slack` away from one.
    #[must_use]
    pub fn beyond(&self, bound: f64, slack: f64) -> Option<f64> {
        let begins = |bucket: &&Bucket| bucket.lower >= bound - slack;
        if !self.begins_a_bucket(bound, slack) {
            return None;
        }
        Some(self.buckets.iter().filter(begins).fold(0.0, |sum, bucket| sum + bucket.count))
    }

    fn begins_a_bucket(&self, bound: f64, slack: f64) -> bool {
        if self.buckets.iter().any(|bucket| bucket.lower < bound - slack && bucket.upper > bound + slack) {
            return false;
        }
        // Every bucket but the one around zero is as wide as its neighbours, on a scale of logarithms.
        let Some(regular) = self.buckets.iter().find(|bucket| bucket.lower > 0.0 && bucket.upper.is_finite())
        else {
            return self.buckets.is_empty();
        };
        let width = (regular.upper / regular.lower).log2();
        let place = bound.log2() / width;
        let nearest = (place.round() * width).exp2();
        (nearest - bound).abs() <= slack
    }
}

/// Count and buckets, without the time that stands before them.
pub(super) struct Body {
    pub(super) count: f64,
    pub(super) buckets: Vec<Bucket>,
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a native histogram")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let (mut count, mut buckets) = (None, Vec::new());
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "count" => count = Some(map.next_value::<Value>()?.0),
                "buckets" => buckets = map.next_value::<Vec<Written>>()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let count = count.ok_or_else(|| A::Error::missing_field("count"))?;
        Ok(Body { count, buckets: buckets.into_iter().map(|written| written.0).collect() })
    }
}

/// A bucket as `[rule, lower, upper, count]`.
struct Written(Bucket);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bucket: rule, lower bound, upper bound, count")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written, A::Error> {
        let short = |len| A::Error::invalid_length(len, &self);
        let _rule = seq.next_element::<IgnoredAny>()?.ok_or_else(|| short(0))?;
        let lower = seq.next_element::<Value>()?.ok_or_else(|| short(1))?.0;
        let upper = seq.next_element::<Value>()?.ok_or_else(|| short(2))?.0;
        let count = seq.next_element::<Value>()?.ok_or_else(|| short(3))?.0;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Written(Bucket { lower, upper, count }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64, f64)]) -> Histogram {
        let buckets = buckets.iter().map(|(lower, upper, count)| Bucket {
            lower: *lower,
            upper: *upper,
            count: *count,
        });
        Histogram { at: 0, count: 6.0, buckets: buckets.collect() }
    }

    #[test]
    fn only_where_a_bucket_begins_is_it_known_how_many_lie_beyond() {
        let histogram = histogram(&[(-0.001, 0.001, 1.0), (0.125, 0.25, 3.0), (0.5, 1.0, 2.0)]);
        for (bound, beyond) in [
            (0.000_5, None),
            (0.062_5, Some(5.0)),
            (0.125, Some(5.0)),
            (0.2, None),
            (0.25, Some(2.0)),
            (0.3, None),
            (0.5, Some(2.0)),
            (1.0, Some(0.0)),
            (2.0, Some(0.0)),
        ] {
            assert_eq!(histogram.beyond(bound, 1e-9), beyond, "{bound}");
        }
    }

    #[test]
    fn bounds_are_met_after_rounding_to_microseconds() {
        // With 8 buckets to each power of two.
        let at = |power: f64| (power / 8.0).exp2();
        let histogram = histogram(&[(at(-20.0), at(-19.0), 4.0), (at(-19.0), at(-18.0), 2.0)]);
        let rounded = (at(-19.0) * 1e6).round() / 1e6;
        assert_eq!(histogram.beyond(rounded, 0.51e-6), Some(2.0));
        assert_eq!(histogram.beyond(rounded + 2e-6, 0.51e-6), None);
    }
}
