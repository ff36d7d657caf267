//! How many times better, and how sure: runs are made in pairs, so each pair gives a ratio, and the median of those stands
//! with an interval from resampling them.

use std::io::Read as _;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::random::Random;

const RESAMPLES: usize = 10_000;
const SEED: u64 = 1;
/// Of 95 %.
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// Reads `{"name": {"more": bool, "pairs": [[ours, theirs], ...]}, ...}` and gives the ratio of each; with `of`, a list of
/// lists of pairs, that of their geometric mean. `more`: whether more of the figure is better.
pub fn run() -> anyhow::Result<Value> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let rows: serde_json::Map<String, Value> = serde_json::from_str(&text)?;
    let mut answer = serde_json::Map::new();
    for (name, row) in rows {
        let summary = summary(&row).with_context(|| format!("row {name}"))?;
        answer.insert(name, summary);
    }
    Ok(Value::Object(answer))
}

fn summary(row: &Value) -> anyhow::Result<Value> {
    let more = row["more"].as_bool().unwrap_or(false);
    let ratios = match row["of"].as_array() {
        Some(parts) => {
            let parts = parts.iter().map(|part| ratios(part, more)).collect::<anyhow::Result<Vec<_>>>()?;
            geometric_means(&parts)
        }
        None => ratios(&row["pairs"], more)?,
    };
    ensure!(!ratios.is_empty(), "no pair is whole");
    let (low, high) = interval(&ratios);
    Ok(json!({ "ratio": median(&ratios), "low": low, "high": high, "pairs": ratios.len(), "ratios": ratios }))
}

/// Ours against theirs, above 1 where ours is better.
fn ratios(pairs: &Value, more: bool) -> anyhow::Result<Vec<f64>> {
    let pairs = pairs.as_array().context("no pairs")?;
    let number = |value: &Value| value.as_f64().filter(|value| *value > 0.0).context("no positive number");
    pairs
        .iter()
        .map(|pair| {
            let (ours, theirs) = (number(&pair[0])?, number(&pair[1])?);
            Ok(if more { ours / theirs } else { theirs / ours })
        })
        .collect()
}

/// Pair by pair, over all parts.
fn geometric_means(parts: &[Vec<f64>]) -> Vec<f64> {
    let pairs = parts.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |pair: usize| {
        let logs: f64 = parts.iter().map(|part| part[pair].ln()).sum();
        (logs / parts.len() as f64).exp()
    };
    (0..pairs).map(mean).collect()
}

/// Of the middle two where there are two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// 95 % of the medians of as many values, drawn with replacement (Efron's percentile bootstrap).
fn interval(values: &[f64]) -> (f64, f64) {
    let mut random = Random::new(SEED);
    let mut drawn = vec![0.0; values.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.fill_with(|| values[random.below(values.len() as u64) as usize]);
            median(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians[((RESAMPLES - 1) as f64 * share).round() as usize];
    (at(LOW), at(HIGH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5f64.to_bits());
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn less_is_better_unless_said() {
        let pairs = json!([[2.0, 6.0], [1.0, 4.0]]);
        assert_eq!(ratios(&pairs, false).unwrap(), [3.0, 4.0]);
        assert_eq!(ratios(&pairs, true).unwrap(), [2.0 / 6.0, 0.25]);
        assert!(ratios(&json!([[0.0, 1.0]]), false).is_err());
        assert!(ratios(&json!([[1.0, null]]), false).is_err());
    }

    #[test]
    fn an_interval_holds_the_median_and_stays_among_the_values() {
        let values = [2.9, 3.1, 3.0, 3.3, 2.7, 3.05, 2.95];
        let (low, high) = interval(&values);
        assert!(low <= 3.0 && 3.0 <= high && low >= 2.7 && high <= 3.3, "{low} to {high}");
        assert!(high - low < 0.6, "{low} to {high}: one outlier does not make the interval");
        assert_eq!(interval(&[2.0]), (2.0, 2.0));
        assert_eq!(interval(&values), interval(&values), "the same values give the same interval");
    }

    #[test]
    fn more_pairs_make_it_narrower() {
        let values: Vec<f64> = (0..101).map(|index| 2.0 + f64::from(index * 37 % 101) / 101.0).collect();
        let width = |values: &[f64]| interval(values).1 - interval(values).0;
        assert!(width(&values) < 0.5 * width(&values[..7]));
    }

    #[test]
    fn a_geometric_mean_is_taken_pair_by_pair() {
        let row = json!({ "of": [[[1.0, 2.0], [1.0, 4.0]], [[1.0, 8.0], [1.0, 4.0], [1.0, 100.0]]] });
        let summary = summary(&row).unwrap();
        assert!((summary["ratio"].as_f64().unwrap() - 4.0).abs() < 1e-9);
        assert_eq!(summary["pairs"], 2);
    }
}
