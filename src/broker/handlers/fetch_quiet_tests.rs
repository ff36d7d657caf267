use model::{Offset, ProducerEpoch, ProducerId};
use records::{BatchBuilder, ControlType};
use wire::fetch::FetchTopic;

use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, named, run};
use crate::partition::Acks;
use crate::partition::test_support::{append_raw, fail_dir_of, while_locked};

const PARTITIONS: usize = 5;
const ABSENT: i32 = 9;
/// Longer than any test takes.
const MINUTES: i32 = 300_000;

fn asked(partition: i32, offset: i64) -> wire::fetch::FetchPartition {
    wire::fetch::FetchPartition::new(partition, Offset::new(offset), 1 << 20)
}

fn request(
    topic: &TopicRef,
    partitions: Vec<wire::fetch::FetchPartition>,
    read_committed: bool,
) -> FetchRequest {
    FetchRequest {
        min_bytes: 1,
        isolation_level: i8::from(read_committed),
        wants_topic_ids: topic.id().is_some(),
        topics: vec![FetchTopic { topic: topic.clone(), partitions }],
        ..FetchRequest::default()
    }
}

/// Partition, error, high watermark, log start and record bytes.
type Seen = (i32, ErrorCode, i64, i64, usize);

fn seen(response: &FetchResponse) -> Vec<Seen> {
    assert_eq!(response.error, ErrorCode::None);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let mut seen: Vec<Seen> = partitions
        .map(|it| {
            let (high_watermark, log_start) = (it.high_watermark.value(), it.log_start_offset.value());
            (it.partition, it.error, high_watermark, log_start, it.records_len())
        })
        .collect();
    seen.sort_unstable();
    seen
}

/// A number below `below`, by a generator that any seed starts.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// One client, and what its session has told it.
struct Client {
    topic: TopicRef,
    offsets: Vec<i64>,
    told: Vec<Option<(i64, i64)>>,
    session_id: i32,
    epoch: i32,
    moved: Vec<usize>,
}

impl Client {
    fn asked(&self, index: usize) -> wire::fetch::FetchPartition {
        let partition = if index == PARTITIONS { ABSENT } else { i32::try_from(index).unwrap() };
        asked(partition, self.offsets[index])
    }

    /// What KIP-227 has the next answer hold, by a fetch without a session.
    async fn expected(&self, node: &TestBroker, read_committed: bool) -> Vec<Seen> {
        let all = (0..=PARTITIONS).map(|index| self.asked(index)).collect();
        let whole = FetchRequest { session_epoch: -1, ..request(&self.topic, all, read_committed) };
        let mut whole = seen(&handle(&node.broker, &node.context, whole).await);
        whole.retain(|(partition, error, high_watermark, log_start, bytes)| {
            let index = usize::try_from(*partition).unwrap().min(PARTITIONS);
            *bytes > 0 || !error.is_none() || self.told[index] != Some((*high_watermark, *log_start))
        });
        whole
    }

    async fn fetch(&mut self, node: &TestBroker, read_committed: bool) -> Vec<Seen> {
        let moved = std::mem::take(&mut self.moved).into_iter().map(|index| self.asked(index)).collect();
        let next = FetchRequest {
            session_id: self.session_id,
            session_epoch: self.epoch,
            ..request(&self.topic, moved, read_committed)
        };
        let response = handle(&node.broker, &node.context, next).await;
        self.session_id = response.session_id;
        self.epoch += 1;
        let found = seen(&response);
        for (partition, error, high_watermark, log_start, _) in &found {
            let index = usize::try_from(*partition).unwrap().min(PARTITIONS);
            self.told[index] = error.is_none().then_some((*high_watermark, *log_start));
        }
        found
    }
}

#[test]
fn a_session_tells_what_a_look_at_every_partition_would() {
    tells_what_a_look_would(|_| named(TOPIC));
}

#[test]
fn a_session_of_topic_ids_does_too() {
    tells_what_a_look_would(TopicRef::Id);
}

