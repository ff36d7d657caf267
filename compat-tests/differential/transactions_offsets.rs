//! Offsets in transactions, at every level of `transaction.version`: who may commit them, and who sees them when.

use wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use wire::messages::{OffsetFetchRequest, ProducerId, TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::ask::{prepare, text, topic};
use crate::groups::{group, joined, loaded};
use crate::groups_offsets::commit;
use crate::pair::Pair;
use crate::side::Side;
use crate::txn::{add_offsets, coordinated, ends, finalize, initialized, name, producer, shifted};

const COMMIT_MAX: i16 = 5;
/// Since when a commit adds its group to the transaction, and since when it names the member.
const ADDS_FROM: i16 = 5;
const MEMBERS_FROM: i16 = 3;
const STABLE_FROM: i16 = 7;
const MANY_FROM: i16 = 8;

/// Topics, partitions and offsets.
type Offsets = &'static [(&'static str, i32, i64)];

/// The steps.
pub async fn script(pair: &mut Pair) {
    loaded(pair).await;
    coordinated(pair, "transactions_offsets").await;
    prepare(pair, "read-in-txn", 3, &[]).await;
    for level in [2, 1, 0] {
        finalize(pair, level).await;
        // At level 0 Kafka cannot write what TxnOffsetCommit 5 adds, and never gets over it.
        for version in (0..=COMMIT_MAX).filter(|version| level > 0 || *version < ADDS_FROM) {
            life(pair, level, version).await;
        }
    }
    finalize(pair, 2).await;
    members(pair).await;
}

fn offsets(
    id: &str,
    producer: (i64, i16),
    group_name: &str,
    offsets: &[(&str, i32, i64)],
) -> TxnOffsetCommitRequest {
    let topics = offsets.iter().map(|(name, partition, offset)| {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("m")));
        TxnOffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(vec![partition])
    });
    TxnOffsetCommitRequest::default()
        .with_transactional_id(name(id))
        .with_group_id(group(group_name))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_topics(topics.collect())
}

fn first_error(answer: &TxnOffsetCommitResponse) -> i16 {
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    partition.map_or(0, |partition| partition.error_code)
}

async fn commits(pair: &mut Pair, id: &str, step: &str, version: i16, of: &[(&str, i32, i64)]) {
    let ask = |side: &Side, _| offsets(id, producer(side, id), id, of);
    pair.settled(&format!("{id}: {step}"), version, ask, first_error).await;
}

/// One id and a group of that name.
async fn life(pair: &mut Pair, level: i16, version: i16) {
    let id = &format!("off-{level}-{version}");
    let bumps = version >= ADDS_FROM;
    initialized(pair, id, "begins", 5).await;
    pair.one(&format!("{id}: plain"), 8, |_, _| commit(id, &[("read-in-txn", 0, 1)])).await;
    let places: [(&str, Offsets); 4] = [
        ("nothing", &[]),
        ("unknown topic", &[("nowhere", 0, 5)]),
        ("unknown partition", &[("read-in-txn", 9, 5)]),
        ("invalid topic", &[("a b", 0, 5)]),
    ];
    for (step, of) in places {
        commits(pair, id, step, version, of).await;
    }
    if !bumps {
        commits(pair, id, "not added", version, &[("read-in-txn", 0, 5)]).await;
    }
    strangers(pair, id, version, "before").await;
    if !bumps {
        let ask = |side: &Side, _| add_offsets(id, producer(side, id), id);
        pair.settled(&format!("{id}: adds"), version.min(4), ask, |answer| answer.error_code).await;
    }
    commits(pair, id, "first", version, &[("read-in-txn", 0, 5)]).await;
    commits(pair, id, "first again", version, &[("read-in-txn", 0, 6)]).await;
    commits(
        pair,
        id,
        "good and bad",
        version,
        &[("nowhere", 0, 1), ("read-in-txn", 1, 7), ("read-in-txn", 9, 7)],
    )
    .await;
    strangers(pair, id, version, "while open").await;
    sees(pair, id, "open").await;
    pair.one(&format!("{id}: plain while open"), 8, |_, _| commit(id, &[("read-in-txn", 2, 3)])).await;
    sees(pair, id, "open, with a plain one").await;
    ends(pair, id, "commits", if bumps { 5 } else { 4 }, true).await;
    stable(pair, id).await;
    sees(pair, id, "committed").await;
    if !bumps {
        commits(pair, id, "too late", version, &[("read-in-txn", 0, 50)]).await;
        let ask = |side: &Side, _| add_offsets(id, producer(side, id), id);
        pair.settled(&format!("{id}: adds again"), version.min(4), ask, |answer| answer.error_code).await;
    }
    commits(pair, id, "to be aborted", version, &[("read-in-txn", 0, 100), ("read-in-txn", 1, 100)]).await;
    sees(pair, id, "open again").await;
    ends(pair, id, "aborts", if bumps { 5 } else { 4 }, false).await;
    stable(pair, id).await;
    sees(pair, id, "aborted").await;
}

