//! Access control, principals and delegation tokens.

use crate::key::Check::{Any, AtLeast, NonNull};
use crate::key::Importance::{Low, Medium};
use crate::key::KeyType::{Class, Long, Password, String};
use crate::key::Support::{Accepted, Ignored, Refused};
use crate::key::UpdateMode::{PerBroker, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("authorizer.class.name", String, Some(""), NonNull, Low, ReadOnly, Refused, "Java class that decides who may do what; empty allows everything."),
    key("delegation.token.expiry.check.interval.ms", Long, Some("3600000"), AtLeast(1), Low, ReadOnly, Accepted, "How often expired delegation tokens are looked for, in milliseconds."),
    key("delegation.token.expiry.time.ms", Long, Some("86400000"), AtLeast(1), Medium, ReadOnly, Accepted, "Life of a delegation token unless renewed, in milliseconds."),
    key("delegation.token.max.lifetime.ms", Long, Some("604800000"), AtLeast(1), Medium, ReadOnly, Accepted, "Longest life of a delegation token with all renewals, in milliseconds."),
    key("delegation.token.secret.key", Password, None, Any, Medium, ReadOnly, Ignored, "Secret that signs delegation tokens."),
    key("principal.builder.class", Class, Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"), Any, Medium, PerBroker, Refused, "Java class that names clients; only the default."),
    key("security.providers", String, None, Any, Low, ReadOnly, Refused, "Java classes that provide cryptography; not supported."),
];