fn tells_what_a_look_would(refer: fn(TopicId) -> TopicRef) {
    run(async {
        let node = TestBroker::start();
        let id = node.create(TOPIC, i32::try_from(PARTITIONS).unwrap(), &[]).await;
        let mut client = Client {
            topic: refer(id),
            offsets: vec![0; PARTITIONS + 1],
            told: vec![None; PARTITIONS + 1],
            session_id: 0,
            epoch: 0,
            moved: (0..=PARTITIONS).collect(),
        };
        let mut state = 7;
        // The producers of open transactions, each with one only.
        let mut open = [None; PARTITIONS];
        for step in 0..600 {
            let index = usize::try_from(random(&mut state, PARTITIONS as u64)).unwrap();
            let partition = node.partition(TOPIC, i32::try_from(index).unwrap());
            match random(&mut state, 12) {
                0 | 1 => drop(node.append(partition.index(), batch_at(&[1, 2])).await),
                2 => drop(partition.append(batch_at(&[3]), Acks::Written, 1).unwrap()),
                3 => {
                    let end = partition.offsets().high_watermark;
                    partition.advance_log_start(Some(Offset::new(end.value() / 2))).unwrap();
                }
                4 if open[index].is_none() => {
                    let id = ProducerId::new(step);
                    let mut batch =
                        BatchBuilder::new().producer(id, ProducerEpoch::new(0), 0).transactional();
                    batch.append(1, Some(b"key"), Some(b"undecided"), &[]);
                    append_raw(&partition, storage::Origin::Client, batch.build().unwrap());
                    open[index] = Some(id);
                }
                5 => {
                    if let Some(id) = open[index].take() {
                        let mut marker =
                            BatchBuilder::new().producer(id, ProducerEpoch::new(0), -1).transactional();
                        marker.append_control(2, ControlType::Commit, &[0, 0, 0, 0, 0, 0]);
                        append_raw(&partition, storage::Origin::Coordinator, marker.build().unwrap());
                    }
                }
                6 => {
                    // To the end, into the middle, before the start or beyond the end.
                    let end = partition.offsets().log_end.value();
                    let choices = [end, end / 2, -1, end + 3];
                    client.offsets[index] = choices[usize::try_from(random(&mut state, 4)).unwrap()];
                    client.moved.push(index);
                    client.moved.sort_unstable();
                    client.moved.dedup();
                }
                7..=9 => {
                    let committed = random(&mut state, 2) == 0;
                    let offsets = partition.offsets();
                    let end = if committed { offsets.last_stable } else { offsets.high_watermark };
                    client.offsets[index] = end.value();
                    client.moved.push(index);
                    client.moved.sort_unstable();
                    client.moved.dedup();
                }
                _ => {}
            }
            node.broker.partitions.settle((0..PARTITIONS).map(|index| (TOPIC, index as i32))).await;
            let read_committed = random(&mut state, 3) == 0;
            let expected = client.expected(&node, read_committed).await;
            let found = client.fetch(&node, read_committed).await;
            assert_eq!(found, expected, "step {step}, read committed: {read_committed}");
        }
        node.stop();
    });
}

/// Comes back once the session's fetch waits.
async fn until_it_waits(node: &TestBroker, session_id: i32) {
    while !node.broker.fetch_sessions.feed(session_id).unwrap().is_waited_for() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A fetch of a session whose partitions are all read to their ends, and have nothing to tell.
async fn waits(node: &TestBroker, read_committed: bool, max_wait_ms: i32, min_bytes: i32) -> FetchRequest {
    let ends = (0..PARTITIONS as i32)
        .map(|index| asked(index, node.partition(TOPIC, index).offsets().log_end.value()));
    let first = FetchRequest { session_epoch: 0, ..request(&named(TOPIC), ends.collect(), read_committed) };
    let session_id = handle(&node.broker, &node.context, first).await.session_id;
    FetchRequest {
        session_id,
        session_epoch: 1,
        max_wait_ms,
        min_bytes,
        topics: Vec::new(),
        ..request(&named(TOPIC), Vec::new(), read_committed)
    }
}

#[test]
fn a_waiting_session_is_woken_by_any_of_its_quiet_partitions() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[("flush.ms", "3600000")]).await;
        for index in 0..PARTITIONS as i32 {
            let waiting = waits(&node, false, MINUTES, 1).await;
            let id = waiting.session_id;
            let (response, _) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
                until_it_waits(&node, id).await;
                // Nobody but the parked fetch asks for the sync of this one.
                node.partition(TOPIC, index).append(batch_at(&[1]), Acks::Written, 1)
            });
            let found: Vec<i32> = seen(&response).iter().map(|it| it.0).collect();
            assert_eq!(found, [index]);
        }
        node.stop();
    });
}

