//! From a frame to the handler of its API, and from the handler's response to the bytes of the reply.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use storage::ReadRange;
use wire::api_table::ApiKey;
use wire::error::DecodeError;
use wire::header::{ClientId, RequestHeader};
use wire::request::{self, Request};
use wire::response::{self, Response};

use crate::context::{Broker, ConnectionInfo, RequestContext};
use crate::effect::Effect;
use crate::fetch_session::NO_SESSION;
use crate::handlers;
use crate::handlers::produce::ProduceOutcome;
use crate::reply::{Piece, pieces_of};

/// How a request ends.
#[derive(Debug)]
pub enum Answer {
    /// The reply, its length prefix included.
    Reply(Vec<Piece>),
    /// The client asked for none (acks=0).
    Nothing,
    /// The connection ends without a reply, for this reason.
    Close(String),
}

/// A request that has been decoded. Nothing has happened yet; it takes effect when it is polled.
pub struct Started {
    /// Which API it is of, and which version.
    pub api: (ApiKey, i16),
    /// Ends with the answer.
    pub answer: Pin<Box<dyn Future<Output = Answer>>>,
    /// What it waits for before it is polled, and keeps waiting.
    pub order: Order,
}

/// How a request stands to those before and after it on its connection, each of which takes effect only after its
/// predecessor has.
#[derive(Clone, Debug)]
pub enum Order {
    /// It has taken effect when it was polled once, and others may follow: a Produce has appended all its records then,
    /// a Fetch changes nothing, and what members ask of their group has taken effect as well, so that a join that waits
    /// for others does not keep its connection from being read.
    AtOnce,
    /// A Produce of a transaction. Most have taken effect when they were polled once; one whose coordinator must be asked
    /// first says when it has, and until then nothing may be started after it, as if it were [`Order::Stepwise`].
    Announced(Effect),
    /// A Fetch that goes on in a session (KIP-227), which its answer changes: the next one of the connection must find
    /// it so, and is not polled before this one has ended.
    InSession,
    /// It takes effect over more than its first poll, and may hold what other requests wait for in between: nothing may
    /// be started after it before it ends, and it must be polled whenever it asks to be.
    Stepwise,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started").field("order", &self.order).finish_non_exhaustive()
    }
}

/// Decodes a frame and binds it to its handler. `client_id` is the connection's last one: requests that wait share it
/// instead of keeping their frames.
///
/// # Errors
/// The connection must be closed, as Kafka does with a request that it cannot read.
pub fn start(
    broker: &Arc<Broker>,
    connection: &Arc<ConnectionInfo>,
    client_id: &mut ClientId,
    frame: Bytes,
) -> Result<Started, DecodeError> {
    let (mut header, body) = RequestHeader::parse(frame)?;
    if connection.is_controllers && !header.api_key.spec().is_for_controllers() {
        return Err(DecodeError::UnknownApi(header.api_key.code()));
    }
    header.client_id.detach(client_id);
    let request = request::decode(&header, body)?;
    let context = RequestContext { header, connection: Arc::clone(connection) };
    let broker = Arc::clone(broker);
    let (order, api) = (Order::of(&request), (context.header.api_key, context.header.api_version));
    let effect = order.effect();
    // The two hot ones are carried in one piece, which is large; all others need not be.
    let answer: Pin<Box<dyn Future<Output = Answer>>> = match request {
        Request::Produce(_) | Request::Fetch(_) => {
            Box::pin(async move { answer_hot(&broker, &context, request, effect).await })
        }
        other => Box::pin(async move {
            let response = cold(&broker, &context, other).await;
            reply(&broker, &context, response, Vec::new())
        }),
    };
    Ok(Started { api, answer, order })
}

impl Order {
    fn of(request: &Request) -> Self {
        match request {
            Request::Fetch(fetch) if fetch.session_id != NO_SESSION => Self::InSession,
            Request::Produce(produce) if produce.transactional_id.is_some() => {
                Self::Announced(Effect::default())
            }
            Request::Produce(_)
            | Request::Fetch(_)
            | Request::OffsetCommit(_)
            | Request::OffsetFetch(_)
            | Request::JoinGroup(_)
            | Request::SyncGroup(_)
            | Request::Heartbeat(_)
            | Request::LeaveGroup(_)
            | Request::ConsumerGroupHeartbeat(_) => Self::AtOnce,
            _ => Self::Stepwise,
        }
    }

    fn effect(&self) -> Option<Effect> {
        if let Self::Announced(effect) = self { Some(effect.clone()) } else { None }
    }
}

impl Answer {
    /// Bytes of the reply.
    pub fn reply_bytes(&self) -> usize {
        match self {
            Self::Reply(pieces) => pieces.iter().map(Piece::len).sum(),
            Self::Nothing | Self::Close(_) => 0,
        }
    }
}

async fn answer_hot(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: Request,
    effect: Option<Effect>,
) -> Answer {
    match request {
        Request::Produce(request) => {
            match handlers::produce::handle(broker, context, request, effect).await {
                ProduceOutcome::Respond(response) => {
                    reply(broker, context, Response::Produce(response), Vec::new())
                }
                ProduceOutcome::Silent => Answer::Nothing,
                ProduceOutcome::Close(why) => Answer::Close(why),
            }
        }
        Request::Fetch(request) => {
            let fetched = handlers::fetch::serve(broker, context, request).await;
            reply(broker, context, Response::Fetch(fetched.response), fetched.ranges)
        }
        _ => unreachable!("answered by `cold`"),
    }
}

