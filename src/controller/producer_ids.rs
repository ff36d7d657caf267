//! Blocks of producer ids (`ProducerIdControlManager`, KIP-730).

use model::ErrorCode;

use crate::command::{AllocateProducerIds, ApiError, Outcome, ProducerIdBlock};
use crate::controller::Controller;
use crate::record::{MetadataRecord, ProducerIdsRecord};

/// Ids that one broker gets at a time.
const BLOCK_SIZE: i32 = 1000;

impl Controller {
    /// Hands out the next block. It is never handed out again once the record is in the log.
    pub fn allocate_producer_ids(
        &self,
        command: AllocateProducerIds,
    ) -> Outcome<Result<ProducerIdBlock, ApiError>> {
        if let Err(error) = self.check_broker_epoch(command.broker_id, command.broker_epoch) {
            return Outcome::only(Err(error));
        }
        let first = self.image.next_producer_id();
        let Some(next_producer_id) = first.checked_add(i64::from(BLOCK_SIZE)) else {
            return Outcome::only(Err(ApiError::silent(ErrorCode::UnknownServerError)));
        };
        Outcome {
            records: vec![MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: command.broker_id,
                broker_epoch: command.broker_epoch,
                next_producer_id,
                unknown: Vec::new(),
            })],
            reply: Ok(ProducerIdBlock { first, count: BLOCK_SIZE }),
        }
    }
}

#[cfg(test)]
#[path = "producer_ids_tests.rs"]
mod tests;