#[test]
fn a_waiting_session_needs_all_the_bytes_it_asks_for() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let size = i32::try_from(batch_at(&[1]).len()).unwrap();
        let waiting = waits(&node, false, MINUTES, 3 * size).await;
        let id = waiting.session_id;
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, id).await;
            for index in [4, 0, 4] {
                node.append(index, batch_at(&[1])).await;
            }
        });
        let found: Vec<_> = seen(&response).iter().map(|it| (it.0, it.4 / size as usize)).collect();
        assert_eq!(found, [(0, 1), (4, 2)]);
        node.stop();
    });
}

#[test]
fn a_waiting_session_learns_that_its_topic_went() {
    run(async {
        let node = TestBroker::start();
        let id = node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let waiting = waits(&node, false, MINUTES, 1).await;
        let session_id = waiting.session_id;
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, session_id).await;
            node.broker.partitions.delete_topics(&[id]).unwrap();
        });
        let found = seen(&response);
        assert!(!found.is_empty());
        assert!(found.iter().all(|it| it.1 == ErrorCode::UnknownTopicOrPartition), "{found:?}");
        node.stop();
    });
}

#[test]
fn one_topic_that_goes_ends_the_wait_at_others() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let gone = node.create("gone", 1, &[]).await;
        let topic = |topic| FetchTopic { topic, partitions: vec![asked(0, 0)] };
        let topics = vec![topic(named(TOPIC)), topic(named("gone"))];
        let first = FetchRequest { session_epoch: 0, topics, ..request(&named(TOPIC), Vec::new(), false) };
        let session_id = handle(&node.broker, &node.context, first).await.session_id;
        let waiting = FetchRequest {
            session_id,
            session_epoch: 1,
            max_wait_ms: MINUTES,
            topics: Vec::new(),
            ..request(&named(TOPIC), Vec::new(), false)
        };
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, session_id).await;
            node.broker.partitions.delete_topics(&[gone]).unwrap();
        });
        let found: Vec<_> = seen(&response).iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(found, [(0, ErrorCode::UnknownTopicOrPartition)]);
        node.stop();
    });
}

#[test]
fn a_waiting_session_hears_of_a_failed_directory_though_an_append_hangs_there() {
    run(async {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let dirs =
            format!("log.dirs={},{}", home.path().join("a").display(), home.path().join("b").display());
        let node = TestBroker::start_with(&storage::SystemDisk::shared(), home, &[&dirs]);
        node.create(TOPIC, 6, &[]).await;
        let all = (0..6).map(|index| node.partition(TOPIC, index));
        let failing: Vec<_> = all.filter(|partition| partition.dir().path().ends_with("b")).collect();
        let [hung, .., quiet] = &failing[..] else { panic!("half of them") };
        let first =
            FetchRequest { session_epoch: 0, ..request(&named(TOPIC), vec![asked(quiet.index(), 0)], false) };
        let session_id = handle(&node.broker, &node.context, first.clone()).await.session_id;
        let waiting = FetchRequest { session_id, ..after(&first, 1, MINUTES) };
        let (locked, is_locked) = std::sync::mpsc::channel();
        let (ends, end) = std::sync::mpsc::channel::<()>();
        let hanging = std::thread::spawn({
            let hung = Arc::clone(hung);
            // Until the test ends, in one way or another.
            move || {
                while_locked(&hung, || {
                    let _ = locked.send(());
                    let _ = end.recv();
                });
            }
        });
        is_locked.recv().unwrap();
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, session_id).await;
            fail_dir_of(quiet);
        });
        assert_eq!(seen(&response), [(quiet.index(), ErrorCode::KafkaStorageError, -1, -1, 0)]);
        drop(ends);
        hanging.join().unwrap();
        node.stop();
    });
}

#[test]
fn a_fetch_that_waits_ends_with_its_session() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let waiting = waits(&node, false, MINUTES, 1).await;
        let id = waiting.session_id;
        let close = FetchRequest { session_epoch: -1, ..after(&waiting, -1, 0) };
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, id).await;
            handle(&node.broker, &node.context, close).await;
        });
        assert_eq!((seen(&response), response.session_id), (vec![], id));
        assert_eq!(node.partition(TOPIC, 0).with_followers(|all| all.count()), 0);
        node.stop();
    });
}

