//! Which transactional ids ListTransactions is asked for (KIP-664, KIP-994, KIP-1152).

use model::ErrorCode;
use regex::Regex;

use super::Described;
use super::record::Status;
use crate::re2::compile;

/// As `TransactionStateManager.listTransactionStates` decides.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    producer_ids: Vec<i64>,
    /// A name that is no state matches nothing; without names every state matches.
    statuses: Option<Vec<Status>>,
    /// An id outside a transaction began before everything.
    began_before_ms: Option<i64>,
    pattern: Option<Regex>,
}

impl Filter {
    /// Of these producer ids, if any are named.
    #[must_use]
    pub fn producer_ids(self, producer_ids: Vec<i64>) -> Self {
        Self { producer_ids, ..self }
    }

    /// In one of these states, if any are named.
    #[must_use]
    pub fn states<'a>(self, names: impl Iterator<Item = &'a str>) -> Self {
        let mut any = false;
        let statuses = names.inspect(|_| any = true).filter_map(Status::from_name).collect();
        Self { statuses: any.then_some(statuses), ..self }
    }

    /// Open for longer than this; a negative duration says nothing.
    #[must_use]
    pub fn open_for_ms(self, duration_ms: i64, wall_ms: i64) -> Self {
        let began_before_ms = (duration_ms >= 0).then(|| wall_ms.saturating_sub(duration_ms));
        Self { began_before_ms, ..self }
    }

    /// Whose whole id matches; an empty pattern says nothing.
    ///
    /// # Errors
    /// `INVALID_REGULAR_EXPRESSION`
    pub fn pattern(self, pattern: &str) -> Result<Self, ErrorCode> {
        if pattern.is_empty() {
            return Ok(Self { pattern: None, ..self });
        }
        let pattern = compile(pattern).map_err(|_reason| ErrorCode::InvalidRegularExpression)?;
        Ok(Self { pattern: Some(pattern), ..self })
    }

    /// Whether it is asked for.
    pub fn admits(&self, described: &Described) -> bool {
        described.status != Status::Dead
            && (self.producer_ids.is_empty() || self.producer_ids.contains(&described.producer.producer_id))
            && self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&described.status))
            && self.began_before_ms.is_none_or(|before_ms| described.start_ms < before_ms)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&described.transactional_id))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ProducerIdAndEpoch;
    use super::*;

    fn open(transactional_id: &str, start_ms: i64) -> Described {
        Described {
            transactional_id: transactional_id.to_owned(),
            status: Status::Ongoing,
            timeout_ms: 1,
            start_ms,
            producer: ProducerIdAndEpoch { producer_id: 7, producer_epoch: 0 },
            partitions: super::super::record::Partitions::new(),
        }
    }

    #[test]
    fn everything_is_asked_for_by_nothing() {
        let filter = Filter::default().producer_ids(Vec::new()).states([].into_iter()).open_for_ms(-1, 0);
        assert!(filter.pattern("").unwrap().admits(&open("id", 5)));
    }

    #[test]
    fn states_and_producers_are_named() {
        let admits = |names: &[&str]| Filter::default().states(names.iter().copied()).admits(&open("id", 5));
        assert!(admits(&["Ongoing", "Nonsense"]));
        assert!(!admits(&["Nonsense"]) && !admits(&["ongoing"]) && !admits(&["Empty"]));
        let of = |ids: Vec<i64>| Filter::default().producer_ids(ids).admits(&open("id", 5));
        assert!(of(vec![6, 7]) && !of(vec![6]));
    }

    #[test]
    fn durations_are_exceeded() {
        let admits = |duration_ms| Filter::default().open_for_ms(duration_ms, 100).admits(&open("id", 40));
        assert!(admits(59) && !admits(60) && admits(-1) && !admits(i64::MAX));
        assert!(Filter::default().open_for_ms(99, 100).admits(&open("id", -1)), "outside a transaction");
    }

    #[test]
    fn patterns_match_the_whole_id() {
        let admits = |pattern: &str| Filter::default().pattern(pattern).map(|it| it.admits(&open("a-12", 5)));
        assert_eq!(admits("a-.."), Ok(true));
        assert_eq!(admits("a|a-12"), Ok(true));
        assert_eq!(admits("a-"), Ok(false));
        for invalid in ["(", "a)(b", "(?=a)", r"(a)\1", "a{1000}{1000}"] {
            assert_eq!(admits(invalid), Err(ErrorCode::InvalidRegularExpression), "{invalid}");
        }
    }
}