fn reply(broker: &Broker, context: &RequestContext, response: Response, ranges: Vec<ReadRange>) -> Answer {
    broker.metrics.note_errors(context.header.api_key, &response);
    match response::encode(&context.header, response) {
        Ok(reply) => Answer::Reply(pieces_of(reply, ranges)),
        Err(error) => {
            tracing::error!(target: "ottla.dispatch", "the answer to {:?} cannot be encoded: {error}", context.header.api_key);
            Answer::Close("its answer could not be encoded".to_owned())
        }
    }
}

/// Every API but the two hot ones. Boxed, so that a waiting Produce or Fetch does not carry the size of the largest.
fn cold<'a>(
    broker: &'a Arc<Broker>,
    context: &'a RequestContext,
    request: Request,
) -> Pin<Box<dyn Future<Output = Response> + 'a>> {
    macro_rules! call {
        ($variant:ident, $handler:ident, $request:expr) => {
            Box::pin(async move {
                Response::$variant(Box::new(handlers::$handler::handle(broker, context, *$request).await))
            })
        };
    }
    match request {
        Request::ListOffsets(request) => call!(ListOffsets, list_offsets, request),
        Request::Metadata(request) => call!(Metadata, metadata, request),
        Request::FindCoordinator(request) => call!(FindCoordinator, find_coordinator, request),
        Request::ApiVersions(request) => Box::pin(async move {
            Response::ApiVersions(handlers::api_versions::handle(broker, context, request).await)
        }),
        Request::CreateTopics(request) => call!(CreateTopics, create_topics, request),
        Request::DeleteTopics(request) => call!(DeleteTopics, delete_topics, request),
        Request::DeleteRecords(request) => call!(DeleteRecords, delete_records, request),
        Request::InitProducerId(request) => call!(InitProducerId, init_producer_id, request),
        Request::OffsetForLeaderEpoch(request) => {
            call!(OffsetForLeaderEpoch, offset_for_leader_epoch, request)
        }
        Request::DescribeAcls(request) => call!(DescribeAcls, describe_acls, request),
        Request::CreateAcls(request) => call!(CreateAcls, create_acls, request),
        Request::DeleteAcls(request) => call!(DeleteAcls, delete_acls, request),
        Request::DescribeConfigs(request) => call!(DescribeConfigs, describe_configs, request),
        Request::AlterConfigs(request) => call!(AlterConfigs, alter_configs, request),
        Request::AlterReplicaLogDirs(request) => call!(AlterReplicaLogDirs, alter_replica_log_dirs, request),
        Request::DescribeLogDirs(request) => call!(DescribeLogDirs, describe_log_dirs, request),
        Request::CreatePartitions(request) => call!(CreatePartitions, create_partitions, request),
        Request::ElectLeaders(request) => call!(ElectLeaders, elect_leaders, request),
        Request::IncrementalAlterConfigs(request) => {
            call!(IncrementalAlterConfigs, incremental_alter_configs, request)
        }
        Request::AlterPartitionReassignments(request) => {
            call!(AlterPartitionReassignments, alter_partition_reassignments, request)
        }
        Request::ListPartitionReassignments(request) => {
            call!(ListPartitionReassignments, list_partition_reassignments, request)
        }
        Request::DescribeClientQuotas(request) => {
            call!(DescribeClientQuotas, describe_client_quotas, request)
        }
        Request::DescribeQuorum(request) => call!(DescribeQuorum, describe_quorum, request),
        Request::UpdateFeatures(request) => call!(UpdateFeatures, update_features, request),
        Request::DescribeCluster(request) => call!(DescribeCluster, describe_cluster, request),
        Request::DescribeProducers(request) => call!(DescribeProducers, describe_producers, request),
        Request::ListConfigResources(request) => call!(ListConfigResources, list_config_resources, request),
        Request::DescribeTopicPartitions(request) => {
            call!(DescribeTopicPartitions, describe_topic_partitions, request)
        }
        Request::OffsetCommit(request) => call!(OffsetCommit, offset_commit, request),
        Request::OffsetFetch(request) => call!(OffsetFetch, offset_fetch, request),
        Request::JoinGroup(request) => call!(JoinGroup, join_group, request),
        Request::Heartbeat(request) => call!(Heartbeat, heartbeat, request),
        Request::LeaveGroup(request) => call!(LeaveGroup, leave_group, request),
        Request::SyncGroup(request) => call!(SyncGroup, sync_group, request),
        Request::DescribeGroups(request) => call!(DescribeGroups, describe_groups, request),
        Request::ListGroups(request) => call!(ListGroups, list_groups, request),
        Request::DeleteGroups(request) => call!(DeleteGroups, delete_groups, request),
        Request::OffsetDelete(request) => call!(OffsetDelete, offset_delete, request),
        Request::ConsumerGroupHeartbeat(request) => {
            call!(ConsumerGroupHeartbeat, consumer_group_heartbeat, request)
        }
        Request::ConsumerGroupDescribe(request) => {
            call!(ConsumerGroupDescribe, consumer_group_describe, request)
        }
        Request::AddPartitionsToTxn(request) => call!(AddPartitionsToTxn, add_partitions_to_txn, request),
        Request::AddOffsetsToTxn(request) => call!(AddOffsetsToTxn, add_offsets_to_txn, request),
        Request::EndTxn(request) => call!(EndTxn, end_txn, request),
        Request::WriteTxnMarkers(request) => call!(WriteTxnMarkers, write_txn_markers, request),
        Request::TxnOffsetCommit(request) => call!(TxnOffsetCommit, txn_offset_commit, request),
        Request::DescribeTransactions(request) => {
            call!(DescribeTransactions, describe_transactions, request)
        }
        Request::ListTransactions(request) => call!(ListTransactions, list_transactions, request),
        Request::Refused(response) => Box::pin(std::future::ready(*response)),
        Request::Produce(_) | Request::Fetch(_) => unreachable!("answered by `answer_hot`"),
    }
}
