//! Who of a group wants which topics, counted.

use super::assignor::Subscriptions;
use super::member::Member;
use crate::group::record::RegularExpressionValue;
use std::collections::BTreeMap;

/// How many subscriptions name a topic (`SubscriptionCount`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Members that named it.
    pub by_name: usize,
    /// Regular expressions that resolved to it.
    pub by_regex: usize,
}

/// The subscriptions of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// By topic name.
    pub topics: BTreeMap<String, Count>,
    /// Members per regular expression.
    pub regexes: BTreeMap<String, usize>,
}

impl Wanted {
    pub(super) fn add_member(&mut self, member: &Member) {
        for topic in &member.about.subscribed_topics {
            self.topics.entry(topic.clone()).or_default().by_name += 1;
        }
        if let Some(regex) = member.regex() {
            *self.regexes.entry(regex.to_owned()).or_default() += 1;
        }
    }

    pub(super) fn remove_member(&mut self, member: &Member) {
        for topic in &member.about.subscribed_topics {
            self.less(topic, |count| &mut count.by_name);
        }
        if let Some(regex) = member.regex() {
            decrement(&mut self.regexes, regex);
        }
    }

    pub(super) fn add_resolved(&mut self, resolved: &RegularExpressionValue) {
        for topic in &resolved.topics {
            self.topics.entry(topic.clone()).or_default().by_regex += 1;
        }
    }

    pub(super) fn remove_resolved(&mut self, resolved: &RegularExpressionValue) {
        for topic in &resolved.topics {
            self.less(topic, |count| &mut count.by_regex);
        }
    }

    /// How many members subscribe with `regex`.
    pub(super) fn subscribers(&self, regex: &str) -> usize {
        self.regexes.get(regex).copied().unwrap_or(0)
    }

    /// Whether all of `members` members want the same (`ConsumerGroup.subscriptionType`).
    pub(super) fn kind(&self, members: usize) -> Subscriptions {
        let same = match self.regexes.values().next() {
            None => self.topics.values().all(|count| count.by_name == members),
            Some(subscribers) => {
                *subscribers == members
                    && self.topics.values().all(|count| count.by_regex == 1 && count.by_name == 0)
            }
        };
        if same { Subscriptions::Homogeneous } else { Subscriptions::Heterogeneous }
    }

    fn less(&mut self, topic: &str, field: impl Fn(&mut Count) -> &mut usize) {
        let Some(count) = self.topics.get_mut(topic) else { return };
        let value = field(count);
        *value = value.saturating_sub(1);
        if *count == Count::default() {
            self.topics.remove(topic);
        }
    }
}

/// Counts one less; nothing is kept of zero.
pub(super) fn decrement(counts: &mut BTreeMap<String, usize>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

pub(super) fn increment(counts: &mut BTreeMap<String, usize>, key: &str) {
    *counts.entry(key.to_owned()).or_default() += 1;
}
