//! CreatePartitions.

use wire::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use wire::messages::{BrokerId, CreatePartitionsRequest};

use crate::ask::{NO_TIME, metadata, prepare, topic};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "grow", 1, &[]).await;
    pair.all("one more", |_, v| grow("grow", i32::from(v) + 2, None)).await;
    pair.all("validate only", |_, _| grow("grow", 20, None).with_validate_only(true)).await;
    pair.settle().await;
    for count in [5, 1, 0, -1] {
        pair.all(&format!("to {count} of 5"), |_, _| grow("grow", count, None)).await;
    }
    for name in ["missing", "", "a b", "__cluster_metadata"] {
        pair.all(&format!("of {name:?}"), |_, _| grow(name, 3, None)).await;
    }
    for timeout_ms in NO_TIME {
        pair.all(&format!("timeout {timeout_ms}"), |_, _| grow("grow", 7, None).with_timeout_ms(timeout_ms))
            .await;
    }
    pair.all("none", |_, _| CreatePartitionsRequest::default().with_timeout_ms(5_000)).await;
    pair.all("twice in one", |_, _| {
        let mut request = grow("grow", 7, None);
        request.topics.push(request.topics[0].clone());
        request
    })
    .await;
    let cases: [(&str, &[&[i32]]); 6] = [
        ("unknown broker", &[&[9]]),
        ("too few", &[]),
        ("too many", &[&[1], &[1]]),
        ("a broker twice", &[&[1, 1]]),
        ("no broker", &[&[]]),
        ("another factor", &[&[1, 2]]),
    ];
    for (step, assignments) in cases {
        pair.all(&format!("assignment with {step}"), |_, _| grow("grow", 6, Some(assignments))).await;
    }
    pair.newest("assigned", |_, _| grow("grow", 6, Some(&[&[1]]))).await;
    pair.settle().await;
    pair.newest("state after growth", |_, _| metadata(&["grow"])).await;
}

fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsRequest {
    let assignments = assignments.map(|rows| {
        let rows = rows.iter().map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
        rows.map(|ids| CreatePartitionsAssignment::default().with_broker_ids(ids)).collect()
    });
    let topic = CreatePartitionsTopic::default()
        .with_name(topic(name))
        .with_count(count)
        .with_assignments(assignments);
    CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
}
