//! Records of features that this broker does not act on (ACLs, quotas, SCRAM, delegation tokens, the remains
//! of a ZooKeeper migration, and types of later versions): they are kept byte for byte, so that nothing is
//! lost when Kafka opens the directory again.

use bytes::Bytes;
use model::codec::{ReadError, Reader};

/// A record that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerbatimRecord {
    /// The record's type.
    pub api_key: i16,
    /// The version of its schema.
    pub version: i16,
    /// The body, tagged fields included.
    pub body: Bytes,
}

/// What a verbatim record is about: a later record with the same key takes the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerbatimKey {
    /// A SCRAM credential: user and mechanism (api keys 11 and 22).
    ScramCredential(String, i8),
    /// A delegation token (api keys 10 and 26).
    DelegationToken(String),
    /// A quota: sorted entity and config key (api key 14).
    ClientQuota(Vec<(String, Option<String>)>, String),
    /// An access control entry (api keys 18 and 19).
    AccessControlEntry([u8; 16]),
    /// The state of the ZooKeeper migration (api key 21).
    ZkMigration,
}

/// What a verbatim record does to those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerbatimEffect {
    /// It stands for this key from now on.
    Set(VerbatimKey),
    /// What stood for this key is gone, and so is this record.
    Remove(VerbatimKey),
    /// Nothing is known about it: it is kept where it stands.
    Keep,
}

impl VerbatimRecord {
    pub(super) fn read(api_key: i16, version: i16, reader: &mut Reader) -> Result<Self, ReadError> {
        let body = reader.bytes(reader.remaining())?;
        Ok(Self { api_key, version, body })
    }

    /// What this record does to those before it; one whose body is not as expected is simply kept.
    pub fn effect(&self) -> VerbatimEffect {
        if self.version != 0 {
            return VerbatimEffect::Keep;
        }
        self.read_effect().unwrap_or(VerbatimEffect::Keep)
    }

    fn read_effect(&self) -> Result<VerbatimEffect, ReadError> {
        let mut reader = Reader::new(self.body.clone());
        let effect = match self.api_key {
            10 => {
                let (_owner, _requester) = (reader.compact_string()?, reader.compact_string()?);
                for _ in 0..reader.compact_array_len()?.unwrap_or(0) {
                    let _renewer = reader.compact_string()?;
                }
                let _timestamps = (reader.i64()?, reader.i64()?, reader.i64()?);
                VerbatimEffect::Set(VerbatimKey::DelegationToken(reader.compact_string()?))
            }
            11 => VerbatimEffect::Set(scram_credential(&mut reader)?),
            14 => client_quota(&mut reader)?,
            18 => VerbatimEffect::Set(VerbatimKey::AccessControlEntry(reader.uuid()?.into_bytes())),
            19 => VerbatimEffect::Remove(VerbatimKey::AccessControlEntry(reader.uuid()?.into_bytes())),
            21 => VerbatimEffect::Set(VerbatimKey::ZkMigration),
            22 => VerbatimEffect::Remove(scram_credential(&mut reader)?),
            26 => VerbatimEffect::Remove(VerbatimKey::DelegationToken(reader.compact_string()?)),
            _ => VerbatimEffect::Keep,
        };
        Ok(effect)
    }
}

fn scram_credential(reader: &mut Reader) -> Result<VerbatimKey, ReadError> {
    Ok(VerbatimKey::ScramCredential(reader.compact_string()?, reader.i8()?))
}

fn client_quota(reader: &mut Reader) -> Result<VerbatimEffect, ReadError> {
    let mut entity = Vec::new();
    for _ in 0..reader.compact_array_len()?.unwrap_or(0) {
        entity.push((reader.compact_string()?, reader.compact_nullable_string()?));
        reader.tagged_fields()?;
    }
    // Kafka compares entities as maps, so the order on disk means nothing.
    entity.sort();
    let key = VerbatimKey::ClientQuota(entity, reader.compact_string()?);
    let _value = reader.f64()?;
    Ok(if reader.bool()? { VerbatimEffect::Remove(key) } else { VerbatimEffect::Set(key) })
}
