//! What is read of answers as servers write them.

use serde_json::json;

use super::*;

fn parse(json: &serde_json::Value) -> Result<Answer, Unreadable> {
    Answer::parse(json.to_string().as_bytes())
}

fn malformed(json: &serde_json::Value) -> String {
    match parse(json) {
        Err(Unreadable::Malformed { reason }) => reason,
        other => panic!("{other:?} is not malformed"),
    }
}

#[test]
fn a_matrix_keeps_every_sample_with_its_time() {
    let answer = parse(&json!({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "up", "pod": "a"}, "values": [[1.5, "1"], [16.5, "2"]]},
        {"metric": {"__name__": "up", "pod": "b\n\"q\""}, "values": [[2, "NaN"]]},
    ]}}))
    .unwrap();
    let series: Vec<_> = answer.series().collect();
    assert_eq!(series.len(), 2);
    assert_eq!(series[0].labels().collect::<Vec<_>>(), [("__name__", "up"), ("pod", "a")]);
    assert_eq!(series[0].samples(), [Sample { at: 1500, value: 1.0 }, Sample { at: 16_500, value: 2.0 }]);
    assert_eq!(series[1].label("pod"), "b\n\"q\"");
    assert_eq!(series[1].label("absent"), "");
    assert!(series[1].samples()[0].value.is_nan());
}

#[test]
fn a_vector_has_one_sample_and_may_come_before_its_status() {
    let body = br#"{"warnings":["partial"],"infos":["rate of a gauge"],"data":{"result":[{"value":[5.25,"0.5"],"metric":{}}],
        "resultType":"vector","stats":{"x":[1]}},"status":"success"}"#;
    let answer = Answer::parse(body).unwrap();
    assert_eq!(answer.value(), Some(0.5));
    assert_eq!(answer.series().next().unwrap().samples(), [Sample { at: 5250, value: 0.5 }]);
    assert_eq!(answer.warnings(), ["partial"]);
    assert_eq!(answer.infos(), ["rate of a gauge"]);
}

#[test]
fn one_number_is_a_value_and_nothing_else_is() {
    let result = |result: serde_json::Value| {
        parse(&json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
            .unwrap()
            .value()
    };
    assert_eq!(result(json!([])), None);
    assert_eq!(result(json!(null)), None);
    assert_eq!(result(json!([{"metric": {}, "value": [1, "NaN"]}])), None);
    let one = json!({"metric": {}, "value": [1, "3"]});
    assert_eq!(result(json!([one])), Some(3.0));
    assert_eq!(result(json!([one, one])), None);
}

#[test]
fn native_histograms_are_read_with_their_buckets() {
    let body = json!({"count": "6", "sum": "2.5", "buckets": [[0, "0.1", "0.2", "1"], [3, "0.25", "0.5", "3"], [0, "0.5", "1", "2"]]});
    let answer = parse(&json!({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"pod": "a"}, "histograms": [[1, body]]},
        {"metric": {"pod": "b"}, "histogram": [2, {"count": "0", "sum": "0"}]},
    ]}}))
    .unwrap();
    let series: Vec<_> = answer.series().collect();
    let [histogram] = series[0].histograms() else { panic!("one histogram") };
    assert_eq!((histogram.at, histogram.count, histogram.buckets.len()), (1000, 6.0, 3));
    assert_eq!(series[1].histograms(), [Histogram { at: 2000, count: 0.0, buckets: vec![] }]);
}

#[test]
fn an_error_is_told_apart_from_what_is_no_answer() {
    let refused = json!({"status": "error", "data": null, "errorType": "bad_data", "error": "parse error"});
    let refusal = Refusal { error_type: "bad_data".into(), error: "parse error".into() };
    assert_eq!(parse(&refused).unwrap_err(), Unreadable::Refused(refusal.clone()));
    assert_eq!(Refusal::parse(refused.to_string().as_bytes()), Some(refusal));
    assert_eq!(Refusal::parse(b"<html>Bad gateway</html>"), None);
    for (body, reason) in [
        (json!({"data": {"result": []}}), "missing field `status`"),
        (json!({"status": "success"}), "missing field `data`"),
        (json!({"status": "success", "data": {}}), "missing field `result`"),
        (json!({"status": "maybe", "data": {"result": []}}), "the status is \"maybe\""),
    ] {
        assert_eq!(malformed(&body).split(" at line").next(), Some(reason));
    }
    let scalar = json!({"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}});
    assert!(
        malformed(&scalar).contains("a query must not give a scalar or a string"),
        "{}",
        malformed(&scalar)
    );
    assert!(Answer::parse(b"{\"status\":\"success\",\"data\":{\"result\":[]}} trailing").is_err());
}

#[test]
fn a_body_that_was_cut_anywhere_is_no_answer() {
    let whole = json!({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"pod": "a"}, "values": [[1.5, "1"]]},
    ]}})
    .to_string();
    for end in 0..whole.len() {
        assert!(Answer::parse(&whole.as_bytes()[..end]).is_err(), "{}", &whole[..end]);
    }
}
