use model::Offset;

use crate::LogConfig;
use crate::test_support::{Bench, append, batch, offsets, read_all, sync};

#[test]
fn what_was_appended_is_read_back() {
    let bench = Bench::new(LogConfig::default());
    let mut log = bench.open();
    for (at, count) in [3, 1, 2].into_iter().enumerate() {
        append(&mut log, batch(count, 1_000, at as u64));
    }
    assert_eq!(log.log_end_offset(), Offset::new(6));
    assert_eq!(log.durable_offset(), Offset::ZERO);
    sync(&mut log);
    assert_eq!(log.durable_offset(), Offset::new(6));
    assert_eq!(offsets(&read_all(&mut log)), [(0, 2), (3, 3), (4, 5)]);
    log.close().unwrap();
    let mut log = bench.open_clean(Offset::new(6));
    assert_eq!(offsets(&read_all(&mut log)), [(0, 2), (3, 3), (4, 5)]);
    append(&mut log, batch(1, 1_000, 9));
    drop(log);
    let mut log = bench.open();
    assert_eq!(offsets(&read_all(&mut log)), [(0, 2), (3, 3), (4, 5), (6, 6)]);
}
