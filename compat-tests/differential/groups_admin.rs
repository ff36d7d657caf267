//! ListGroups, DescribeGroups, DeleteGroups.

use wire::messages::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};

use crate::ask::{prepare, text};
use crate::groups::{group, joined, loaded};
use crate::groups_offsets::commit;
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    loaded(pair).await;
    prepare(pair, "shown", 1, &[]).await;
    pair.newest("an empty group", |_, _| commit("shown-empty", &[("shown", 0, 1)])).await;
    joined(pair, "shown-busy", 3).await;
    list(pair).await;
    describe(pair).await;
    delete(pair).await;
    list_after(pair).await;
}

async fn list(pair: &mut Pair) {
    let ask = |states: &[&str], types: &[&str]| {
        ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|state| text(*state)).collect())
            .with_types_filter(types.iter().map(|kind| text(*kind)).collect())
    };
    let cases: [(&[&str], &[&str]); 12] = [
        (&[], &[]),
        (&["Empty"], &[]),
        (&["empty"], &[]),
        (&["CompletingRebalance", "Stable"], &[]),
        (&["completing_rebalance"], &[]),
        (&["nonsense"], &[]),
        (&[""], &[]),
        (&[], &["classic"]),
        (&[], &["CLASSIC"]),
        (&[], &["consumer", "share"]),
        (&[], &["nonsense"]),
        (&["Empty"], &["classic"]),
    ];
    for (states, types) in cases {
        pair.all(&format!("states {states:?}, types {types:?}"), |_, _| ask(states, types)).await;
    }
}

async fn list_after(pair: &mut Pair) {
    pair.all("after deletions", |_, _| ListGroupsRequest::default()).await;
}

async fn describe(pair: &mut Pair) {
    let cases: [&[&str]; 7] = [
        &["shown-empty"],
        &["shown-busy"],
        &["shown-missing"],
        &[""],
        &["shown-empty", "shown-missing", "shown-busy"],
        &["shown-empty", "shown-empty"],
        &[],
    ];
    for names in cases {
        let ask =
            || DescribeGroupsRequest::default().with_groups(names.iter().map(|name| group(name)).collect());
        pair.all(&format!("{names:?}"), |_, _| ask()).await;
        pair.all(&format!("{names:?} with operations"), |_, _| {
            ask().with_include_authorized_operations(true)
        })
        .await;
    }
}

async fn delete(pair: &mut Pair) {
    for version in 0..=2 {
        let fresh = format!("shown-fresh-{version}");
        pair.newest(&format!("a group for {version}"), |_, _| commit(&fresh, &[("shown", 0, 1)])).await;
        let cases: [&[&str]; 6] =
            [&["shown-busy"], &["shown-missing"], &[""], &[&fresh, "shown-busy"], &[&fresh, &fresh], &[]];
        for (i, names) in cases.into_iter().enumerate() {
            pair.one(&format!("delete {i}: {names:?}"), version, |_, _| {
                DeleteGroupsRequest::default()
                    .with_groups_names(names.iter().map(|name| group(name)).collect())
            })
            .await;
        }
    }
}
