//! Which slot each request goes to: a fixed order of a hundred, so that 10 % is 10 % in every hundred requests.

/// The order in which a hundred consecutive requests are spread over the routes, each route evenly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule([u8; 100]);

impl Schedule {
    /// Builds the order for `weights`, which sum to 100; the entries of the order are positions in `weights`.
    pub(crate) fn new(weights: &[u8]) -> Self {
        debug_assert_eq!(weights.iter().map(|weight| u32::from(*weight)).sum::<u32>(), 100);
        let mut credit = vec![0_i32; weights.len()];
        let mut order = [0_u8; 100];
        for entry in &mut order {
            for (credit, weight) in credit.iter_mut().zip(weights) {
                *credit += i32::from(*weight);
            }
            // Whoever is owed most comes next; the first of equals, so that the order is deterministic.
            let next = (0..weights.len()).rev().max_by_key(|&index| credit[index]).unwrap_or(0);
            credit[next] -= 100;
            *entry = u8::try_from(next).unwrap_or(0);
        }
        Self(order)
    }

    /// Returns the route of the request with this number.
    pub(crate) fn route(&self, request: u64) -> usize {
        usize::from(self.0[(request % 100) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(schedule: &Schedule, from: u64, requests: u64, routes: usize) -> Vec<u64> {
        let mut counts = vec![0; routes];
        for request in from..from + requests {
            counts[schedule.route(request)] += 1;
        }
        counts
    }

    #[test]
    fn every_hundred_requests_are_split_exactly_wherever_they_begin() {
        for canary in 0..=100_u8 {
            let weights = [100 - canary, canary];
            let schedule = Schedule::new(&weights);
            for from in 0..100 {
                let expected = weights.map(u64::from);
                assert_eq!(counts(&schedule, from, 100, 2), expected, "{weights:?} from {from}");
            }
        }
    }

    #[test]
    fn short_windows_are_within_one_request_of_the_weights() {
        for canary in 1..=100_u8 {
            let schedule = Schedule::new(&[100 - canary, canary]);
            for from in 0..100 {
                for length in 1..100 {
                    let got = counts(&schedule, from, length, 2)[1] as f64;
                    let want = length as f64 * f64::from(canary) / 100.0;
                    assert!((got - want).abs() < 1.0 + 1e-9, "{canary} %: {got} of {length}, want {want}");
                }
            }
        }
    }

    #[test]
    fn three_routes_are_spread_evenly() {
        let schedule = Schedule::new(&[50, 30, 20]);
        assert_eq!(counts(&schedule, 0, 10, 3), [5, 3, 2]);
    }
}
