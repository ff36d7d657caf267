//! DescribeLogDirs and AlterReplicaLogDirs.

use wire::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use wire::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};

use crate::ask::{prepare, text, topic};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "dirs", 2, &[]).await;
    pair.all("all", |_, _| DescribeLogDirsRequest::default().with_topics(None)).await;
    pair.all("none", |_, _| DescribeLogDirsRequest::default().with_topics(Some(Vec::new()))).await;
    let cases: [(&str, &[i32]); 6] =
        [("dirs", &[0, 1]), ("dirs", &[0, 7]), ("dirs", &[-1]), ("missing", &[0]), ("", &[0]), ("dirs", &[])];
    for (name, partitions) in cases {
        pair.all(&format!("{name:?} {partitions:?}"), |_, _| {
            let asked = DescribableLogDirTopic::default()
                .with_topic(topic(name))
                .with_partitions(partitions.to_vec());
            DescribeLogDirsRequest::default().with_topics(Some(vec![asked]))
        })
        .await;
    }
    let cases: [(&str, &str, &[i32]); 6] = [
        ("/no/such/dir", "dirs", &[0]),
        ("relative", "dirs", &[0]),
        ("", "dirs", &[0]),
        ("/no/such/dir", "missing", &[0]),
        ("/no/such/dir", "dirs", &[9]),
        ("/no/such/dir", "dirs", &[]),
    ];
    for (path, name, partitions) in cases {
        pair.all(&format!("move {name} {partitions:?} to {path:?}"), |_, _| {
            let topics = AlterReplicaLogDirTopic::default()
                .with_name(topic(name))
                .with_partitions(partitions.to_vec());
            let dir = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![topics]);
            AlterReplicaLogDirsRequest::default().with_dirs(vec![dir])
        })
        .await;
    }
    pair.all("move nothing", |_, _| AlterReplicaLogDirsRequest::default()).await;
}
