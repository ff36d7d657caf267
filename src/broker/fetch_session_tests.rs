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

fn order(session: &mut FetchSession) -> Vec<i32> {
    session.wanted(&|_| None).iter().map(|wanted| wanted.partition).collect()
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
    let now = session.wanted(&|_| None);
    assert_eq!(now, [wanted("t", 0, 5), wanted("u", 0, 1)]);
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
    assert_eq!(session.wanted(&|_| None)[0].name, None);
    assert_eq!(session.wanted(&|asked| (asked == id).then(|| "t".into()))[0].name.as_deref(), Some("t"));
    assert_eq!(session.wanted(&|_| None)[0].name.as_deref(), Some("t"), "a name once known stays");
    session.update(vec![by_id], &[]);
    assert_eq!(session.wanted(&|_| None)[0].name.as_deref(), Some("t"), "also when it is asked for again");
}

#[test]
fn holes_do_not_pile_up() {
    let mut session = session(20);
    for round in 0..1_000 {
        session.must_answer(&wanted("t", round % 20, 0).key(), &marks(1, 10));
    }
    assert!(session.partitions.slots.len() <= 40, "{} slots", session.partitions.slots.len());
    assert_eq!(order(&mut session), (0..20).collect::<Vec<_>>());
    assert_eq!(session.len(), 20);
}
