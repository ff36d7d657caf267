//! A shard with a log that works, and its answers as text.

use crate::txn::record::{Partitions, Record, Status, Value};
use crate::txn::{
    AddPartitionsRequest, Context, EndTxnRequest, InitProducerIdRequest, ProducerIdAndEpoch, Reply, Request,
    Settings, Shard, Step, Ticket,
};
use model::ErrorCode;
use std::fmt::Write;

pub const WALL_MS: i64 = 1_700_000_000_000;
pub const FRESH: i64 = 2000;

pub struct World {
    pub shard: Shard,
    pub settings: Settings,
    pub transaction_version: i16,
    pub now_ms: i64,
    /// What the wall clock is ahead by, which is not believed.
    pub ahead_ms: i64,
}

impl World {
    /// With this value for the id `id`, if there is one.
    pub fn with(value: Option<Value>) -> Self {
        let mut world = Self {
            shard: Shard::default(),
            settings: Settings::default(),
            transaction_version: 2,
            now_ms: 0,
            ahead_ms: 0,
        };
        world.replay("id", value);
        world
    }

    pub fn replay(&mut self, transactional_id: &str, value: Option<Value>) {
        if value.is_some() {
            self.shard.replay(Record { transactional_id: transactional_id.into(), value });
        }
    }

    pub fn act(&mut self, act: impl FnOnce(&mut Shard, &Context) -> Step) -> Step {
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: WALL_MS + self.now_ms + self.ahead_ms,
            aging_ms: WALL_MS + self.now_ms,
            fresh_producer_id: FRESH,
            transaction_version: self.transaction_version,
            settings: &self.settings,
        };
        act(&mut self.shard, &context)
    }

    pub fn ask(&mut self, request: Request) -> Step {
        self.act(|shard, context| shard.step(context, Ticket(1), &request))
    }

    /// Asks, and takes in what is proposed.
    pub fn done(&mut self, request: Request) -> Step {
        let step = self.ask(request);
        self.write(&step);
        step
    }

    pub fn tick(&mut self) -> Step {
        self.act(Shard::tick)
    }

    pub fn write(&mut self, step: &Step) {
        for record in &step.records {
            self.shard.replay(record.clone());
        }
    }
}

pub fn producer(producer_id: i64, producer_epoch: i16) -> ProducerIdAndEpoch {
    ProducerIdAndEpoch { producer_id, producer_epoch }
}

pub fn init(expected: Option<(i64, i16)>) -> Request {
    Request::InitProducerId(InitProducerIdRequest {
        transactional_id: "id".into(),
        timeout_ms: 60_000,
        expected: expected.map(|(id, epoch)| producer(id, epoch)),
    })
}

pub fn add_request((id, epoch): (i64, i16), index: i32, verify_only: bool) -> AddPartitionsRequest {
    AddPartitionsRequest {
        transactional_id: "id".into(),
        producer: producer(id, epoch),
        partitions: partitions(&[index]),
        verify_only,
        transaction_version: 2,
    }
}

pub fn add(of: (i64, i16), index: i32) -> Request {
    Request::AddPartitions(add_request(of, index, false))
}

pub fn verify(of: (i64, i16), index: i32) -> Request {
    Request::AddPartitions(add_request(of, index, true))
}

pub fn end((id, epoch): (i64, i16), commit: bool, transaction_version: i16) -> Request {
    let producer = producer(id, epoch);
    Request::EndTxn(EndTxnRequest { transactional_id: "id".into(), producer, commit, transaction_version })
}

pub fn partitions(indexes: &[i32]) -> Partitions {
    if indexes.is_empty() {
        return Partitions::new();
    }
    [("t".to_owned(), indexes.iter().copied().collect())].into()
}

/// Producer id 1000 with epoch 5, last epoch 4, the id before it 900; partition 0 where there is a transaction.
pub fn value(status: Status) -> Value {
    let open = matches!(status, Status::Ongoing | Status::PrepareCommit | Status::PrepareAbort);
    Value {
        producer_id: 1000,
        previous_producer_id: 900,
        next_producer_id: -1,
        producer_epoch: 5,
        last_producer_epoch: 4,
        timeout_ms: 60_000,
        status,
        partitions: partitions(if open { &[0] } else { &[] }),
        last_update_ms: WALL_MS - 2000,
        start_ms: if status == Status::Empty { -1 } else { WALL_MS - 3000 },
        client_transaction_version: 0,
    }
}

/// `reply | Status id/epoch <last >next vN [partitions] | ... ! commit id/epoch vN [partitions] +id`
pub fn text(step: &Step) -> String {
    let mut out = String::new();
    for (_, reply) in &step.replies {
        out.push_str(&answer(reply));
    }
    for record in &step.records {
        match &record.value {
            None => write!(out, " | gone"),
            Some(value) => write!(
                out,
                " | {} {}/{} <{} >{} v{}{}",
                value.status.name(),
                value.producer_id,
                value.producer_epoch,
                value.last_producer_epoch,
                value.next_producer_id,
                value.client_transaction_version,
                indexes(&value.partitions)
            ),
        }
        .expect("text");
    }
    for marker in &step.markers {
        let kind = if marker.commit { "commit" } else { "abort" };
        let (id, epoch, version) = (marker.producer_id, marker.producer_epoch, marker.transaction_version);
        write!(out, " ! {kind} {id}/{epoch} v{version}{}", indexes(&marker.partitions)).expect("text");
    }
    if step.producer_id_taken {
        out += " +id";
    }
    out.trim_start().into()
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::InitProducerId(Ok(producer)) | Reply::EndTxn(Ok(Some(producer))) => {
            format!("{}/{}", producer.producer_id, producer.producer_epoch)
        }
        Reply::AddPartitions(Ok(errors)) => {
            let codes = errors.iter().flat_map(|(_, indexes)| indexes);
            let text = |code| if code == ErrorCode::None { "ok".into() } else { format!("ok:{code:?}") };
            codes.map(|(_, code)| text(*code)).collect::<Vec<_>>().join(",")
        }
        Reply::EndTxn(Ok(None)) => "ok".into(),
        Reply::InitProducerId(Err(code)) | Reply::AddPartitions(Err(code)) | Reply::EndTxn(Err(code)) => {
            format!("{code:?}")
        }
    }
}

fn indexes(partitions: &Partitions) -> String {
    let mut out = String::new();
    for indexes in partitions.values() {
        write!(out, " {indexes:?}").expect("text");
    }
    out
}
