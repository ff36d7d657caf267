//! Records of features that this broker does not act on, in the order in which they came.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::record::{VerbatimEffect, VerbatimKey, VerbatimRecord};

/// Records that are kept as they are; removal records have taken their counterparts away.
#[derive(Clone, Debug, Default)]
pub struct VerbatimRecords {
    /// By arrival: the number only grows.
    records: BTreeMap<u64, VerbatimRecord>,
    by_key: BTreeMap<VerbatimKey, u64>,
    next: u64,
}

impl VerbatimRecords {
    /// All records, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &VerbatimRecord> {
        self.records.values()
    }

    /// Takes a record in: it stands, replaces what stood for its key, or removes that.
    pub(crate) fn replay(&mut self, record: &VerbatimRecord) {
        let key = match record.effect() {
            VerbatimEffect::Keep => None,
            VerbatimEffect::Set(key) => Some(key),
            VerbatimEffect::Remove(key) => {
                if let Some(place) = self.by_key.remove(&key) {
                    self.records.remove(&place);
                }
                return;
            }
        };
        if let Some(place) = key.as_ref().and_then(|key| self.by_key.remove(key)) {
            self.records.remove(&place);
        }
        // A slice would keep the whole buffer that the record was read from.
        let body = Bytes::copy_from_slice(&record.body);
        self.records.insert(self.next, VerbatimRecord { body, ..*record });
        if let Some(key) = key {
            self.by_key.insert(key, self.next);
        }
        self.next += 1;
    }
}

/// Equal when the same records stand in the same order, whatever came and went before.
impl PartialEq for VerbatimRecords {
    fn eq(&self, other: &Self) -> bool {
        self.records.values().eq(other.records.values())
    }
}

impl Eq for VerbatimRecords {}