#[test]
fn a_session_that_shrank_hears_of_what_it_kept() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let first = waits(&node, false, 0, 1).await;
        assert_eq!(seen(&handle(&node.broker, &node.context, first.clone()).await), []);
        let topic = named(TOPIC);
        let forgotten = vec![wire::fetch::ForgottenTopic { topic, partitions: vec![0, 1, 3] }];
        let next = FetchRequest { forgotten_topics: forgotten, ..after(&first, 2, 0) };
        assert_eq!(seen(&handle(&node.broker, &node.context, next).await), []);
        let mut moved = Vec::new();
        for (index, epoch) in [(4, 3), (2, 4)] {
            let waiting = FetchRequest { topics: moved, ..after(&first, epoch, MINUTES) };
            let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
                until_it_waits(&node, first.session_id).await;
                node.append(3, batch_at(&[1])).await;
                node.append(index, batch_at(&[1])).await;
            });
            let found: Vec<_> = seen(&response).iter().map(|it| (it.0, it.4 > 0)).collect();
            assert_eq!(found, [(index, true)]);
            moved = vec![FetchTopic { topic: named(TOPIC), partitions: vec![asked(index, 1)] }];
        }
        node.stop();
    });
}

#[test]
fn quiet_partitions_count_as_read() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let waiting = waits(&node, false, 0, 1).await;
        let fetches = || node.partition(TOPIC, 3).figures().unwrap().traffic.fetches;
        let before = fetches();
        assert_eq!(seen(&handle(&node.broker, &node.context, waiting).await), []);
        assert_eq!(fetches(), before + 1);
        node.stop();
    });
}

/// The next fetch of the same session.
fn after(request: &FetchRequest, epoch: i32, max_wait_ms: i32) -> FetchRequest {
    FetchRequest { session_epoch: epoch, max_wait_ms, topics: Vec::new(), ..request.clone() }
}

#[test]
fn an_overtaken_fetch_ends_at_once() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let waiting = waits(&node, false, MINUTES, 1).await;
        let next = after(&waiting, 2, 0);
        let id = waiting.session_id;
        let (old, new) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, id).await;
            handle(&node.broker, &node.context, next).await
        });
        assert_eq!((old.error, old.topics.len()), (ErrorCode::InvalidFetchSessionEpoch, 0));
        assert_eq!((new.error, new.session_id), (ErrorCode::None, id));
        assert!(!node.broker.fetch_sessions.feed(id).unwrap().is_waited_for());
        node.stop();
    });
}

#[test]
fn a_fetch_that_is_dropped_waits_no_more() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let waiting = waits(&node, false, MINUTES, 1).await;
        let id = waiting.session_id;
        let next = after(&waiting, 2, 0);
        tokio::select! {
            _ = handle(&node.broker, &node.context, waiting) => panic!("there is nothing to answer"),
            () = until_it_waits(&node, id) => {}
        }
        assert!(!node.broker.fetch_sessions.feed(id).unwrap().is_waited_for());
        node.append(2, batch_at(&[1])).await;
        let found = seen(&handle(&node.broker, &node.context, next).await);
        assert_eq!(found.iter().map(|it| it.0).collect::<Vec<_>>(), [2], "nothing was lost with it");
        node.stop();
    });
}

#[test]
fn the_end_of_a_transaction_wakes_a_waiting_session_of_committed_records() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let partition = node.partition(TOPIC, 3);
        let producer = || BatchBuilder::new().producer(ProducerId::new(9), ProducerEpoch::new(0), 0);
        let mut batch = producer().transactional();
        batch.append(1, Some(b"key"), Some(b"undecided"), &[]);
        append_raw(&partition, storage::Origin::Client, batch.build().unwrap());
        node.broker.partitions.settle([(TOPIC, 3)].into_iter()).await;
        // At the end of what is decided, not of the log.
        let first = [0, 1, 2, 3, 4].map(|index| asked(index, 0)).to_vec();
        let first = FetchRequest { session_epoch: 0, ..request(&named(TOPIC), first, true) };
        let session_id = handle(&node.broker, &node.context, first.clone()).await.session_id;
        let waiting = FetchRequest { session_id, ..after(&first, 1, MINUTES) };
        let (response, ()) = tokio::join!(handle(&node.broker, &node.context, waiting), async {
            until_it_waits(&node, session_id).await;
            // It shows nothing, but is told of with the rest.
            node.append(3, batch_at(&[1])).await;
            assert!(node.broker.fetch_sessions.feed(session_id).unwrap().is_waited_for());
            let mut marker =
                BatchBuilder::new().producer(ProducerId::new(9), ProducerEpoch::new(0), -1).transactional();
            marker.append_control(2, ControlType::Commit, &[0, 0, 0, 0, 0, 0]);
            append_raw(&partition, storage::Origin::Coordinator, marker.build().unwrap());
        });
        let found: Vec<_> = seen(&response).iter().map(|it| (it.0, it.2, it.4 > 0)).collect();
        assert_eq!(found, [(3, 3, true)]);
        // The same session may also look at everything.
        let partition = node.partition(TOPIC, 1);
        let mut batch = producer().transactional();
        batch.append(1, Some(b"key"), Some(b"undecided"), &[]);
        append_raw(&partition, storage::Origin::Client, batch.build().unwrap());
        node.broker.partitions.settle([(TOPIC, 1)].into_iter()).await;
        let moved = vec![FetchTopic { topic: named(TOPIC), partitions: vec![asked(3, 3)] }];
        let committed = FetchRequest { session_id, topics: moved, ..after(&first, 2, 0) };
        let found = seen(&handle(&node.broker, &node.context, committed).await);
        assert_eq!(found, [(1, ErrorCode::None, 1, 0, 0)], "its high watermark is news");
        let committed = FetchRequest { session_id, ..after(&first, 3, 0) };
        assert_eq!(seen(&handle(&node.broker, &node.context, committed).await), []);
        let uncommitted = FetchRequest { session_id, isolation_level: 0, ..after(&first, 4, 0) };
        let found = seen(&handle(&node.broker, &node.context, uncommitted).await);
        assert!(found.len() == 1 && found[0].0 == 1 && found[0].4 > 0, "{found:?}");
        node.stop();
    });
}

