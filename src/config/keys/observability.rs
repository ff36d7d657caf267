//! Metrics, quotas and policies.

use crate::key::Check::{Any, AtLeast};
use crate::key::Importance::Low;
use crate::key::KeyType::{Class, Int, List, Long, String};
use crate::key::Support::{Accepted, Ignored, Refused};
use crate::key::UpdateMode::{ClusterWide, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("alter.config.policy.class.name", Class, None, Any, Low, ReadOnly, Refused, "Java class that judges configuration changes; not supported."),
    key("client.quota.callback.class", Class, None, Any, Low, ReadOnly, Refused, "Java class that computes client quotas; not supported."),
    key("create.topic.policy.class.name", Class, None, Any, Low, ReadOnly, Refused, "Java class that judges new topics; not supported."),
    key("kafka.metrics.polling.interval.secs", Int, Some("10"), AtLeast(1), Low, ReadOnly, Accepted, "How often Java metrics reporters are polled, in seconds; there are none here."),
    key("kafka.metrics.reporters", List, Some(""), Any, Low, ReadOnly, Ignored, "Java classes that report metrics; none can be loaded."),
    key("metric.reporters", List, Some("org.apache.kafka.common.metrics.JmxReporter"), Any, Low, ClusterWide, Ignored, "Java classes that report metrics; none can be loaded."),
    key("metrics.num.samples", Int, Some("2"), AtLeast(1), Low, ReadOnly, Accepted, "Samples kept for a metric."),
    key("metrics.recording.level", String, Some("INFO"), Any, Low, ReadOnly, Accepted, "How detailed metrics are recorded."),
    key("metrics.sample.window.ms", Long, Some("30000"), AtLeast(1), Low, ReadOnly, Accepted, "Length of one sample, in milliseconds."),
    key("quota.window.num", Int, Some("11"), AtLeast(1), Low, ReadOnly, Accepted, "Samples kept for client quotas."),
    key("quota.window.size.seconds", Int, Some("1"), AtLeast(1), Low, ReadOnly, Accepted, "Length of one such sample, in seconds."),
    key("telemetry.max.bytes", Int, Some("1048576"), AtLeast(1), Low, ReadOnly, Accepted, "Largest metrics message a client may push."),
];
