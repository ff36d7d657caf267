use super::*;

fn pieces(sizes: &[(i64, u64)], end: i64) -> Vec<Piece> {
    let ends = sizes.iter().skip(1).map(|(base, _)| *base).chain([end]);
    let piece = |(&(base, size), end): (&(i64, u64), i64)| Piece {
        id: 0,
        base: Offset::new(base),
        end: Offset::new(end),
        size,
        offset_index_bytes: 8,
        time_index_bytes: 12,
    };
    sizes.iter().zip(ends).map(piece).collect()
}

fn at(offset: i64) -> Offset {
    Offset::new(offset)
}

fn from(offset: i64) -> FirstDirty {
    FirstDirty { offset: at(offset), was_reset: false }
}

#[test]
fn a_checkpoint_outside_the_log_counts_for_nothing() {
    assert_eq!(first_dirty(None, at(3), at(9)), from(3));
    assert_eq!(first_dirty(Some(at(3)), at(3), at(9)), from(3));
    assert_eq!(first_dirty(Some(at(9)), at(3), at(9)), from(9));
    for offset in [2, 10] {
        let reset = FirstDirty { offset: at(3), was_reset: true };
        assert_eq!(first_dirty(Some(at(offset)), at(3), at(9)), reset);
    }
}

#[test]
fn whole_segments_are_measured() {
    let pieces = pieces(&[(0, 100), (10, 200), (20, 400)], 30);
    let measured = |dirty, limit| {
        let found = measure(&pieces, at(30), from(dirty), at(limit));
        (found.first_uncleanable.value(), found.clean_bytes, found.cleanable_bytes)
    };
    assert_eq!(measured(0, 30), (30, 0, 700));
    assert_eq!(measured(0, 99), (30, 0, 700));
    assert_eq!(measured(10, 30), (30, 100, 600));
    assert_eq!(measured(0, 29), (20, 0, 300), "the segment with the limit stays");
    assert_eq!(measured(0, 10), (10, 0, 100));
    assert_eq!(measured(0, 9), (0, 0, 0));
    // The segment in whose middle a compaction has stopped counts as both.
    assert_eq!(measured(15, 30), (30, 300, 600));
    assert_eq!(measured(15, 12), (10, 300, 0));
    assert_eq!(measured(30, 30), (30, 700, 0));
}

#[test]
fn a_log_is_due_by_its_share_or_its_age() {
    let pieces = pieces(&[(0, 100), (10, 100)], 20);
    let half = measure(&pieces, at(20), from(10), at(20));
    assert!((half.ratio() - 0.5).abs() < f64::EPSILON);
    assert!(half.is_due(0.49) && !half.is_due(0.5), "Kafka compares by greater");
    assert!(Dirtiness { is_overdue: true, ..half }.is_due(1.0));
    let clean = measure(&pieces, at(20), from(20), at(20));
    assert!(!clean.is_due(0.0) && !Dirtiness { is_overdue: true, ..clean }.is_due(0.0));
    assert!(!measure(&[], at(0), from(0), at(0)).is_due(0.0));
}

#[test]
fn groups_fit_into_one_segment() {
    let limits = GroupLimits { segment_bytes: 1_000, index_bytes: 24 };
    let grouped = |sizes: &[(i64, u64)], end| -> Vec<(usize, usize)> {
        group(&pieces(sizes, end), limits).into_iter().map(|range| (range.start, range.end)).collect()
    };
    assert_eq!(grouped(&[], 0), []);
    assert_eq!(grouped(&[(0, 500), (1, 500), (2, 1), (3, 999)], 9), [(0, 2), (2, 4)]);
    assert_eq!(
        grouped(&[(0, 5_000), (1, 0), (2, 10)], 9),
        [(0, 1), (1, 3)],
        "larger than a segment may be now"
    );
    assert_eq!(grouped(&[(0, 1), (1, 1), (2, 1)], 9), [(0, 2), (2, 3)], "two entries of twelve bytes");
    let far = i64::from(i32::MAX);
    assert_eq!(grouped(&[(0, 1), (1, 1)], far + 1), [(0, 2)]);
    assert_eq!(grouped(&[(0, 1), (1, 1)], far + 2), [(0, 1), (1, 2)]);
    assert_eq!(grouped(&[(0, 1), (1, 0)], far + 2), [(0, 2)], "an empty segment has no offsets");
}
