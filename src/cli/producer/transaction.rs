//! A producer's transactions, in the classic protocol that every broker speaks: partitions are added before they are
//! written to.

use std::collections::BTreeSet;

use client::{CoordinatorOf, Target};
use model::ErrorCode;
use tokio::time::Instant;
use wire::messages::add_partitions_to_txn_request::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use wire::messages::{EndTxnRequest, ProducerId, TransactionalId};

use crate::kafka::{Trouble, refused, text, topic_name};

use super::{Producer, is_retriable};

/// What a transactional producer knows of itself.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) id: String,
    pub(super) timeout_ms: i32,
    /// Partitions that the open transaction has.
    added: BTreeSet<i32>,
}

impl Producer {
    /// Makes the producer transactional, before anything is sent.
    pub fn transactional(mut self, id: &str, timeout_ms: i32) -> Self {
        self.transaction = Some(Transaction { id: id.to_owned(), timeout_ms, added: BTreeSet::new() });
        self
    }

    /// Gets the producer id, which ends what an earlier producer of this name has left open.
    pub(super) async fn begin(&mut self) -> Result<(), Trouble> {
        if self.transaction.is_some() { self.identify().await } else { Ok(()) }
    }

    /// Adds partitions to the open transaction; nothing where there is none.
    pub(super) async fn add_partitions(&mut self, partitions: &[i32]) -> Result<(), Trouble> {
        let (Some(transaction), Some((id, epoch))) = (&self.transaction, self.identity) else {
            return Ok(());
        };
        let new: Vec<i32> =
            partitions.iter().copied().filter(|one| !transaction.added.contains(one)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let name = transaction.id.clone();
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(topic_name(self.topic.as_str()))
            .with_partitions(new.clone());
        let deadline = Instant::now() + self.sending.block_max;
        loop {
            let node = self.cluster.coordinator(CoordinatorOf::Transaction(&name)).await?;
            let answer = self
                .cluster
                .call_capped(Target::Node(node), ADD_PARTITIONS_MAX, |_version| {
                    AddPartitionsToTxnRequest::default()
                        .with_v3_and_below_transactional_id(TransactionalId(text(name.as_str())))
                        .with_v3_and_below_producer_id(ProducerId(id.value()))
                        .with_v3_and_below_producer_epoch(epoch.value())
                        .with_v3_and_below_topics(vec![topic.clone()])
                })
                .await?;
            let results = answer.results_by_topic_v3_and_below.iter();
            let mut codes = results.flat_map(|topic| &topic.results_by_partition);
            let bad = codes.find(|result| result.partition_error_code != 0);
            let Some(bad) = bad.map(|result| result.partition_error_code) else { break };
            self.wait_or_give_up(bad, deadline).await?;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.added.extend(new);
        }
        Ok(())
    }

    /// Ends the open transaction, if anything was written in it. Everything has to be answered before.
    pub(super) async fn end(&mut self, commit: bool) -> Result<(), Trouble> {
        let (Some(transaction), Some((id, epoch))) = (&mut self.transaction, self.identity) else {
            return Ok(());
        };
        if std::mem::take(&mut transaction.added).is_empty() {
            return Ok(());
        }
        let name = transaction.id.clone();
        let deadline = Instant::now() + self.sending.block_max;
        loop {
            let node = self.cluster.coordinator(CoordinatorOf::Transaction(&name)).await?;
            let answer = self
                .cluster
                .call_capped(Target::Node(node), END_TXN_MAX, |_version| {
                    EndTxnRequest::default()
                        .with_transactional_id(TransactionalId(text(name.as_str())))
                        .with_producer_id(ProducerId(id.value()))
                        .with_producer_epoch(epoch.value())
                        .with_committed(commit)
                })
                .await?;
            if answer.error_code == 0 {
                return Ok(());
            }
            self.wait_or_give_up(answer.error_code, deadline).await?;
        }
    }

    async fn wait_or_give_up(&self, code: i16, deadline: Instant) -> Result<(), Trouble> {
        if !is_retriable(ErrorCode::from_code(code)) || Instant::now() >= deadline {
            return Err(refused(code, None));
        }
        tokio::time::sleep(self.cluster.settings().retry_backoff).await;
        Ok(())
    }
}

/// Last version in which a client adds partitions of its own transaction alone.
const ADD_PARTITIONS_MAX: i16 = 3;
/// Last version in which the epoch stays what it is (KIP-890).
const END_TXN_MAX: i16 = 4;