/// What a session is told of a change: by the fetch that waits when it happens, and by the next one.
async fn told_of(change: impl Fn(&TestBroker, TopicId)) -> [Vec<Seen>; 2] {
    let mut told = [Vec::new(), Vec::new()];
    for (is_waiting, told) in [true, false].into_iter().zip(&mut told) {
        let node = TestBroker::start();
        let id = node.create(TOPIC, PARTITIONS as i32, &[]).await;
        node.append(2, batch_at(&[1, 2, 3])).await;
        let mut first = waits(&node, false, MINUTES, 1).await;
        let mut believed = asked(2, 3);
        believed.current_leader_epoch = node.partition(TOPIC, 2).leader_epoch();
        first.topics = vec![FetchTopic { topic: named(TOPIC), partitions: vec![believed] }];
        first.max_wait_ms = 0;
        assert_eq!(seen(&handle(&node.broker, &node.context, first.clone()).await), []);
        let session_id = first.session_id;
        if is_waiting {
            // What others bring ends the wait.
            let (response, ()) =
                tokio::join!(handle(&node.broker, &node.context, after(&first, 2, MINUTES)), async {
                    until_it_waits(&node, session_id).await;
                    change(&node, id);
                    node.append(4, batch_at(&[1])).await;
                });
            *told = seen(&response).into_iter().filter(|it| it.0 == 2).collect();
        } else {
            assert_eq!(seen(&handle(&node.broker, &node.context, after(&first, 2, 0)).await), []);
            change(&node, id);
            *told = seen(&handle(&node.broker, &node.context, after(&first, 3, 0)).await);
        }
        node.stop();
    }
    told
}

#[test]
fn a_session_is_told_that_the_log_begins_later() {
    run(async {
        let told = told_of(|node, _| {
            node.partition(TOPIC, 2).advance_log_start(Some(Offset::new(2))).unwrap();
        })
        .await;
        let news = vec![(2, ErrorCode::None, 3, 2, 0)];
        assert_eq!(told, [news.clone(), news]);
    });
}

#[test]
fn a_session_is_told_of_a_later_leader_epoch() {
    run(async {
        let told = told_of(|node, id| {
            node.broker.partitions.update_leader_epoch(id, 2, LeaderEpoch::new(9));
        })
        .await;
        let news = vec![(2, ErrorCode::FencedLeaderEpoch, -1, -1, 0)];
        assert_eq!(told, [news.clone(), news]);
    });
}

