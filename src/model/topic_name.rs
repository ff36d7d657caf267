//! Kafka's rules for topic names (`org.apache.kafka.common.internals.Topic`).

use crate::limits::TOPIC_NAME_BYTES_MAX;

/// The topic of committed offsets and group metadata.
pub const GROUP_METADATA: &str = "__consumer_offsets";
/// The topic of transaction states.
pub const TRANSACTION_STATE: &str = "__transaction_state";
/// The topic of share group states (KIP-932).
pub const SHARE_GROUP_STATE: &str = "__share_group_state";
/// The cluster's own log, which no client may create, write or read as a topic.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// A name that no topic may have; its text is what clients see with `INVALID_TOPIC_EXCEPTION`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Topic name is invalid: {reason}")]
pub struct InvalidTopicName {
    reason: String,
}

/// Checks `name` against Kafka's rules: 1 to 249 of the ASCII letters, digits, `.`, `_` and `-`, and neither
/// `.` nor `..`.
pub fn validate(name: &str) -> Result<(), InvalidTopicName> {
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if utf16_len(name) > TOPIC_NAME_BYTES_MAX {
        format!("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")
    } else if !name.bytes().all(is_legal) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(InvalidTopicName { reason })
}

/// Whether the topic belongs to the broker itself: clients see it marked so and cannot delete its meaning.
pub fn is_internal(name: &str) -> bool {
    [GROUP_METADATA, TRANSACTION_STATE, SHARE_GROUP_STATE].contains(&name)
}

/// Whether the name has a character that metric names fold into another.
pub fn has_collision_chars(name: &str) -> bool {
    name.contains(['.', '_'])
}

/// The form in which two colliding names are equal: `.` becomes `_`.
pub fn unify_collision_chars(name: &str) -> String {
    name.replace('.', "_")
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Kafka counts UTF-16 units; this decides which of two messages a too long name of other alphabets gets.
fn utf16_len(name: &str) -> usize {
    name.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str) -> String {
        validate(name).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn legal_names_pass() {
        for name in ["a", "A-z_0.9", "__consumer_offsets", "...", &"x".repeat(249)] {
            assert_eq!(validate(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn illegal_names_are_refused_in_kafkas_words() {
        assert_eq!(message(""), "Topic name is invalid: the empty string is not allowed");
        assert_eq!(message("."), "Topic name is invalid: '.' is not allowed");
        assert_eq!(message(".."), "Topic name is invalid: '..' is not allowed");
        assert_eq!(
            message("a b"),
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, \
             '.', '_' and '-'"
        );
        let long = "x".repeat(250);
        assert_eq!(
            message(&long),
            format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            )
        );
        assert!(validate("é").is_err());
    }

    #[test]
    fn collisions_are_found() {
        assert_eq!(unify_collision_chars("a.b_c"), "a_b_c");
        assert!(has_collision_chars("a_b") && has_collision_chars("a.b") && !has_collision_chars("a-b"));
    }

    #[test]
    fn internal_topics_are_known() {
        assert!(is_internal("__consumer_offsets") && is_internal("__share_group_state"));
        assert!(!is_internal("__cluster_metadata") && !is_internal("orders"));
    }
}
