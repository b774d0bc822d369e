//! Whether two samples are of one distribution: the two-sided test of Kolmogorov and Smirnov. It looks at the samples' order
//! alone, so neither a slow machine nor a few slow answers make a difference, and any difference counts: of the middle, of
//! the width, of the ends.

use std::time::Duration;

/// The probability that samples of one distribution differ as much as these, or more: the limiting distribution
/// (Smirnov 1948), good from some dozens of samples on.
pub fn chance(one: &[Duration], other: &[Duration]) -> f64 {
    let (n, m) = (one.len() as f64, other.len() as f64);
    let lambda = distance(one, other) * (n * m / (n + m)).sqrt();
    // It converges slowly where nothing is to be seen.
    if lambda < 0.2 {
        return 1.0;
    }
    let terms = (1..=100).map(|k| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * lambda * lambda).exp()
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}

/// The greatest distance between the two empirical distributions.
fn distance(one: &[Duration], other: &[Duration]) -> f64 {
    let (mut one, mut other) = (one.to_vec(), other.to_vec());
    one.sort_unstable();
    other.sort_unstable();
    let (mut i, mut j, mut greatest) = (0, 0, 0.0_f64);
    while i < one.len() && j < other.len() {
        let at = one[i].min(other[j]);
        i += one[i..].iter().take_while(|time| **time == at).count();
        j += other[j..].iter().take_while(|time| **time == at).count();
        greatest = greatest.max((i as f64 / one.len() as f64 - j as f64 / other.len() as f64).abs());
    }
    greatest
}

pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(microseconds: impl Iterator<Item = u64>) -> Vec<Duration> {
        microseconds.map(Duration::from_micros).collect()
    }

    #[test]
    fn the_chance_is_that_of_the_table() {
        // Two samples of 200 of which one is moved by d places differ by d / 200; 0.136 is the 5 % point, 0.163 the 1 % point.
        for (moved, chance_of) in [(27, 0.05), (33, 0.01)] {
            let found = chance(&at(0..200), &at(moved..200 + moved));
            assert!((found / chance_of - 1.0).abs() < 0.25, "{found} is not about {chance_of}");
        }
        assert!((chance(&at(0..200), &at(0..200)) - 1.0).abs() < 1e-9);
        assert!(chance(&at(0..200), &at(150..350)) < 1e-9);
    }
}
