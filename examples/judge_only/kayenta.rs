//! A case for the Kayenta-compatible judge: a canary config, and the metrics of both sides.

use hotfix_core::judge::kayenta::{CanaryConfig, MetricSet, MetricSetPair, ScoreThresholds, judge, pair};
use serde::Deserialize;
use serde_json::Value;

use crate::error::InputError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    canary_config: CanaryConfig,
    score_thresholds: Option<ScoreThresholds>,
    metric_set_pair_list: Option<Vec<MetricSetPair>>,
    control: Option<Vec<MetricSet>>,
    experiment: Option<Vec<MetricSet>>,
}

pub(crate) fn answer(case: &Case) -> Result<Value, InputError> {
    let config = &case.canary_config;
    let thresholds = match case.score_thresholds {
        Some(thresholds) => thresholds,
        None => config.thresholds()?,
    };
    let pairs = match (&case.metric_set_pair_list, &case.control, &case.experiment) {
        (Some(pairs), None, None) => pairs.clone(),
        (None, Some(control), Some(experiment)) => pair(config, control, experiment)?,
        _ => {
            let why = "give either metricSetPairList, or both control and experiment";
            return Err(InputError::at("the case", why));
        }
    };
    let mut answer = serde_json::to_value(judge(config, thresholds, &pairs)?)?;
    answer["kind"] = "kayenta".into();
    Ok(answer)
}
