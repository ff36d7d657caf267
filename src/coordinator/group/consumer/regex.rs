//! Subscriptions by regular expression: checked, resolved to topic names, refreshed (KIP-848).
//!
//! Kafka resolves them in a background task and answers the heartbeat at once; here an alarm that is due at once does it.
//! All of a group's expressions are resolved together, so that one change of the topics makes one rebalance.

use super::group::{Group, refusal};
use super::heartbeat::Draft;
use super::member::Member;
use super::subscriptions::{decrement, increment};
use crate::group::record::{ConsumerGroupValue, Record, RegularExpressionKey, RegularExpressionValue};
use crate::group::{Context, Refusal, Topics};
use crate::re2::compile;
use model::ErrorCode;
use regex::Regex;

/// Expressions are not resolved more often than that.
const REFRESH_MIN_MS: i64 = 10_000;

impl Group {
    /// Notes what a change of `member` to `updated` means for the expressions; says whether the group's epoch must grow
    /// (`maybeUpdateRegularExpressions`).
    pub(super) fn update_regexes(
        &self,
        context: &Context,
        member: &Member,
        updated: &Member,
        draft: &mut Draft,
    ) -> Result<bool, Refusal> {
        let mut grow = false;
        let mut refresh = false;
        if member.about.subscribed_regex != updated.about.subscribed_regex {
            if let Some(old) = member.regex()
                && self.wanted.subscribers(old) == 1
            {
                draft.records.push(self.regex_record(old, None));
            }
            match updated.regex() {
                Some(new) if self.wanted.subscribers(new) == 0 => {
                    compile(new).map_err(|reason| invalid(new, &reason))?;
                    refresh = true;
                }
                Some(new) => grow = self.resolved.contains_key(new),
                None => grow = member.regex().is_some(),
            }
        }
        let mut regexes = self.wanted.regexes.clone();
        if !refresh && regexes.is_empty() || self.refresh.deadline_ms().is_some() {
            return Ok(grow);
        }
        let last = self.resolved.values().next();
        if last.is_some_and(|last| context.wall_ms <= last.timestamp_ms.saturating_add(REFRESH_MIN_MS)) {
            return Ok(grow);
        }
        if let Some(old) = member.regex() {
            decrement(&mut regexes, old);
        }
        if let Some(new) = updated.regex() {
            increment(&mut regexes, new);
        }
        let stale = |last: &RegularExpressionValue| {
            let refresh_ms = i64::from(context.settings.regex_refresh_ms);
            last.version < context.topics.last_creation()
                || context.wall_ms > last.timestamp_ms.saturating_add(refresh_ms)
        };
        refresh |= regexes.len() != self.resolved.len() || last.is_none_or(stale);
        draft.refresh |= refresh && !regexes.is_empty();
        Ok(grow)
    }

    /// Resolves all expressions against the topics that there are (`refreshRegularExpressions`,
    /// `handleRegularExpressionsResult`).
    pub(super) fn refresh_regexes(&mut self, context: &Context) -> Vec<Record> {
        let mut records = Vec::new();
        let mut wanted = self.wanted.clone();
        let mut grow = false;
        for (regex, topics) in resolve(self.wanted.regexes.keys(), context.topics) {
            let new = RegularExpressionValue {
                topics,
                version: context.topics.version(),
                timestamp_ms: context.wall_ms,
            };
            let old = self.resolved.get(&regex);
            if old.map_or(&[][..], |old| &old.topics) != new.topics {
                grow = true;
                if let Some(old) = old {
                    wanted.remove_resolved(old);
                }
                wanted.add_resolved(&new);
            }
            records.push(self.regex_record(&regex, Some(new)));
        }
        let metadata_hash = self.hashes.group_hash(&wanted, context.topics);
        if grow || metadata_hash != self.metadata_hash {
            let epoch = self.epoch.saturating_add(1);
            records.push(Record::ConsumerGroup(
                self.id.to_string(),
                Some(ConsumerGroupValue { epoch, metadata_hash }),
            ));
            self.checked = super::group::Checked { version: Some(context.topics.version()), epoch };
        }
        records
    }

    pub(super) fn regex_record(&self, regex: &str, value: Option<RegularExpressionValue>) -> Record {
        Record::RegularExpression(
            RegularExpressionKey { group_id: self.id.to_string(), regex: regex.to_owned() },
            value,
        )
    }
}

/// The sorted names of the topics that each expression matches as a whole.
fn resolve<'a>(regexes: impl Iterator<Item = &'a String>, topics: &dyn Topics) -> Vec<(String, Vec<String>)> {
    // An expression that came from a newer broker's log may be none of ours: it stands for nothing.
    let mut compiled: Vec<(Option<Regex>, String, Vec<String>)> =
        regexes.map(|regex| (compile(regex).ok(), regex.clone(), Vec::new())).collect();
    topics.each_name(&mut |name| {
        for (regex, _, names) in &mut compiled {
            if regex.as_ref().is_some_and(|regex| regex.is_match(name)) {
                names.push(name.to_owned());
            }
        }
    });
    compiled.into_iter().map(|(_, regex, names)| (regex, super::member::sorted_names(names))).collect()
}

fn invalid(regex: &str, reason: &str) -> Refusal {
    let message = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.");
    refusal(ErrorCode::InvalidRegularExpression, message)
}
