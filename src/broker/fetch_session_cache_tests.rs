use model::LeaderEpoch;
use wire::TopicRef;

use super::*;
use crate::fetch_session::{Viewer, next_epoch};

fn wanted(partition: i32) -> FetchPartition {
    FetchPartition {
        topic: TopicRef::Name("t".to_owned().into()),
        name: None,
        partition,
        fetch_offset: Offset::ZERO,
        bytes_max: 1024,
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        log_start_offset: Offset::new(-1),
    }
}

const QUIET: AnswerMarks = AnswerMarks {
    error: ErrorCode::None,
    record_bytes: 0,
    high_watermark: Offset::new(10),
    log_start_offset: Offset::ZERO,
    diverges: false,
};

fn request(id: i32, epoch: i32, partitions: std::ops::Range<i32>) -> SessionRequest {
    SessionRequest {
        id,
        epoch,
        privileged: false,
        uses_topic_ids: false,
        wanted: partitions.map(wanted).collect(),
        forgotten: Vec::new(),
    }
}

const ALL: Look<'static> = Look {
    viewer: Viewer { read_committed: false, from_follower: false },
    name_of: &|_| None,
    is_quiet: &|_, _, _| false,
};

fn begin(sessions: &FetchSessions, now_ms: i64, request: SessionRequest) -> Result<Vec<i32>, ErrorCode> {
    let (_, wanted) = sessions.begin(now_ms, request, &ALL)?;
    Ok(wanted.iter().map(|wanted| wanted.partition.partition).collect())
}

/// One whole fetch; answers the session part and the partitions that were sent.
fn fetch(
    sessions: &FetchSessions,
    now_ms: i64,
    request: SessionRequest,
) -> Result<(SessionAnswer, Vec<i32>), ErrorCode> {
    let (context, wanted) = sessions.begin(now_ms, request, &ALL)?;
    let answers: Vec<_> = wanted.into_iter().map(|wanted| (wanted.partition, QUIET)).collect();
    let mut sent = Vec::new();
    let answer = sessions.finish(now_ms, context, &answers, |i, keep| {
        if keep {
            sent.push(answers[i].0.partition);
        }
    });
    Ok((answer, sent))
}

fn open(sessions: &FetchSessions, now_ms: i64, partitions: i32, privileged: bool) -> i32 {
    let request = SessionRequest { privileged, ..request(NO_SESSION, INITIAL_EPOCH, 0..partitions) };
    fetch(sessions, now_ms, request).unwrap().0.session_id
}

fn is_open(sessions: &FetchSessions, id: i32) -> bool {
    sessions.cache.lock().sessions.contains_key(&id)
}

#[test]
fn a_full_fetch_opens_a_session_and_the_next_ones_answer_only_changes() {
    let sessions = FetchSessions::new(10, 1_000, 1);
    let (answer, sent) = fetch(&sessions, 0, request(NO_SESSION, INITIAL_EPOCH, 0..2)).unwrap();
    assert_eq!((answer.error, sent), (ErrorCode::None, vec![0, 1]));
    let id = answer.session_id;
    assert!(id > 0);
    let (answer, sent) = fetch(&sessions, 1, request(id, 1, 0..0)).unwrap();
    assert_eq!((answer.error, answer.session_id, sent), (ErrorCode::None, id, vec![]));
    let (_, sent) = fetch(&sessions, 2, request(id, 2, 2..3)).unwrap();
    assert_eq!(sent, [2], "only the partition the client has not heard of");
}