#[test]
fn a_topic_made_anew_is_followed_anew() {
    run(async {
        let node = TestBroker::start();
        let id = node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let first = waits(&node, false, 0, 1).await;
        assert_eq!(seen(&handle(&node.broker, &node.context, first.clone()).await), []);
        node.broker.partitions.delete_topics(&[id]).unwrap();
        let found = seen(&handle(&node.broker, &node.context, after(&first, 2, 0)).await);
        assert_eq!(found.len(), PARTITIONS);
        assert!(found.iter().all(|it| it.1 == ErrorCode::UnknownTopicOrPartition), "{found:?}");
        let other = TopicId::new(uuid::Uuid::from_u128(77));
        let settings = crate::partition::test_support::settings(|_| {});
        node.broker.partitions.create(TOPIC, other, 1, LeaderEpoch::new(0), settings).unwrap();
        let found = seen(&handle(&node.broker, &node.context, after(&first, 3, 0)).await);
        assert_eq!(found[1], (1, ErrorCode::None, 0, 0, 0));
        let found = seen(&handle(&node.broker, &node.context, after(&first, 4, 0)).await);
        assert!(found.len() == PARTITIONS - 1 && found.iter().all(|it| it.0 != 1), "{found:?}");
        assert_eq!(node.partition(TOPIC, 1).with_followers(|all| all.count()), 1);
        let (response, ()) =
            tokio::join!(handle(&node.broker, &node.context, after(&first, 5, MINUTES)), async {
                node.partition(TOPIC, 1).append(batch_at(&[1]), Acks::Written, 1).unwrap();
            });
        let found: Vec<_> = seen(&response).into_iter().filter(|it| it.1.is_none()).collect();
        // Those that are missing are told of at once, so that the record may come one fetch later.
        if found.is_empty() {
            node.broker.partitions.settle([(TOPIC, 1)].into_iter()).await;
            let found = seen(&handle(&node.broker, &node.context, after(&first, 6, 0)).await);
            assert!(found.iter().any(|it| it.0 == 1 && it.4 > 0), "{found:?}");
        }
        node.stop();
    });
}

#[test]
fn partitions_forget_sessions_that_forget_them_or_go() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, PARTITIONS as i32, &[]).await;
        let followers = || -> Vec<usize> {
            let of = |index| node.partition(TOPIC, index).with_followers(|all| all.count());
            (0..PARTITIONS as i32).map(of).collect()
        };
        let first = waits(&node, false, 0, 1).await;
        assert_eq!(followers(), [0; PARTITIONS], "nobody knows yet whether it goes on");
        handle(&node.broker, &node.context, first.clone()).await;
        assert_eq!(followers(), [1; PARTITIONS]);
        let forgotten = vec![wire::fetch::ForgottenTopic { topic: named(TOPIC), partitions: vec![1, 4] }];
        let next = FetchRequest { forgotten_topics: forgotten, ..after(&first, 2, 0) };
        handle(&node.broker, &node.context, next).await;
        assert_eq!(followers(), [1, 0, 1, 1, 0]);
        let close = FetchRequest { session_epoch: -1, ..after(&first, -1, 0) };
        handle(&node.broker, &node.context, close).await;
        assert_eq!(followers(), [0; PARTITIONS]);
        node.stop();
    });
}

#[test]
fn no_record_is_slept_through_whenever_it_comes() {
    run(async {
        let node = TestBroker::start();
        // Nobody but the fetch asks for the sync of a record.
        node.create(TOPIC, PARTITIONS as i32, &[("flush.ms", "3600000")]).await;
        let first = waits(&node, false, MINUTES, 1).await;
        let partitions: Vec<_> = (0..PARTITIONS as i32).map(|index| node.partition(TOPIC, index)).collect();
        let (send, records) = std::sync::mpsc::channel::<usize>();
        let producer = std::thread::spawn(move || {
            for (round, index) in records.iter().enumerate() {
                // At another moment of the fetch each time.
                (0..round % 40 * 500).for_each(|_| std::hint::spin_loop());
                partitions[index].append(batch_at(&[1]), Acks::Written, 1).unwrap();
            }
        });
        let (mut epoch, mut read, mut moved) = (1, [0; PARTITIONS], Vec::new());
        for round in 0..300 {
            let index = round * 7 % PARTITIONS;
            send.send(index).unwrap();
            loop {
                let topics = vec![FetchTopic { topic: named(TOPIC), partitions: std::mem::take(&mut moved) }];
                let request = FetchRequest { topics, ..after(&first, epoch, MINUTES) };
                epoch += 1;
                let found = seen(&handle(&node.broker, &node.context, request).await);
                for (partition, ..) in found.iter().filter(|it| it.4 > 0) {
                    read[*partition as usize] += 1;
                    moved.push(asked(*partition, read[*partition as usize]));
                }
                // An answer may also tell of a high watermark alone.
                if !moved.is_empty() {
                    break;
                }
            }
        }
        drop(send);
        producer.join().unwrap();
        assert_eq!(read.iter().sum::<i64>(), 300);
        node.stop();
    });
}
