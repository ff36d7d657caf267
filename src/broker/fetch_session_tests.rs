use super::*;

fn wanted(topic: &str, partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition {
        topic: TopicRef::Name(topic.to_owned().into()),
        name: None,
        partition,
        fetch_offset: Offset::new(fetch_offset),
        bytes_max: 1024,
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        log_start_offset: Offset::new(-1),
    }
}

fn session(partitions: i32) -> FetchSession {
    let all = (0..partitions).map(|p| (wanted("t", p, 0), Offset::new(10), Offset::new(0)));
    FetchSession::new(7, false, false, 0, all)
}

fn marks(record_bytes: usize, high_watermark: i64) -> AnswerMarks {
    AnswerMarks {
        error: ErrorCode::None,
        record_bytes,
        high_watermark: Offset::new(high_watermark),
        log_start_offset: Offset::ZERO,
        diverges: false,
    }
}

fn look(is_quiet: &dyn Fn(&FetchPartition, Told, &mut Watch) -> bool) -> Look<'_> {
    Look { viewer: Viewer::default(), name_of: &|_| None, is_quiet }
}

/// What a session wants whose partitions all have something to tell.
fn all(session: &mut FetchSession) -> Vec<FetchPartition> {
    session.wanted(&look(&|_, _, _| false)).into_iter().map(|wanted| wanted.partition).collect()
}

fn order(session: &mut FetchSession) -> Vec<i32> {
    all(session).iter().map(|wanted| wanted.partition).collect()
}

/// Which partitions are looked at, when those are quiet.
fn looked_at(session: &mut FetchSession, viewer: Viewer, quiet: &[i32]) -> (Vec<i32>, Vec<i32>) {
    let seen = std::cell::RefCell::new(Vec::new());
    let is_quiet = |wanted: &FetchPartition, _: Told, _: &mut Watch| {
        seen.borrow_mut().push(wanted.partition);
        quiet.contains(&wanted.partition)
    };
    let wanted = session.wanted(&Look { viewer, ..look(&is_quiet) });
    (seen.take(), wanted.iter().map(|wanted| wanted.partition.partition).collect())
}

#[test]
fn epochs_wrap_to_one_and_stay_final() {
    assert_eq!(next_epoch(INITIAL_EPOCH), 1);
    assert_eq!(next_epoch(i32::MAX), 1);
    assert_eq!(next_epoch(FINAL_EPOCH), FINAL_EPOCH);
}

#[test]
fn an_answer_is_sent_when_something_the_client_knows_changed() {
    let mut session = session(1);
    let key = wanted("t", 0, 0).key();
    assert!(!session.must_answer(&key, &marks(0, 10)), "nothing changed");
    assert!(session.must_answer(&key, &marks(0, 11)), "the high watermark moved");
    assert!(!session.must_answer(&key, &marks(0, 11)), "and is known now");
    assert!(session.must_answer(&key, &marks(5, 11)), "records are always sent");
    let moved_start = AnswerMarks { log_start_offset: Offset::new(3), ..marks(0, 11) };
    assert!(session.must_answer(&key, &moved_start));
    assert!(!session.must_answer(&key, &moved_start));
    let diverging = AnswerMarks { diverges: true, ..moved_start };
    assert!(session.must_answer(&key, &diverging) && session.must_answer(&key, &diverging));
}

#[test]
fn an_error_is_always_sent_and_so_is_its_end() {
    let mut session = session(1);
    let key = wanted("t", 0, 0).key();
    let failed = AnswerMarks { error: ErrorCode::NotLeaderOrFollower, ..marks(0, 10) };
    assert!(session.must_answer(&key, &failed));
    assert!(session.must_answer(&key, &failed));
    assert!(session.must_answer(&key, &marks(0, 10)), "the same high watermark is news again");
    assert!(!session.must_answer(&key, &marks(0, 10)));
}

#[test]
fn a_partition_that_got_records_is_served_last_next_time() {
    let mut session = session(4);
    for partition in [1, 0] {
        session.must_answer(&wanted("t", partition, 0).key(), &marks(9, 10));
    }
    assert_eq!(order(&mut session), [2, 3, 1, 0]);
    session.must_answer(&wanted("t", 0, 0).key(), &marks(9, 10));
    assert_eq!(order(&mut session), [2, 3, 1, 0], "the last stays the last");
}

#[test]
fn requests_add_change_and_forget() {
    let mut session = session(2);
    let forgotten = [wanted("t", 1, 0).key(), wanted("absent", 0, 0).key()];
    session.update(vec![wanted("t", 0, 5), wanted("u", 0, 1)], &forgotten);
    assert_eq!(all(&mut session), [wanted("t", 0, 5), wanted("u", 0, 1)]);
    session.update(Vec::new(), &[wanted("t", 0, 0).key(), wanted("u", 0, 0).key()]);
    assert!(session.is_empty());
}

#[test]
fn a_new_partition_is_sent_even_when_it_is_empty() {
    let mut session = session(1);
    session.update(vec![wanted("u", 0, 0)], &[]);
    assert!(session.must_answer(&wanted("u", 0, 0).key(), &marks(0, 0)));
}

