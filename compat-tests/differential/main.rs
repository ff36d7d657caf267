//! The same requests to Apache Kafka and to Ottla, in the same order; every field of every answer is compared.
//!
//! `run` starts both and passes their addresses, directories and Kafka's release by environment. Start reading at [`pair::Pair`]:
//! the other modules are the script, one file per family of APIs. What may differ, and why, stands in `allow.txt`.

mod acls;
mod allow;
mod alter_configs;
mod api_versions;
mod ask;
mod batches;
mod cluster;
mod configs;
mod coordinators;
mod features;
mod fetch;
mod groups;
mod groups_admin;
mod groups_consumer;
mod groups_offsets;
mod groups_walks;
mod hostile;
mod idempotence;
mod log_dirs;
mod metadata;
mod offsets;
mod pair;
mod partitions;
mod placement;
mod produce;
mod produce_refused;
mod report;
mod sessions;
mod side;
mod topics;
mod transactions;
mod transactions_admin;
mod transactions_offsets;
mod transactions_produced;
mod tree;
mod txn;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use pair::Pair;
use side::Side;

/// The whole suite is to take less than three minutes; a loaded machine gets some more.
const BUDGET: Duration = Duration::from_secs(270);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let release = std::env::var("KAFKA_VERSION").expect("the release of Kafka that is compared with");
        let mut pair = Pair::new(side("REFERENCE"), side("SUBJECT"), &release);
        if tokio::time::timeout(BUDGET, script(&mut pair)).await.is_err() {
            println!("not ok script: the steps took longer than {BUDGET:?}");
            pair.overdue();
        }
        pair.finish()
    })
}

/// The whole script. A family uses topics of its own, so that one difference does not cause others.
async fn script(pair: &mut Pair) {
    let only = std::env::var("FAMILIES").unwrap_or_default();
    let wanted = |family: &str| only.is_empty() || only.split(',').any(|name| name == family);
    macro_rules! family {
        ($name:ident) => {
            if wanted(stringify!($name)) {
                let at = pair.begin(stringify!($name));
                $name::script(pair).await;
                pair.end(stringify!($name), at);
            }
        };
    }
    family!(api_versions);
    family!(metadata);
    family!(topics);
    family!(partitions);
    family!(configs);
    family!(alter_configs);
    family!(cluster);
    family!(log_dirs);
    family!(placement);
    family!(produce);
    family!(produce_refused);
    family!(idempotence);
    family!(fetch);
    family!(sessions);
    family!(offsets);
    family!(coordinators);
    family!(groups);
    family!(groups_offsets);
    family!(groups_admin);
    family!(groups_consumer);
    family!(groups_walks);
    family!(transactions);
    family!(transactions_produced);
    family!(transactions_offsets);
    family!(transactions_admin);
    family!(features);
    family!(acls);
    family!(hostile);
}

/// One broker, from `<NAME>` (its address) and `<NAME>_DIR` (what its paths begin with).
fn side(name: &'static str) -> Side {
    let of = |key: &str| {
        std::env::var(key).unwrap_or_else(|_| panic!("set {key}, as compat-tests/differential/run does"))
    };
    let address: SocketAddr = of(name).parse().expect("an address such as 127.0.0.1:9092");
    Side::new(name, address, of(&format!("{name}_DIR")))
}