/// Those who may not, or whose group there is not.
async fn strangers(pair: &mut Pair, id: &str, version: i16, when: &str) {
    let who: [(&str, &str, &str, i64, i16); 7] = [
        ("old epoch", id, id, 0, -1),
        ("epoch to come", id, id, 0, 1),
        ("another producer", id, id, 1 << 40, 0),
        ("unknown id", "off-unknown", id, 0, 0),
        ("no id", "", id, 0, 0),
        ("no group", id, "", 0, 0),
        ("no group, old epoch", id, "", 0, -1),
    ];
    for (step, transactional_id, group_name, other, off) in who {
        let ask = |side: &Side, _| {
            let (producer_id, epoch) = shifted(side, id, off);
            offsets(transactional_id, (producer_id + other, epoch), group_name, &[("read-in-txn", 0, 77)])
        };
        pair.settled(&format!("{id}: {step} {when}"), version, ask, first_error).await;
    }
}

fn fetching(name_of_group: &str, version: i16, stable: bool) -> OffsetFetchRequest {
    let stable = stable && version >= STABLE_FROM;
    if version < MANY_FROM {
        let asked = OffsetFetchRequestTopic::default()
            .with_name(topic("read-in-txn"))
            .with_partition_indexes(vec![0, 1, 2]);
        return OffsetFetchRequest::default()
            .with_group_id(group(name_of_group))
            .with_topics(Some(vec![asked]))
            .with_require_stable(stable);
    }
    let asked = OffsetFetchRequestTopics::default()
        .with_name(topic("read-in-txn"))
        .with_partition_indexes(vec![0, 1, 2]);
    let one =
        OffsetFetchRequestGroup::default().with_group_id(group(name_of_group)).with_topics(Some(vec![asked]));
    OffsetFetchRequest::default().with_groups(vec![one]).with_require_stable(stable)
}

async fn sees(pair: &mut Pair, id: &str, step: &str) {
    for version in [6, 7, 9] {
        for stable in [false, true] {
            let step = format!("{id}: {step}, stable {stable}");
            pair.one(&step, version, |_, v| fetching(id, v, stable)).await;
        }
    }
    pair.one(&format!("{id}: {step}, all"), 9, |_, _| {
        let one = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(None);
        OffsetFetchRequest::default().with_groups(vec![one]).with_require_stable(true)
    })
    .await;
}

/// Until the group has heard how its transactions ended, on both sides.
async fn stable(pair: &mut Pair, id: &str) {
    for side in &mut pair.sides {
        for _ in 0..200 {
            let answer = side.call(7, &fetching(id, 7, true)).await;
            let is_stable = |answer: &wire::messages::OffsetFetchResponse| {
                answer.topics.iter().flat_map(|topic| &topic.partitions).all(|one| one.error_code == 0)
            };
            if answer.is_ok_and(|answer| is_stable(&answer)) {
                break;
            }
            tokio::time::sleep(crate::side::PATIENCE / 500).await;
        }
    }
}

/// Commits of members, and of those who say they are (KIP-447).
async fn members(pair: &mut Pair) {
    let id = "off-member";
    initialized(pair, id, "begins", 5).await;
    joined(pair, "off-group", 9).await;
    for version in MEMBERS_FROM..=COMMIT_MAX {
        if version < ADDS_FROM {
            let ask = |side: &Side, _| add_offsets(id, producer(side, id), "off-group");
            pair.settled(&format!("{id}: adds for {version}"), 4, ask, |answer| answer.error_code).await;
        }
        let who: [(&str, &str, i32, Option<&str>); 8] = [
            ("the member", "<member>", 1, None),
            ("of an old generation", "<member>", 0, None),
            ("of one to come", "<member>", 9, None),
            ("a stranger", "stranger", 1, None),
            ("nobody", "", -1, None),
            ("nobody of a generation", "", 1, None),
            ("the member of none", "<member>", -1, None),
            ("an unknown instance", "<member>", 1, Some("instance")),
        ];
        for (step, member, generation, instance) in who {
            for name_of_group in ["off-group", "off-nobody's"] {
                let ask = |side: &Side, _| {
                    let member = if member == "<member>" { side.text("member") } else { member };
                    offsets(id, producer(side, id), name_of_group, &[("read-in-txn", 0, 3)])
                        .with_generation_id(generation)
                        .with_member_id(text(member))
                        .with_group_instance_id(instance.map(text))
                };
                let step = format!("{id}: {step} in {name_of_group}");
                pair.settled(&step, version, ask, first_error).await;
            }
        }
        let (step, end_version) = (format!("ends {version}"), if version < ADDS_FROM { 4 } else { 5 });
        ends(pair, id, &step, end_version, true).await;
    }
}