#[test]
fn wrong_ids_epochs_and_topic_id_use_are_refused() {
    let sessions = FetchSessions::new(10, 1_000, 1);
    let id = open(&sessions, 0, 1, false);
    assert_eq!(begin(&sessions, 1, request(id + 1, 1, 0..0)), Err(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(begin(&sessions, 1, request(id, 2, 0..0)), Err(ErrorCode::InvalidFetchSessionEpoch));
    let with_ids = SessionRequest { uses_topic_ids: true, ..request(id, 1, 0..0) };
    assert_eq!(begin(&sessions, 1, with_ids), Err(ErrorCode::FetchSessionTopicIdError));
    assert_eq!(begin(&sessions, 1, request(id, 1, 0..0)), Ok(vec![0]), "none of these moved the epoch");
    assert_eq!(begin(&sessions, 1, request(id, 1, 0..0)), Err(ErrorCode::InvalidFetchSessionEpoch));
}

#[test]
fn an_overtaken_request_is_answered_with_the_epoch_error() {
    let sessions = FetchSessions::new(10, 1_000, 1);
    let id = open(&sessions, 0, 1, false);
    let (slow, _) = sessions.begin(1, request(id, 1, 0..0), &ALL).unwrap();
    fetch(&sessions, 2, request(id, 2, 0..0)).unwrap();
    let mut sent = 0;
    let answers = [(wanted(0), QUIET)];
    let answer = sessions.finish(3, slow, &answers, |_, keep| sent += i32::from(keep));
    assert_eq!((answer.error, answer.session_id), (ErrorCode::InvalidFetchSessionEpoch, id));
    assert_eq!(sent, 0);
}

#[test]
fn sessions_close_on_request_on_a_new_full_fetch_and_when_they_are_empty() {
    let sessions = FetchSessions::new(10, 1_000, 1);
    let closed = open(&sessions, 0, 1, false);
    let (answer, sent) = fetch(&sessions, 1, request(closed, FINAL_EPOCH, 0..2)).unwrap();
    assert_eq!((answer.session_id, sent), (NO_SESSION, vec![0, 1]));
    assert!(!is_open(&sessions, closed));

    let replaced = open(&sessions, 0, 1, false);
    let (answer, _) = fetch(&sessions, 1, request(replaced, INITIAL_EPOCH, 0..1)).unwrap();
    assert!(!is_open(&sessions, replaced) && is_open(&sessions, answer.session_id));

    let forgetting =
        SessionRequest { forgotten: vec![wanted(0).key()], ..request(answer.session_id, 1, 0..0) };
    let (last, sent) = fetch(&sessions, 2, forgetting).unwrap();
    assert_eq!((last.session_id, sent), (NO_SESSION, vec![]));
    assert!(sessions.is_empty());
}

#[test]
fn clients_without_sessions_leave_no_trace() {
    let sessions = FetchSessions::new(10, 1_000, 1);
    let (answer, sent) = fetch(&sessions, 0, request(NO_SESSION, FINAL_EPOCH, 0..3)).unwrap();
    assert_eq!((answer.session_id, sent), (NO_SESSION, vec![0, 1, 2]));
    assert!(sessions.is_empty());
}

#[test]
fn a_full_cache_opens_no_session_while_all_are_young() {
    let sessions = FetchSessions::new(2, 1_000, 1);
    let (a, b) = (open(&sessions, 0, 1, false), open(&sessions, 0, 1, false));
    assert_eq!(open(&sessions, 10, 100, false), NO_SESSION, "however large the new one is");
    assert!(is_open(&sessions, a) && is_open(&sessions, b));
}

#[test]
fn a_stale_session_goes_first() {
    let sessions = FetchSessions::new(2, 1_000, 1);
    let (stale, used) = (open(&sessions, 0, 50, false), open(&sessions, 0, 1, false));
    fetch(&sessions, 100, request(used, 1, 0..0)).unwrap();
    assert_eq!(open(&sessions, EVICTION_MS, 1, false), NO_SESSION);
    let new = open(&sessions, EVICTION_MS + 1, 1, false);
    assert!(new != NO_SESSION && !is_open(&sessions, stale) && is_open(&sessions, used));
}

#[test]
fn a_larger_session_replaces_a_smaller_settled_one() {
    let sessions = FetchSessions::new(2, 1_000, 1);
    let (small, large) = (open(&sessions, 0, 2, false), open(&sessions, 0, 9, false));
    let later = EVICTION_MS + 1;
    // Both are in use and no longer young.
    fetch(&sessions, later, request(small, 1, 0..0)).unwrap();
    fetch(&sessions, later, request(large, 1, 0..0)).unwrap();
    assert_eq!(open(&sessions, later, 2, false), NO_SESSION, "the same size is not enough");
    let new = open(&sessions, later, 3, false);
    assert!(new != NO_SESSION && !is_open(&sessions, small) && is_open(&sessions, large));
}

#[test]
fn a_follower_replaces_a_young_consumer_but_never_the_other_way_round() {
    let sessions = FetchSessions::new(1, 1_000, 1);
    let consumer = open(&sessions, 0, 5, false);
    let follower = open(&sessions, 1, 1, true);
    assert!(follower != NO_SESSION && !is_open(&sessions, consumer));
    let later = EVICTION_MS + 2;
    fetch(&sessions, later, request(follower, 1, 0..0)).unwrap();
    assert_eq!(open(&sessions, later, 100, false), NO_SESSION);
    assert!(is_open(&sessions, follower));
}

#[test]
fn a_cache_without_slots_works_without_sessions() {
    let sessions = FetchSessions::new(0, 1_000, 1);
    assert_eq!(open(&sessions, 0, 1, false), NO_SESSION);
}

#[test]
fn the_indexes_agree_with_the_sessions_after_random_use() {
    let sessions = FetchSessions::new(8, 1_000, 42);
    let mut epochs: HashMap<i32, i32> = HashMap::new();
    let mut random = SessionCache::new(0, 1_000, 7);
    for step in 0..5_000_i64 {
        let now_ms = step * 500;
        let dice = random.next_random();
        let known: Vec<i32> = epochs.keys().copied().collect();
        if dice.is_multiple_of(3) || known.is_empty() {
            let id = open(&sessions, now_ms, (dice >> 8) as i32 % 20 + 1, dice.is_multiple_of(5));
            epochs.insert(id, 1);
        } else {
            let id = known[(dice >> 16) as usize % known.len()];
            let epoch = epochs[&id];
            match fetch(&sessions, now_ms, request(id, epoch, 0..0)) {
                Ok(_) => epochs.insert(id, next_epoch(epoch)),
                Err(_) => epochs.remove(&id),
            };
        }
        let cache = sessions.cache.lock();
        assert!(cache.sessions.len() <= 8);
        assert_eq!(cache.by_use.len(), cache.sessions.len());
        for worth in cache.evictable_by_all.iter().chain(&cache.evictable_by_privileged) {
            assert_eq!(cache.sessions[&worth.id].worth, *worth);
        }
    }
}

#[test]
fn the_partitions_of_all_sessions_have_a_bound() {
    let sessions = FetchSessions::new(100, 10, 1);
    let first = open(&sessions, 0, 6, false);
    assert_eq!(open(&sessions, 1, 5, false), NO_SESSION, "a client that asks for a session gets none");
    let second = open(&sessions, 1, 4, false);
    assert!(is_open(&sessions, first) && is_open(&sessions, second));
    let grown = fetch(&sessions, 2, request(second, 1, 4..5));
    assert_eq!(grown, Err(ErrorCode::FetchSessionIdNotFound), "one that outgrows the bound is lost");
    assert!(!is_open(&sessions, second));
    // What is closed, forgotten or unused for long makes room.
    let third = open(&sessions, 3, 4, false);
    let forgotten = (0..3).map(|partition| wanted(partition).key()).collect();
    fetch(&sessions, 4, SessionRequest { forgotten, ..request(first, 1, 0..0) }).unwrap();
    assert_ne!(open(&sessions, 5, 3, false), NO_SESSION);
    assert_eq!(open(&sessions, 6, 1, false), NO_SESSION);
    let late = 5 + EVICTION_MS;
    fetch(&sessions, late, request(first, 2, 0..0)).unwrap();
    assert_ne!(open(&sessions, late, 4, false), NO_SESSION);
    assert!(is_open(&sessions, first) && !is_open(&sessions, third), "the one that was used stays");
}

#[test]
fn vacant_places_count_for_the_bound_until_they_are_given_back() {
    let sessions = FetchSessions::new(100, 10, 1);
    let id = open(&sessions, 0, 10, false);
    let forget = |epoch, partitions: std::ops::Range<i32>| {
        let forgotten = partitions.map(|partition| wanted(partition).key()).collect();
        fetch(&sessions, 1, SessionRequest { forgotten, ..request(id, epoch, 0..0) }).unwrap();
        sessions.cache.lock().partitions
    };
    assert_eq!(forget(1, 0..4), 10);
    assert_eq!(open(&sessions, 2, 1, false), NO_SESSION);
    assert_eq!(forget(2, 4..5), 5);
    assert_ne!(open(&sessions, 3, 5, false), NO_SESSION);
}

#[test]
fn a_session_tells_the_cache_of_its_places_before_another_request_may_use_it() {
    let sessions = FetchSessions::new(10, 1_000, 1);
    let id = open(&sessions, 0, 1, false);
    let (looks, looked) = std::sync::mpsc::channel();
    let (goes_on, go_on) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let sessions = &sessions;
        let resuming = scope.spawn(move || {
            let is_quiet = |_: &FetchPartition, _, _: &mut crate::partition::Watch| {
                looks.send(()).unwrap();
                go_on.recv().unwrap()
            };
            let look = Look { is_quiet: &is_quiet, ..ALL };
            sessions.begin(1, request(id, 1, 0..0), &look).is_ok()
        });
        looked.recv().unwrap();
        let cache = sessions.cache.lock();
        let session = Arc::clone(&cache.sessions[&id].session);
        goes_on.send(false).unwrap();
        // It waits for the cache now, or soon.
        let is_free = session.try_lock_for(std::time::Duration::from_millis(100)).is_some();
        drop(cache);
        assert!(resuming.join().unwrap() && !is_free);
    });
}

#[test]
fn a_session_is_closed_when_it_leaves_the_cache() {
    let leaves: [fn(&FetchSessions, i32); 4] = [
        |sessions, id| assert!(fetch(sessions, 1, request(id, FINAL_EPOCH, 0..1)).is_ok()),
        |sessions, id| assert!(fetch(sessions, 1, request(id, INITIAL_EPOCH, 0..1)).is_ok()),
        |sessions, id| {
            assert!(fetch(sessions, 1, request(id, 1, 2..20)).is_err(), "it has outgrown the bound");
        },
        |sessions, _| assert_ne!(open(sessions, 1 + EVICTION_MS, 1, false), NO_SESSION),
    ];
    for leave in leaves {
        let sessions = FetchSessions::new(1, 10, 1);
        let id = open(&sessions, 0, 2, false);
        let feed = sessions.feed(id).unwrap();
        assert!(!feed.is_closed());
        leave(&sessions, id);
        assert!(feed.is_closed());
    }
}
