//! The shape of one row of the key tables.

use std::fmt;

/// One configuration key as Kafka 4.1 defines it, and what this broker does with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// The key as it is written in `server.properties`.
    pub name: &'static str,
    /// How the value is read.
    pub kind: KeyType,
    /// Kafka's default in its text form; `None` is null.
    pub default: Option<&'static str>,
    /// Which values are legal, beyond the type.
    pub check: Check,
    /// Kafka's own grading.
    pub importance: Importance,
    /// Whether and how it can change while the broker runs.
    pub update: UpdateMode,
    /// Internal keys are legal but not listed by DescribeConfigs unless they are set.
    pub internal: bool,
    /// What this broker does with it.
    pub support: Support,
    /// One line of meaning.
    pub doc: &'static str,
}

impl Key {
    /// Whether DescribeConfigs and error messages must hide the value.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, KeyType::Password)
    }

    /// Marks a key Kafka keeps out of its documentation.
    pub(crate) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }
}

/// One row of a key table.
// Every column is of another type, so the eight arguments cannot be confused; a table reads best without labels.
#[allow(clippy::too_many_arguments)]
pub(crate) const fn key(
    name: &'static str,
    kind: KeyType,
    default: Option<&'static str>,
    check: Check,
    importance: Importance,
    update: UpdateMode,
    support: Support,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, check, importance, update, internal: false, support, doc }
}

/// `org.apache.kafka.common.config.ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `true` or `false`, in any case.
    Boolean,
    /// Any text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A floating point number.
    Double,
    /// Comma separated texts.
    List,
    /// The name of a Java class.
    Class,
    /// A text that is never shown.
    Password,
}

impl KeyType {
    /// Kafka's name of the type, as its error messages and documentation print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// A rule for values beyond their type; the messages are those of Kafka's validators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// Nothing more.
    Any,
    /// A number not below this; null is not legal.
    AtLeast(i64),
    /// A number in this closed range; null is not legal.
    Between(i64, i64),
    /// A floating point number in this closed range.
    Fraction(f64, f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A list of only these texts.
    ListOf(&'static [&'static str]),
    /// Null, or a text with at least one character.
    NonEmpty,
    /// Any text but null.
    NonNull,
    /// 1 to 9, or -1 for the library's choice.
    GzipLevel,
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
    /// A list of `id@host:port`.
    QuorumVoters,
    /// A list of `host:port`.
    QuorumServers,
    /// `earliest`, `latest` or `by_duration:` with an ISO 8601 duration (KIP-1106).
    ShareOffsetReset,
}

/// As Kafka's documentation prints it; nothing for [`Check::Any`].
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::AtLeast(min) => write!(f, "[{min},...]"),
            Self::Between(min, max) => write!(f, "[{min},...,{max}]"),
            Self::Fraction(min, max) => write!(f, "[{min},...,{max}]"),
            Self::OneOf(legal) | Self::ListOf(legal) => write!(f, "[{}]", legal.join(", ")),
            Self::OneOfIgnoringCase(legal) => write!(f, "(case insensitive) [{}]", legal.join(", ")),
            Self::NonEmpty => f.write_str("non-empty string"),
            Self::NonNull => f.write_str("non-null string"),
            Self::GzipLevel => f.write_str("[1,...,9] or -1"),
            Self::ThrottledReplicas => f.write_str("[partitionId]:[brokerId],[partitionId]:[brokerId],..."),
            Self::QuorumVoters | Self::QuorumServers => f.write_str("non-empty list"),
            Self::ShareOffsetReset => f.write_str("[latest, earliest, by_duration:PnDTnHnMn.nS]"),
        }
    }
}

/// Kafka's grading of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Importance {
    High,
    Medium,
    Low,
}

impl Importance {
    /// The word Kafka's documentation uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// When a key may change (the "Update Mode" of Kafka's documentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// Dynamically, for one broker.
    PerBroker,
    /// Dynamically, for one broker or as the default of the cluster.
    ClusterWide,
}

impl UpdateMode {
    /// The word Kafka's documentation uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

/// What this broker does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has Kafka's effect.
    Honoured,
    /// It is checked and shown by DescribeConfigs, and has no effect here.
    Accepted,
    /// It is checked and shown; setting it gives one WARN line, because it has no effect here.
    Ignored,
    /// A value other than the default stops the start: silence would be a surprise.
    Refused,
}

impl Support {
    /// The word the generated documentation uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}
