//! The first records of a transaction in a partition: its coordinator must know of them before they are in the log, or a
//! marker that has been written already would never end them (KIP-890; `ReplicaManager.handleProduceAppend`,
//! `AddPartitionsToTxnManager`).
//!
//! Clients of before KIP-890's second part have told the coordinator themselves, which is verified; later ones leave that
//! to this request.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use config::resolved;
use coordinator::txn::{PartitionErrors, ProducerIdAndEpoch};
use model::{BatchHeader, ErrorCode};
use storage::{Origin, VerificationGuard};
use wire::StrBytes;
use wire::produce::{ProduceRequest, TransactionSupport};

use super::refusal::Refused;
use super::{Appends, Place, Progress, Wait, placed_answer};
use crate::partition::Partition;
use crate::transactions::{Admission, Admitted};

/// The transaction that a request says its records belong to.
#[derive(Debug)]
pub(super) struct Transaction {
    id: StrBytes,
    support: TransactionSupport,
    /// Whether its coordinator is asked about it.
    is_asked: bool,
}

/// Records that wait for their admission.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) partition: Arc<Partition>,
    /// Valid.
    pub(super) batch: Bytes,
    pub(super) guard: VerificationGuard,
    pub(super) place: Place,
}

impl Transaction {
    pub(super) fn of(request: &ProduceRequest, settings: &resolved::Transactions) -> Option<Self> {
        let support = request.transaction_support;
        Some(Self {
            id: request.transactional_id.clone()?,
            support,
            is_asked: support == TransactionSupport::AddsPartitions || settings.verify_partitions,
        })
    }

    fn how(&self) -> Admission {
        if self.support == TransactionSupport::AddsPartitions { Admission::Add } else { Admission::Verify }
    }

    /// What a client is told of an error of its coordinator. Older clients do not know to try again after some of them;
    /// NOT_ENOUGH_REPLICAS makes them do so, without a look at the metadata.
    fn told(&self, code: ErrorCode) -> Refused {
        let code = match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if self.support == TransactionSupport::Classic => {
                ErrorCode::InvalidTxnState
            }
            code => code,
        };
        match code {
            ErrorCode::InvalidTxnState => {
                Refused::with_message(code, "Partition was not added to the transaction".to_owned())
            }
            ErrorCode::NetworkException
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator => unverified(code),
            ErrorCode::ConcurrentTransactions if self.how() == Admission::Verify => unverified(code),
            code => code.into(),
        }
    }
}

fn unverified(code: ErrorCode) -> Refused {
    let message = format!("the transaction could not be asked about the partition: {}", code.name());
    Refused::with_message(ErrorCode::NotEnoughReplicas, message)
}

impl Appends<'_> {
    /// What a batch that the coordinator must be asked about needs afterwards; `None` for all others.
    pub(super) fn guard(
        &self,
        partition: &Partition,
        header: &BatchHeader,
    ) -> Result<Option<VerificationGuard>, Refused> {
        if !header.is_transactional() || !header.has_producer_id() {
            return Ok(None);
        }
        let Some(transaction) = self.transaction.as_ref().filter(|transaction| transaction.is_asked) else {
            return Ok(None);
        };
        let begun = partition.begin_verification(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
            transaction.how() == Admission::Add,
            self.now_ms,
        );
        begun.map_err(|error| {
            tracing::info!("Refused a batch for {}: {error}", partition.dir_name());
            error.code().into()
        })
    }

    /// Asks the coordinator, and appends what it admits.
    pub(super) async fn admit(self, progress: Progress) -> Progress {
        let Progress { mut response, mut waits, held } = progress;
        let (Some(transaction), Some(producer)) = (&self.transaction, held.first().and_then(Held::producer))
        else {
            return Progress { response, waits, held };
        };
        let asked: Vec<&Arc<Partition>> = held.iter().map(|held| &held.partition).collect();
        let admitted =
            self.broker.transactions.admit_ahead(&transaction.id, producer, &asked, transaction.how()).await;
        let verdicts = admitted.as_ref().map(|admitted| by_partition(&admitted.partitions));
        let word = admitted.as_ref().ok().and_then(|admitted| admitted.word.as_ref());
        for Held { partition, batch, guard, place } in held {
            let verdict = match &verdicts {
                Err(code) => **code,
                // What is not said to be admitted is not.
                Ok(verdicts) => verdicts
                    .get(&(&*partition.topic().name, partition.index()))
                    .copied()
                    .unwrap_or(ErrorCode::InvalidTxnState),
            };
            let appended = if verdict.is_none() {
                partition
                    .append_verified(Origin::Client, batch, self.acks(), self.now_ms, Some(guard))
                    .map_err(|error| self.refused(&error, &partition))
            } else {
                tracing::info!("Refused a batch for {}: {}", partition.dir_name(), verdict.name());
                Err(transaction.told(verdict))
            };
            let Some(answer) = place.of(&mut response) else { continue };
            let index = answer.partition;
            match appended {
                Ok(placed) => {
                    *answer = placed_answer(index, &placed);
                    waits.extend(Wait::of(partition, &placed, place));
                    // Nobody is told of the record before the coordinator's word is on disk as well.
                    let word = word.filter(|word| !word.is_on_disk());
                    waits.extend(word.map(|word| Wait {
                        partition: Arc::clone(word.log()),
                        end: word.end(),
                        place,
                    }));
                }
                Err(refused) => {
                    partition.tally().produce_failed();
                    *answer = refused.answer(index);
                }
            }
        }
        // After the appends, so that one sync takes both.
        admitted.iter().for_each(Admitted::hurry);
        Progress { response, waits, held: Vec::new() }
    }
}

impl Held {
    /// All batches of a request have the same.
    fn producer(&self) -> Option<ProducerIdAndEpoch> {
        let header = BatchHeader::parse(&self.batch).ok()?;
        Some(ProducerIdAndEpoch {
            producer_id: header.producer_id.value(),
            producer_epoch: header.producer_epoch.value(),
        })
    }
}

fn by_partition(errors: &PartitionErrors) -> HashMap<(&str, i32), ErrorCode> {
    let topics = errors.iter();
    topics
        .flat_map(|(topic, partitions)| {
            partitions.iter().map(|(index, code)| ((topic.as_str(), *index), *code))
        })
        .collect()
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "transaction_tests.rs"]
mod transaction_tests;
