//! `ApiVersions` (KIP-35, KIP-511, KIP-584): the one API that is answered in any version.

use kafka_protocol::protocol::StrBytes;
use model::ErrorCode;

use crate::api_table::{self, ApiKey};
use crate::cursor::Cursor;
use crate::error::{BadBytes, EncodeError};
use crate::out::Out;

const CLIENT_SOFTWARE_FROM: i16 = 3;
/// Clients before it cannot read a feature whose smallest level is 0 (KAFKA-17011).
const FEATURE_LEVEL_ZERO_FROM: i16 = 4;
const SUPPORTED_FEATURES_TAG: u32 = 0;
const FEATURES_EPOCH_TAG: u32 = 1;
const FINALIZED_FEATURES_TAG: u32 = 2;
const ZK_MIGRATION_READY_TAG: u32 = 3;
/// "No finalized features are known."
const EPOCH_UNKNOWN: i64 = -1;

/// Asks what the broker speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionsRequest {
    /// What the client says about itself, since version 3.
    pub client_software: Option<ClientSoftware>,
    /// Whether the request came in a version that is not served, and so was not read. Its answer is
    /// `UNSUPPORTED_VERSION` in a version 0 body.
    pub unsupported_version: bool,
}

/// Name and version of a client library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSoftware {
    /// Its name, such as `apache-kafka-java`; see [`ApiVersionsRequest::refusal`].
    pub name: StrBytes,
    /// Its version.
    pub version: StrBytes,
}

/// Tells what the broker speaks. Fields that the request's version lacks are left out when it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    /// The outcome.
    pub error: ErrorCode,
    /// The APIs, in ascending order of their keys.
    pub api_keys: Vec<ApiVersion>,
    /// Milliseconds the client shall pause.
    pub throttle_time_ms: i32,
    /// Features this broker can do. Those whose smallest level is 0 are left out before version 4.
    pub supported_features: Vec<SupportedFeature>,
    /// Epoch of the finalized features, -1 when unknown.
    pub finalized_features_epoch: i64,
    /// Features in force in the cluster. Those at level 0 are left out.
    pub finalized_features: Vec<FinalizedFeature>,
    /// Always false since Kafka 4.0; kept because clients can read it.
    pub zk_migration_ready: bool,
}

/// Versions of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    /// Number of the API.
    pub api_key: i16,
    /// Smallest version.
    pub min_version: i16,
    /// Largest version.
    pub max_version: i16,
}

/// Levels of a feature that a broker can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Its name, such as `metadata.version`.
    pub name: StrBytes,
    /// Smallest level.
    pub min_version: i16,
    /// Largest level.
    pub max_version: i16,
}

/// Level of a feature in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalizedFeature {
    /// Its name.
    pub name: StrBytes,
    /// Largest level in force. Kafka gives the same number as the smallest.
    pub max_version_level: i16,
    /// Smallest level in force.
    pub min_version_level: i16,
}

impl ApiVersionsRequest {
    /// The error that a request earns by its form: a version that is not served, or a client name or version that
    /// breaks KIP-511's pattern. Such a request is answered [`ApiVersionsResponse::refused`].
    pub fn refusal(&self) -> Option<ErrorCode> {
        if self.unsupported_version {
            return Some(ErrorCode::UnsupportedVersion);
        }
        let software = self.client_software.as_ref()?;
        let legal = is_software_name(&software.name) && is_software_name(&software.version);
        (!legal).then_some(ErrorCode::InvalidRequest)
    }

    pub(crate) fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, BadBytes> {
        let client_software = if version >= CLIENT_SOFTWARE_FROM {
            Some(ClientSoftware { name: cursor.string()?, version: cursor.string()? })
        } else {
            None
        };
        cursor.skip_tagged_fields()?;
        Ok(Self { client_software, unsupported_version: false })
    }

    pub(crate) fn encode(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        if version >= CLIENT_SOFTWARE_FROM {
            let software = self.client_software.clone().unwrap_or_default();
            out.string(&software.name)?;
            out.string(&software.version)?;
        }
        out.no_tagged_fields();
        Ok(())
    }
}