#[test]
fn an_unknown_topic_id_is_looked_up_again() {
    let id = TopicId::new(uuid::Uuid::from_u128(9));
    let by_id = FetchPartition { topic: TopicRef::Id(id), name: None, ..wanted("t", 0, 0) };
    let mut session =
        FetchSession::new(7, false, true, 0, [(by_id.clone(), Offset::new(-1), Offset::new(-1))]);
    assert_eq!(all(&mut session)[0].name, None);
    let name_of = |asked| (asked == id).then(|| "t".into());
    let found = session.wanted(&Look { name_of: &name_of, ..look(&|_, _, _| false) });
    assert_eq!(found[0].partition.name.as_deref(), Some("t"));
    assert_eq!(all(&mut session)[0].name.as_deref(), Some("t"), "a name once known stays");
    session.update(vec![by_id], &[]);
    assert_eq!(all(&mut session)[0].name.as_deref(), Some("t"), "also when it is asked for again");
}

#[test]
fn places_are_used_again() {
    let mut session = session(20);
    for round in 0..1_000 {
        session.must_answer(&wanted("t", round % 20, 0).key(), &marks(1, 10));
        session.update(vec![wanted("t", 7, 0)], &[wanted("t", 7, 0).key()]);
        session.update(vec![wanted("t", 7, 0)], &[]);
    }
    assert_eq!((session.partitions.places.len(), session.len()), (20, 20));
    let mut served = order(&mut session);
    assert_eq!(served.pop(), Some(7), "it came last");
    served.push(7);
    served.sort_unstable();
    assert_eq!(served, (0..20).collect::<Vec<_>>());
}

#[test]
fn a_session_that_shrinks_gives_places_back() {
    let mut session = session(64);
    let viewer = Viewer::default();
    let all: Vec<i32> = (0..64).collect();
    // The last of all now, so that turns and places differ.
    session.must_answer(&wanted("t", 40, 0).key(), &marks(9, 10));
    assert!(looked_at(&mut session, viewer, &all).1.is_empty());
    let forget = |session: &mut FetchSession, range: std::ops::Range<i32>| {
        let keys: Vec<_> = range.map(|partition| wanted("t", partition, 0).key()).collect();
        session.update(Vec::new(), &keys);
    };
    forget(&mut session, 1..32);
    assert_eq!((session.places(), session.len()), (64, 33), "some are kept for those that come");
    assert!(looked_at(&mut session, viewer, &all).0.is_empty());
    forget(&mut session, 32..36);
    assert_eq!((session.places(), session.len()), (29, 29));
    assert!(session.partitions.index.capacity() < 64 && session.partitions.vacant.capacity() == 0);
    let left: Vec<i32> = [0].into_iter().chain(36..40).chain(41..64).chain([40]).collect();
    assert_eq!(looked_at(&mut session, viewer, &[]), (left.clone(), left), "each in its turn");
    assert!(!session.must_answer(&wanted("t", 50, 0).key(), &marks(0, 10)), "what was told is known");
    session.update(vec![wanted("t", 1, 0)], &[]);
    assert_eq!(order(&mut session).last(), Some(&1));
    forget(&mut session, 0..64);
    assert_eq!((session.places(), session.len()), (0, 0));
}

#[test]
fn what_is_quiet_is_not_looked_at_again_before_the_client_wants_something_else() {
    let mut session = session(8);
    let viewer = Viewer::default();
    assert_eq!(looked_at(&mut session, viewer, &[0, 2, 3, 4, 5, 6, 7]), ((0..8).collect(), vec![1]));
    assert!(session.has_quiet());
    assert_eq!(looked_at(&mut session, viewer, &[]), (vec![1], vec![1]));
    session.update(vec![wanted("t", 2, 0), wanted("t", 3, 5)], &[]);
    assert_eq!(looked_at(&mut session, viewer, &[]), (vec![1, 3], vec![1, 3]), "2 is as it was");
    session.update(Vec::new(), &[wanted("t", 3, 0).key(), wanted("t", 0, 0).key()]);
    assert_eq!(looked_at(&mut session, viewer, &[1]), (vec![1], vec![]));
    session.update(Vec::new(), &[wanted("t", 2, 0).key()]);
    assert!(session.has_quiet());
    session.update(vec![wanted("t", 0, 0)], &[]);
    assert_eq!(looked_at(&mut session, viewer, &[]), (vec![0], vec![0]), "one that comes back is new");
}

#[test]
fn another_viewer_looks_at_everything() {
    let mut session = session(3);
    let all = vec![0, 1, 2];
    let committed = Viewer { read_committed: true, ..Viewer::default() };
    assert_eq!(looked_at(&mut session, committed, &[0, 1, 2]).0, all);
    assert!(looked_at(&mut session, committed, &[]).0.is_empty());
    assert_eq!(looked_at(&mut session, Viewer::default(), &[0, 1, 2]).0, all);
    assert_eq!(looked_at(&mut session, Viewer { from_follower: true, ..committed }, &[]).0, all);
}

#[test]
fn a_partition_keeps_its_turn_while_it_is_quiet() {
    let mut session = session(4);
    let viewer = Viewer::default();
    session.must_answer(&wanted("t", 1, 0).key(), &marks(9, 10));
    assert_eq!(looked_at(&mut session, viewer, &[0, 3, 1]).0, [0, 2, 3, 1]);
    session.must_answer(&wanted("t", 2, 0).key(), &marks(9, 10));
    session.update((0..4).map(|partition| wanted("t", partition, 1)).collect(), &[]);
    assert_eq!(looked_at(&mut session, viewer, &[]).0, [0, 3, 1, 2]);
}
