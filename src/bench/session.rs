//! A consumer's side of an incremental fetch session (KIP-227): after the first request only what has moved is named.

use bytes::Bytes;
use uuid::Uuid;
use wire::api_table::ApiKey;
use wire::call;
use wire::fetch::{FetchPartition, FetchRequest};
use wire::header::{ClientId, RequestHeader};

use crate::verify::{FETCH, asked, topic_of};

/// How much a Fetch asks for, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_wait_ms: i32,
    pub max_bytes: i32,
    pub partition_max_bytes: i32,
}

/// One reader's place in a topic.
#[derive(Debug)]
pub struct Session {
    topic: Uuid,
    limits: Limits,
    /// The next offset of each partition, -1 for one that is not read.
    offsets: Vec<i64>,
    /// Partitions whose offset the broker has not been told.
    moved: Vec<usize>,
    is_moved: Vec<bool>,
    id: i32,
    epoch: i32,
    correlation_id: i32,
}

impl Session {
    /// Reads from these offsets on; -1 leaves a partition out.
    pub fn new(topic: Uuid, offsets: Vec<i64>, limits: Limits) -> Self {
        let moved = (0..offsets.len()).filter(|index| offsets[*index] >= 0).collect();
        let is_moved = offsets.iter().map(|offset| *offset >= 0).collect();
        Self { topic, limits, offsets, moved, is_moved, id: 0, epoch: 0, correlation_id: 0 }
    }

    /// The next request, as it goes to the socket.
    pub fn request(&mut self) -> anyhow::Result<Bytes> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader {
            api_key: ApiKey::Fetch,
            api_version: FETCH,
            correlation_id: self.correlation_id,
            client_id: ClientId::new("kbench".to_owned()),
        };
        Ok(call::encode(&header, &self.body())?.to_bytes())
    }

    fn body(&mut self) -> FetchRequest {
        let partition =
            |index: usize| asked(index as i32, self.offsets[index], self.limits.partition_max_bytes);
        let partitions: Vec<FetchPartition> = self.moved.iter().map(|index| partition(*index)).collect();
        self.moved.clear();
        self.is_moved.fill(false);
        let topics = if partitions.is_empty() { Vec::new() } else { vec![topic_of(self.topic, partitions)] };
        let mut request =
            crate::verify::request(self.limits.max_wait_ms, self.epoch, self.limits.max_bytes, topics);
        request.session_id = self.id;
        request
    }

    /// The answer names the session that it belongs to.
    pub fn answered(&mut self, correlation_id: i32, session_id: i32) -> anyhow::Result<()> {
        anyhow::ensure!(correlation_id == self.correlation_id, "the answers are out of order");
        anyhow::ensure!(session_id != 0, "the broker keeps no fetch session");
        anyhow::ensure!(self.id == 0 || self.id == session_id, "the fetch session was changed");
        self.id = session_id;
        self.epoch += 1;
        Ok(())
    }

    /// The next offset of a partition.
    pub fn offset(&self, partition: i32) -> Option<i64> {
        self.offsets.get(usize::try_from(partition).ok()?).copied()
    }

    /// Goes on from there.
    pub fn move_to(&mut self, partition: i32, offset: i64) {
        let Ok(index) = usize::try_from(partition) else { return };
        if let Some(place) = self.offsets.get_mut(index) {
            *place = offset;
            if !std::mem::replace(&mut self.is_moved[index], true) {
                self.moved.push(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_wait_ms: 500, max_bytes: 1000, partition_max_bytes: 100 };

    fn asked_for(request: &FetchRequest) -> Vec<(i32, i64)> {
        let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| (partition.partition, partition.fetch_offset.value())).collect()
    }

    #[test]
    fn after_the_first_request_only_what_moved_is_named() {
        let mut session = Session::new(Uuid::from_u128(1), vec![0, -1, 7], LIMITS);
        let first = session.body();
        assert_eq!((first.session_id, first.session_epoch), (0, 0));
        assert_eq!(asked_for(&first), [(0, 0), (2, 7)]);
        session.answered(0, 99).unwrap();
        session.move_to(2, 9);
        session.move_to(2, 11);
        let second = session.body();
        assert_eq!((second.session_id, second.session_epoch), (99, 1));
        assert_eq!(asked_for(&second), [(2, 11)]);
        session.answered(0, 99).unwrap();
        assert!(session.body().topics.is_empty());
    }

    #[test]
    fn an_answer_of_another_session_or_request_is_refused() {
        let mut session = Session::new(Uuid::from_u128(1), vec![0], LIMITS);
        session.request().unwrap();
        assert!(session.answered(2, 99).is_err());
        assert!(session.answered(1, 0).is_err());
        session.answered(1, 99).unwrap();
        assert!(session.answered(1, 98).is_err());
    }
}
