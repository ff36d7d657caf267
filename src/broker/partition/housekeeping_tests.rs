use model::{Offset, ProducerEpoch, ProducerId};
use records::BatchBuilder;
use storage::disk_mem::MemoryDisk;

use super::*;
use crate::partition::handle::Acks;
use crate::partition::test_support::{Reports, config, host, settings, still_registry, sync};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const TEN_YEARS_MS: i64 = 3_652 * DAY_MS;

#[test]
fn those_who_ask_for_checkpoints_do_not_keep_the_rest_from_being_done() {
    let clock = Clock::virtual_at(0);
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let housekeeper = Housekeeper::new(&config(&[]), clock.clone());
    let mut schedule = housekeeper.schedule();
    let Clock::Virtual(hands) = &clock else { unreachable!("made above") };
    hands.advance(Duration::from_mins(10));
    let (mut answered, mut performed) = (0, 0);
    for _ in 0..2 * schedule.len() {
        let (done, _) = oneshot::channel();
        housekeeper.state.lock().asked.push(Asked { dir: Arc::clone(&registry.dirs()[0]), done });
        match housekeeper.next(&mut schedule) {
            Some(Work::Asked(asked)) => answered += asked.len(),
            Some(Work::Due(_)) => performed += 1,
            None => unreachable!("nobody has stopped it"),
        }
    }
    assert_eq!(performed, schedule.len(), "every task has had its turn");
    assert_eq!(answered, 2 * schedule.len() - 1, "and all who asked have their answer, but the last");
}

/// A record of producer 7, stamped with the wall time.
fn write(registry: &Registry, partition: &Arc<Partition>, sequence: i32) {
    let now_ms = registry.clock.wall_ms();
    let mut batch = BatchBuilder::new().producer(ProducerId::new(7), ProducerEpoch::new(0), sequence);
    batch.append(now_ms, None, Some(b"value"), &[]);
    partition.append(batch.build().expect("a batch"), Acks::Written, now_ms).expect("appended");
    sync(partition);
}

/// Everything that is done from time to time. Answers where the log starts then, and how many producers and segments it has.
fn look_after(registry: &Registry, partition: &Partition) -> (i64, usize, usize) {
    for task in [Task::Retention, Task::HighWatermarks, Task::ProducerExpiry, Task::RecoveryPoints] {
        registry.housekeeper.perform(registry, task);
    }
    let look =
        |log: &mut PartitionLog| (log.log_start_offset().value(), log.producer_count(), log.segment_count());
    partition.with_log(look).expect("hosted")
}

#[test]
fn the_log_is_told_of_every_jump_and_of_the_end_of_doubt() {
    assert!(is_news(DAY_MS, 0) && is_news(3 * DAY_MS, DAY_MS), "a second jump is news, too");
    assert!(!is_news(DAY_MS, DAY_MS) && !is_news(DAY_MS, 3 * DAY_MS), "one of two is over");
    assert!(is_news(0, DAY_MS) && !is_news(0, 0));
}

/// Or whatever was written meanwhile would be read again after a crash.
#[test]
fn recovery_points_are_seconds_old() {
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let partition = host(&registry, settings(|_| ()));
    write(&registry, &partition, 0);
    partition.settle_up_to(partition.offsets().log_end).expect("settled");
    registry.housekeeper.perform(&registry, Task::HighWatermarks);
    let points = registry.dirs()[0].with(storage::LogDir::recovery_points);
    assert_eq!(points.into_values().map(Offset::value).collect::<Vec<_>>(), [1]);
}

/// Kafka deletes all but the newest record at the first jump, and forgets the producer.
#[test]
fn a_wall_clock_that_jumps_deletes_nothing_for_a_day() {
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let partition = host(&registry, settings(|of| of.log.segment_ms = HOUR_MS));
    let Clock::Virtual(hands) = registry.clock.clone() else { unreachable!("a still registry's") };
    let advance = |ms: i64| hands.advance(Duration::from_millis(ms.unsigned_abs()));
    advance(2 * TEN_YEARS_MS);
    for day in 0..3 {
        write(&registry, &partition, day);
        advance(DAY_MS / 4);
    }
    assert_eq!(look_after(&registry, &partition), (0, 1, 3));

    hands.jump(TEN_YEARS_MS);
    assert_eq!(look_after(&registry, &partition), (0, 1, 3), "nothing has aged");
    let told_ms = || registry.housekeeper.told_ahead_ms.load(Ordering::Relaxed);
    assert_eq!(told_ms(), TEN_YEARS_MS);
    write(&registry, &partition, 3);
    write(&registry, &partition, 4);
    assert_eq!(
        look_after(&registry, &partition),
        (0, 1, 4),
        "one segment is rolled, not one for each record"
    );

    hands.jump(-TEN_YEARS_MS);
    assert_eq!(look_after(&registry, &partition), (0, 1, 4));
    assert_eq!(told_ms(), 0, "the clock is right again");
    hands.jump(-TEN_YEARS_MS);
    write(&registry, &partition, 5);
    assert_eq!(look_after(&registry, &partition), (0, 1, 4), "nor by a clock that is behind");
    hands.jump(TEN_YEARS_MS);
    assert_eq!(look_after(&registry, &partition), (0, 1, 4));

    hands.jump(TEN_YEARS_MS);
    assert_eq!(look_after(&registry, &partition), (0, 1, 4));
    advance(DAY_MS - 1);
    assert_eq!(look_after(&registry, &partition), (0, 1, 4));
    advance(1);
    assert_eq!(look_after(&registry, &partition).0, 3, "who lets it stand for a day means it");
}
