//! What administrators ask about groups.

use super::{Context, Reply, Shard, Step, Ticket};
use model::ErrorCode;

impl Shard {
    /// Deletes a group that has no members, with its offsets (KIP-229).
    pub(super) fn delete_group(&mut self, _context: &Context, ticket: Ticket, _group_id: &str) -> Step {
        Step::reply(ticket, Reply::DeleteGroup(ErrorCode::GroupIdNotFound))
    }
}
