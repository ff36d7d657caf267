//! What committed offsets must know of their group.

use super::{Group, State};
use model::ErrorCode;

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";

/// From when an offset's retention counts (KIP-211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetExpiry {
    /// From its commit.
    SinceCommit,
    /// From this moment, at which the group became empty; milliseconds since the Unix epoch.
    Since(i64),
}

impl Group {
    /// May this committer commit (`ClassicGroup.validateOffsetCommit`)?
    pub fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ErrorCode> {
        // Administrators, and consumers that assign themselves.
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.validate_member(member_id, instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !transactional && !self.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        // It has joined this generation and does not know its assignment yet: it cannot have consumed under it.
        if !transactional && self.state == State::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// May offsets be deleted one by one (`ClassicGroup.validateOffsetDelete`)? Of consumers with members, those of
    /// topics that nobody reads.
    pub fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() || self.is_of_consumers() { Ok(()) } else { Err(ErrorCode::NonEmptyGroup) }
    }

    /// From when a commit's retention counts; `None` while nothing may expire
    /// (`ClassicGroup.offsetExpirationCondition`).
    pub fn offset_expiry(&self) -> Option<OffsetExpiry> {
        if self.protocol_type.is_none() {
            return Some(OffsetExpiry::SinceCommit);
        }
        if self.is_empty() {
            return Some(self.state_since_ms.map_or(OffsetExpiry::SinceCommit, OffsetExpiry::Since));
        }
        let known = self.is_of_consumers() && self.subscribed.is_some() && self.state == State::Stable;
        known.then_some(OffsetExpiry::SinceCommit)
    }

    /// Whether members read the topic, or may, as far as anybody knows.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or(self.is_of_consumers(), |topics| topics.contains(topic))
    }

    pub(super) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }
}
