//! An answer of Prometheus to the question of a scrape, as large as a large service has it.

use std::fmt::Write;

/// Writes the answer: counters with six samples each, which tell routes and statuses of many instances.
#[must_use]
pub fn answer(series: usize) -> String {
    let mut body = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for number in 0..series {
        let (pod, route, code) = (number / 50, number / 2 % 25, if number % 2 == 0 { "200" } else { "503" });
        let comma = if number == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            r#"{comma}{{"metric":{{"__name__":"http_requests_total","app":"shop","code":"{code}","instance":"10.1.{}.{}:8080","job":"kubernetes-pods","method":"GET","namespace":"production","pod":"shop-{pod:05}","route":"/api/v1/route-{route}","slot":"blue"}},"values":["#,
            pod / 250,
            pod % 250,
        );
        for sample in 0..6 {
            let comma = if sample == 0 { "" } else { "," };
            let (at, value) = (1_764_000_000 + sample * 15, number * 31 + sample * 7);
            let _ = write!(body, "{comma}[{at}.123,\"{value}\"]");
        }
        body.push_str("]}");
    }
    body.push_str("]}}");
    body
}
