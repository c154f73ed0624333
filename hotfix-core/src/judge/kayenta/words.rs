//! The words of a canary config. One that Kayenta does not know means the default to it; here too, and it is reported.

use serde::{Deserialize, Serialize};

/// Which change is bad.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Direction {
    /// `increase`: to be higher than the control.
    Increase,
    /// `decrease`: to be lower than the control.
    Decrease,
    /// `either`, the default: both.
    #[default]
    Either,
    /// Another word: as [`Direction::Either`].
    Unknown(String),
}

/// What becomes of missing values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NanStrategy {
    /// `remove`, the default: they are left out.
    #[default]
    Remove,
    /// `replace`: they are 0.
    Replace,
    /// Another word: as [`NanStrategy::Remove`].
    Unknown(String),
}

/// What becomes of outliers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum OutlierStrategy {
    /// `remove`: they are left out.
    Remove,
    /// `keep`, the default: they are kept.
    #[default]
    Keep,
    /// Another word: as [`OutlierStrategy::Keep`].
    Unknown(String),
}

/// How the size of a difference is measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Measure {
    /// `meanRatio`, the default: the experiment's mean divided by the control's. It says nothing when one of them is 0,
    /// and the wrong thing when they are negative.
    #[default]
    MeanRatio,
    /// `cles`, the common language effect size: the chance that a value of the experiment is larger than one of the
    /// control.
    Cles,
    /// Another word: as [`Measure::MeanRatio`].
    Unknown(String),
}

/// Reads and writes the words of a type.
macro_rules! words {
    ($type:ident: $($word:literal => $variant:ident),+) => {
        impl From<String> for $type {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Unknown(word),
                }
            }
        }

        impl From<$type> for String {
            fn from(meaning: $type) -> Self {
                match meaning {
                    $($type::$variant => $word.to_owned(),)+
                    $type::Unknown(word) => word,
                }
            }
        }

        impl $type {
            /// The word that means nothing, if it is one.
            pub(super) const fn unknown(&self) -> Option<&String> {
                match self {
                    Self::Unknown(word) => Some(word),
                    _ => None,
                }
            }
        }
    };
}

words!(Direction: "increase" => Increase, "decrease" => Decrease, "either" => Either);
words!(NanStrategy: "remove" => Remove, "replace" => Replace);
words!(OutlierStrategy: "remove" => Remove, "keep" => Keep);
words!(Measure: "meanRatio" => MeanRatio, "cles" => Cles);
