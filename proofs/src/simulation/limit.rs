//! What a count of runs says about a chance: the exact limits of Clopper and Pearson, each with 99 % confidence.

const DOUBT: f64 = 0.01;

/// Returns the largest chance under which `hits` or fewer of `runs` are not yet too few.
pub(crate) fn upper(hits: u32, runs: u32) -> f64 {
    if hits >= runs { 1.0 } else { chance_at(DOUBT, hits, runs) }
}

/// Returns the smallest chance under which `hits` or more of `runs` are not yet too many.
pub(crate) fn lower(hits: u32, runs: u32) -> f64 {
    hits.checked_sub(1).map_or(0.0, |fewer| chance_at(1.0 - DOUBT, fewer, runs))
}

/// Returns the chance of a hit under which `hits` or fewer have the chance `wanted`; by halving, as that only falls.
fn chance_at(wanted: f64, hits: u32, runs: u32) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(hits, runs, middle) > wanted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn at_most(hits: u32, runs: u32, chance: f64) -> f64 {
    let odds = chance.ln() - (-chance).ln_1p();
    let mut log = f64::from(runs) * (-chance).ln_1p();
    let mut sum = log.exp();
    for hit in 0..hits {
        log += (f64::from(runs - hit) / f64::from(hit + 1)).ln() + odds;
        sum += log.exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(seen: f64, wanted: f64) {
        assert!((seen - wanted).abs() < 1e-12, "{seen} is not {wanted}");
    }

    #[test]
    fn limits_of_no_and_every_hit_are_closed_forms() {
        near(upper(0, 20_000), -(0.01_f64.ln() / 20_000.0).exp_m1());
        near(lower(0, 20_000), 0.0);
        near(upper(300, 300), 1.0);
        near(lower(300, 300), 0.01_f64.powf(1.0 / 300.0));
    }

    #[test]
    fn limits_turn_round_with_what_is_counted() {
        near(upper(7, 400), 1.0 - lower(393, 400));
        assert!(lower(7, 400) < 7.0 / 400.0 && 7.0 / 400.0 < upper(7, 400));
    }
}
