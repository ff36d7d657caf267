//! Newtypes for the numbers that must never be mixed up.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($inner);

        impl $name {
            /// Wraps a number read from the wire or the disk.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The number itself.
            pub const fn value(self) -> $inner {
                self.0
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Position of a record in its partition's log. The *log end offset* is the offset of the next record.
    Offset(i64)
);
id!(
    /// Number of times a partition changed leader (KIP-101); -1 where a record or request has none.
    LeaderEpoch(i32)
);
id!(
    /// `node.id` of a broker or controller; -1 means "no node" (a consumer, or a partition without a leader).
    BrokerId(i32)
);
id!(
    /// Identity of an idempotent or transactional producer (KIP-98); -1 means neither.
    ProducerId(i64)
);
id!(
    /// Fencing number of one producer id; -1 means none.
    ProducerEpoch(i16)
);

impl Offset {
    /// The first offset of an empty log.
    pub const ZERO: Self = Self(0);

    /// The offset `count` records later, or `None` beyond `i64::MAX`.
    pub const fn checked_add(self, count: i64) -> Option<Self> {
        match self.0.checked_add(count) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The offset of the next record. Offsets near `i64::MAX` are refused before they are stored, so this
    /// saturates instead of wrapping.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl LeaderEpoch {
    /// "No epoch known", as requests and old batches say it.
    pub const NONE: Self = Self(-1);
}

impl BrokerId {
    /// "No node".
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// A batch without producer id.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// A batch without producer epoch.
    pub const NONE: Self = Self(-1);
}

/// Identity of a topic across renames and re-creation (KIP-516), shown as unpadded URL-safe base64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(Uuid);

impl TopicId {
    /// "No id": the request names its topic instead.
    pub const ZERO: Self = Self(Uuid::nil());

    /// Wraps a UUID from the wire or the disk.
    pub const fn new(value: Uuid) -> Self {
        Self(value)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Whether this is [`TopicId::ZERO`].
    pub fn is_zero(self) -> bool {
        self.0.is_nil()
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&uuid_to_base64(self.0))
    }
}

impl FromStr for TopicId {
    type Err = BadUuid;

    fn from_str(text: &str) -> Result<Self, BadUuid> {
        uuid_from_base64(text).map(Self).ok_or_else(|| BadUuid(text.to_owned()))
    }
}

/// A text that is not 22 characters of unpadded URL-safe base64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a Kafka UUID: 22 characters of unpadded URL-safe base64 are expected")]
pub struct BadUuid(String);

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64_UUID_LEN: usize = 22;

/// Kafka's text form of a UUID (`org.apache.kafka.common.Uuid`): 16 bytes as 22 base64 characters.
pub fn uuid_to_base64(uuid: Uuid) -> String {
    let value = uuid.as_u128();
    (0..BASE64_UUID_LEN)
        .map(|i| {
            // 128 bits are 21 groups of six and two bits, which lead their character.
            let six = if i < 21 { value >> (122 - 6 * i) } else { value << 4 };
            char::from(BASE64[(six & 0x3f) as usize])
        })
        .collect()
}

/// Reads Kafka's text form of a UUID; `None` when the text has another length or alphabet.
pub fn uuid_from_base64(text: &str) -> Option<Uuid> {
    let text = text.trim_end_matches('=').as_bytes();
    if text.len() != BASE64_UUID_LEN {
        return None;
    }
    let mut value: u128 = 0;
    for (i, byte) in text.iter().enumerate() {
        let six = BASE64.iter().position(|b| b == byte)? as u128;
        value = if i < 21 { (value << 6) | six } else { (value << 2) | (six >> 4) };
    }
    Some(Uuid::from_u128(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_kafkas() {
        // What `new Uuid(1, 2).toString()` prints.
        let uuid = Uuid::from_u64_pair(1, 2);
        assert_eq!(uuid_to_base64(uuid), "AAAAAAAAAAEAAAAAAAAAAg");
        assert_eq!(uuid_from_base64("AAAAAAAAAAEAAAAAAAAAAg"), Some(uuid));
    }

    #[test]
    fn base64_round_trips() {
        for seed in 0..64u32 {
            let uuid = Uuid::from_u128(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128.rotate_left(seed));
            assert_eq!(uuid_from_base64(&uuid_to_base64(uuid)), Some(uuid));
        }
        assert_eq!(uuid_from_base64("too short"), None);
        assert_eq!(uuid_from_base64("!AAAAAAAAAEAAAAAAAAAAg"), None);
    }
}