impl ApiVersionsResponse {
    /// What this broker serves, with no features.
    pub fn served() -> Self {
        Self {
            error: ErrorCode::None,
            api_keys: api_table::served_apis().map(ApiVersion::of).collect(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: EPOCH_UNKNOWN,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }

    /// What a controller's listener serves, with no features.
    pub fn served_to_administrators() -> Self {
        Self { api_keys: api_table::controller_apis().map(ApiVersion::of).collect(), ..Self::served() }
    }

    /// An answer with an error. `UNSUPPORTED_VERSION` carries the range of `ApiVersions`, so that the client can ask
    /// again (KIP-511).
    pub fn refused(error: ErrorCode) -> Self {
        let own = ApiVersion::of(ApiKey::ApiVersions.spec());
        Self {
            error,
            api_keys: if error == ErrorCode::UnsupportedVersion { vec![own] } else { Vec::new() },
            ..Self::served()
        }
    }

    pub(crate) fn size_hint(&self) -> usize {
        let features = self.supported_features.len() + self.finalized_features.len();
        32 + 7 * self.api_keys.len() + 40 * features
    }

    pub(crate) fn encode(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        out.i16(self.error.code());
        out.array(self.api_keys.len())?;
        for api in &self.api_keys {
            out.i16(api.api_key);
            out.i16(api.min_version);
            out.i16(api.max_version);
            out.no_tagged_fields();
        }
        if version >= 1 {
            out.i32(self.throttle_time_ms);
        }
        if out.is_flexible() {
            self.encode_features(out, version)?;
        }
        Ok(())
    }

    fn encode_features(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        let readable =
            |feature: &&SupportedFeature| version >= FEATURE_LEVEL_ZERO_FROM || feature.min_version != 0;
        let supported: Vec<_> = self.supported_features.iter().filter(readable).collect();
        let in_force = |feature: &&FinalizedFeature| feature.max_version_level != 0;
        let finalized: Vec<_> = self.finalized_features.iter().filter(in_force).collect();
        let has_epoch = self.finalized_features_epoch != EPOCH_UNKNOWN;
        let fields = [!supported.is_empty(), has_epoch, !finalized.is_empty(), self.zk_migration_ready];
        out.tagged_fields(fields.into_iter().map(usize::from).sum());
        if !supported.is_empty() {
            out.tagged_field(SUPPORTED_FEATURES_TAG, |out| {
                out.array(supported.len())?;
                supported.iter().try_for_each(|f| level_range(out, &f.name, f.min_version, f.max_version))
            })?;
        }
        if has_epoch {
            out.tagged_field(FEATURES_EPOCH_TAG, |out| {
                out.i64(self.finalized_features_epoch);
                Ok(())
            })?;
        }
        if !finalized.is_empty() {
            out.tagged_field(FINALIZED_FEATURES_TAG, |out| {
                out.array(finalized.len())?;
                // Here the largest level comes first.
                let mut each = finalized.iter();
                each.try_for_each(|f| level_range(out, &f.name, f.max_version_level, f.min_version_level))
            })?;
        }
        if self.zk_migration_ready {
            out.tagged_field(ZK_MIGRATION_READY_TAG, |out| {
                out.bool(true);
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(crate) fn decode(cursor: &mut Cursor, version: i16) -> Result<Self, BadBytes> {
        let mut response = Self::refused(ErrorCode::from_code(cursor.i16()?));
        response.api_keys = (0..cursor.array(6)?)
            .map(|_| {
                let api = ApiVersion {
                    api_key: cursor.i16()?,
                    min_version: cursor.i16()?,
                    max_version: cursor.i16()?,
                };
                cursor.skip_tagged_fields().map(|()| api)
            })
            .collect::<Result<_, _>>()?;
        if version >= 1 {
            response.throttle_time_ms = cursor.i32()?;
        }
        cursor.tagged_fields(|tag, value| {
            match tag {
                SUPPORTED_FEATURES_TAG => {
                    for _ in 0..value.array(6)? {
                        response.supported_features.push(SupportedFeature {
                            name: value.string()?,
                            min_version: value.i16()?,
                            max_version: value.i16()?,
                        });
                        value.skip_tagged_fields()?;
                    }
                }
                FEATURES_EPOCH_TAG => response.finalized_features_epoch = value.i64()?,
                FINALIZED_FEATURES_TAG => {
                    for _ in 0..value.array(6)? {
                        response.finalized_features.push(FinalizedFeature {
                            name: value.string()?,
                            max_version_level: value.i16()?,
                            min_version_level: value.i16()?,
                        });
                        value.skip_tagged_fields()?;
                    }
                }
                ZK_MIGRATION_READY_TAG => response.zk_migration_ready = value.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(response)
    }
}

impl ApiVersion {
    fn of(spec: &api_table::ApiSpec) -> Self {
        Self { api_key: spec.key.code(), min_version: spec.min_advertised(), max_version: spec.max }
    }
}

/// KIP-511's pattern: letters, digits, and between them also hyphens and dots.
fn is_software_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    outer(text.chars().next()) && outer(text.chars().next_back()) && text.chars().all(inner)
}

fn level_range(out: &mut Out, name: &str, first: i16, second: i16) -> Result<(), EncodeError> {
    out.string(name)?;
    out.i16(first);
    out.i16(second);
    out.no_tagged_fields();
    Ok(())
}

#[cfg(test)]
#[path = "api_versions_tests.rs"]
mod tests;
