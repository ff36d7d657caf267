//! One script for every cell of the state table in `docs/GROUPS.md`: what a group does in each state with each event.
//!
//! Two members: `a-1` leads, `b-2` follows. In PreparingRebalance, `a` has joined again and `b` has not.

use super::script::script;

const COMPLETING: &str = "
    delay 0
    join a v=3                     -> log gen 0; PreparingRebalance
    join b v=3
    after 0                        -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 1 range leader a-1; CompletingRebalance
";

const TO_STABLE: &str = "
    sync a assign=a-1:x,b-2:y      -> a: synced x; log gen 1 range leader a-1 [a-1=x b-2=y]; Stable
    sync b                         -> b: synced y
";

const TO_PREPARING: &str = "
    join a                         -> PreparingRebalance
";

const TO_EMPTY: &str = "
    leave a b                      -> leaver: a-1 ok, b-2 ok; log gen 2; Empty
";

fn none(cell: &str) {
    script(&format!("delay 0\n{cell}"));
}

fn empty(cell: &str) {
    script(&[COMPLETING, TO_STABLE, TO_EMPTY, cell].concat());
}

fn preparing(cell: &str) {
    script(&[COMPLETING, TO_STABLE, TO_PREPARING, cell].concat());
}

fn completing(cell: &str) {
    script(&[COMPLETING, cell].concat());
}

fn stable(cell: &str) {
    script(&[COMPLETING, TO_STABLE, cell].concat());
}

mod new_member {
    //! A new member joins (KIP-394: it is given an id first).

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join c   -> c: MEMBER_ID_REQUIRED c-1; log gen 0; Empty
            join c   -> PreparingRebalance
            after 0  -> c: c-1 joined gen 1 range leader c-1 [c-1=mc]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join c   -> c: MEMBER_ID_REQUIRED c-3
            join c   -> PreparingRebalance
            after 0  -> c: c-3 joined gen 3 range leader c-3 [c-3=mc]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            join c   -> c: MEMBER_ID_REQUIRED c-4
            join c
            join b   -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=mb c-4=mc]; b: b-2 joined gen 2 range leader a-1; c: c-4 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b
            join c   -> c: MEMBER_ID_REQUIRED c-3
            join c   -> b: REBALANCE_IN_PROGRESS; PreparingRebalance
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join c   -> c: MEMBER_ID_REQUIRED c-3
            join c   -> PreparingRebalance
            members  -> a-1 b-2 c-3
            ",
        );
    }
}

mod new_member_of_an_old_client {
    //! A new member of an old client joins: it is taken in at once.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join c v=3 -> log gen 0; PreparingRebalance
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join c v=3 -> PreparingRebalance
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            join c v=3
            members    -> a-1 b-2 c-4
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            join c v=3 -> PreparingRebalance
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join c v=3 -> PreparingRebalance
            ",
        );
    }
}

mod follower_rejoins_unchanged {
    //! A follower joins again and says what it said before.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join b id=b-2 -> b: UNKNOWN_MEMBER_ID b-2
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join b -> b: UNKNOWN_MEMBER_ID b-2
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            join b -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            join b -> b: b-2 joined gen 1 range leader a-1
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join b -> b: b-2 joined gen 1 range leader a-1
            ",
        );
    }
}

mod follower_rejoins_changed {
    //! A follower joins again with something new.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join b id=b-2 protocols=range:new -> b: UNKNOWN_MEMBER_ID b-2
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join b protocols=range:new -> b: UNKNOWN_MEMBER_ID b-2
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            join b protocols=range:new -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=new]; b: b-2 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b
            join b protocols=range:new -> b: REBALANCE_IN_PROGRESS; PreparingRebalance
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join b protocols=range:new -> PreparingRebalance
            ",
        );
    }
}

mod leader_rejoins {
    //! The leader joins again and says what it said before.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join a id=a-1 -> a: UNKNOWN_MEMBER_ID a-1
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join a -> a: UNKNOWN_MEMBER_ID a-1
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            # its first request is overtaken by the second
            join a -> a: REBALANCE_IN_PROGRESS a-1
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            join a -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb]
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join a -> PreparingRebalance
            ",
        );
    }
}

mod stranger_joins {
    //! Somebody joins with an id that the group does not know.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join c id=c-9 -> c: UNKNOWN_MEMBER_ID c-9
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join c id=c-9 -> c: UNKNOWN_MEMBER_ID c-9
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            join c id=c-9 -> c: UNKNOWN_MEMBER_ID c-9
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            join c id=c-9 -> c: UNKNOWN_MEMBER_ID c-9
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join c id=c-9 -> c: UNKNOWN_MEMBER_ID c-9
            ",
        );
    }
}

mod foreigner_joins {
    //! Somebody joins who speaks nothing that the members speak, or is of another type.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            join c protocols=      -> c: INCONSISTENT_GROUP_PROTOCOL; log gen 0; Empty
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            join c protocols=other:x type=connect -> c: MEMBER_ID_REQUIRED c-3
            join d protocols=      -> d: INCONSISTENT_GROUP_PROTOCOL
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            join c protocols=other:x -> c: INCONSISTENT_GROUP_PROTOCOL
            join c type=connect      -> c: INCONSISTENT_GROUP_PROTOCOL
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            join c protocols=other:x -> c: INCONSISTENT_GROUP_PROTOCOL
            join c type=connect      -> c: INCONSISTENT_GROUP_PROTOCOL
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            join c protocols=other:x -> c: INCONSISTENT_GROUP_PROTOCOL
            join c type=connect      -> c: INCONSISTENT_GROUP_PROTOCOL
            ",
        );
    }
}

mod leader_syncs {
    //! The leader sends its assignment.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            sync a id=a-1 gen=1 assign=a-1:x -> a: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            sync a assign=a-1:x -> a: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            sync a assign=a-1:x -> a: REBALANCE_IN_PROGRESS
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b
            sync a assign=a-1:x,b-2:y,c-9:z -> a: synced x; b: synced y; log gen 1 range leader a-1 [a-1=x b-2=y]; Stable
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            # the assignment is made already
            sync a assign=a-1:z -> a: synced x
            ",
        );
    }
}

mod follower_syncs {
    //! A follower asks for its assignment.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            sync b id=b-2 gen=1 -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            sync b -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            sync b -> b: REBALANCE_IN_PROGRESS
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b
            sync b -> b: REBALANCE_IN_PROGRESS
            sync a -> a: synced -; b: synced -; log gen 1 range leader a-1 [a-1=- b-2=-]; Stable
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            sync b -> b: synced y
            ",
        );
    }
}

mod sync_of_an_old_generation {
    //! A member of an old generation asks for its assignment.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            sync b id=b-2 gen=0 -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            sync b gen=0 -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            sync b gen=0 -> b: ILLEGAL_GENERATION
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b gen=0 -> b: ILLEGAL_GENERATION
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            sync b gen=0 -> b: ILLEGAL_GENERATION
            ",
        );
    }
}

mod sync_of_another_protocol {
    //! A member asks for its assignment under another protocol.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            sync b id=b-2 gen=1 protocol=other -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            sync b protocol=other -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            sync b protocol=other -> b: INCONSISTENT_GROUP_PROTOCOL
            sync b type=connect -> b: INCONSISTENT_GROUP_PROTOCOL
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b protocol=other -> b: INCONSISTENT_GROUP_PROTOCOL
            sync b type=connect -> b: INCONSISTENT_GROUP_PROTOCOL
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            sync b protocol=other -> b: INCONSISTENT_GROUP_PROTOCOL
            sync b type=consumer protocol=range -> b: synced y
            ",
        );
    }
}

mod heartbeat {
    //! A member sends a heartbeat.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            beat b id=b-2 gen=1 -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            beat b -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            beat b -> b: REBALANCE_IN_PROGRESS
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            beat b -> b: ok
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            beat b -> b: ok
            ",
        );
    }
}

mod heartbeat_of_an_old_generation {
    //! A member of an old generation sends a heartbeat.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            beat b id=b-2 gen=0 -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            beat b gen=0 -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            beat b gen=0 -> b: ILLEGAL_GENERATION
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            beat b gen=0 -> b: ILLEGAL_GENERATION
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            beat b gen=0 -> b: ILLEGAL_GENERATION
            ",
        );
    }
}

mod heartbeat_of_a_stranger {
    //! A stranger sends a heartbeat.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            beat c id=c-9 gen=1 -> c: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            beat c id=c-9 gen=2 -> c: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            beat c id=c-9 gen=1 -> c: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            beat c id=c-9 gen=1 -> c: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            beat c id=c-9 gen=1 -> c: UNKNOWN_MEMBER_ID
            ",
        );
    }
}

mod member_leaves {
    //! A member leaves.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            leave b-2 -> leaver: b-2 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            leave b -> leaver: b-2 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            leave b -> a: a-1 joined gen 2 range leader a-1 [a-1=ma]; leaver: b-2 ok; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b
            leave a -> b: REBALANCE_IN_PROGRESS; leaver: a-1 ok; PreparingRebalance
            join b -> b: b-2 joined gen 2 range leader b-2 [b-2=mb]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            leave b -> leaver: b-2 ok; PreparingRebalance
            members -> a-1
            ",
        );
    }
}

mod stranger_leaves {
    //! A stranger leaves.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            leave c-9 -> leaver: c-9 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            leave c-9 -> leaver: c-9 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            leave c-9 -> leaver: c-9 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            leave c-9 -> leaver: c-9 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            leave c-9 -> leaver: c-9 UNKNOWN_MEMBER_ID
            ",
        );
    }
}

mod everybody_leaves {
    //! Everybody leaves at once.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            leave a-1 b-2 -> leaver: a-1 UNKNOWN_MEMBER_ID, b-2 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            leave a b -> leaver: a-1 UNKNOWN_MEMBER_ID, b-2 UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            leave a b -> a: UNKNOWN_MEMBER_ID; leaver: a-1 ok, b-2 ok; log gen 2; Empty
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            leave a b -> leaver: a-1 ok, b-2 ok; log gen 2; Empty
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            leave a b -> leaver: a-1 ok, b-2 ok; log gen 2; Empty
            ",
        );
    }
}

mod session_ends {
    //! A follower is silent for its session timeout.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            after 10000
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            after 10000
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            # a waits for an answer, that excuses it
            after 10000 -> a: a-1 joined gen 2 range leader a-1 [a-1=ma]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            after 5000
            beat a -> a: ok
            after 5000 -> PreparingRebalance
            members -> a-1
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            after 5000
            beat a -> a: ok
            after 5000 -> PreparingRebalance
            members -> a-1
            join a -> a: a-1 joined gen 2 range leader a-1 [a-1=ma]; CompletingRebalance
            ",
        );
    }
}

mod every_session_ends {
    //! Everybody is silent for the session timeout.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            after 40000
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            after 40000
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            # the parked join keeps its member
            after 10000 -> a: a-1 joined gen 2 range leader a-1 [a-1=ma]; CompletingRebalance
            after 10000 -> log gen 3; Empty
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            after 10000 -> log gen 2; Empty
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            after 10000 -> log gen 2; Empty
            ",
        );
    }
}

mod join_phase_ends {
    //! The rebalance timeout ends the join phase: who has not joined is out.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            after 30000
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            after 30000
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            after 9000
            beat b -> b: REBALANCE_IN_PROGRESS
            after 9000
            beat b -> b: REBALANCE_IN_PROGRESS
            after 9000
            beat b -> b: REBALANCE_IN_PROGRESS
            after 3000 -> a: a-1 joined gen 2 range leader a-1 [a-1=ma]; CompletingRebalance
            beat b -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            # nothing: the join phase is over
            after 5000
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            # nothing: the join phase is over
            after 5000
            ",
        );
    }
}

mod sync_time_ends {
    //! The rebalance timeout ends the time to send SyncGroup: who has sent none is out.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            after 30000
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            after 30000
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            # nothing: nobody must sync
            after 5000
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            sync b
            after 9000
            beat a -> a: ok
            after 9000
            beat a -> a: ok
            after 9000
            beat a -> a: ok
            after 3000 -> b: REBALANCE_IN_PROGRESS; PreparingRebalance
            members -> b-2
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            # everybody has
            after 5000
            beat a -> a: ok
            beat b -> b: ok
            ",
        );
    }
}

mod group_is_deleted {
    //! An administrator deletes the group.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            delete -> admin: GROUP_ID_NOT_FOUND
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            delete -> admin: ok; log tombstone; none
            beat b -> b: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            delete -> admin: NON_EMPTY_GROUP
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            delete -> admin: NON_EMPTY_GROUP
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            delete -> admin: NON_EMPTY_GROUP
            ",
        );
    }
}

mod member_commits {
    //! A member commits offsets.

    use super::{completing, empty, preparing, stable};

    #[test]
    fn when_empty() {
        empty(
            "
            commit b gen=2 -> UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            commit b -> ok
            commit b gen=0 -> ILLEGAL_GENERATION
            commit c id=c-9 gen=1 -> UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            commit b -> REBALANCE_IN_PROGRESS
            commit b gen=0 -> ILLEGAL_GENERATION
            commit b txn=1 -> ok
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            commit b -> ok
            commit b gen=0 -> ILLEGAL_GENERATION
            commit c id=c-9 gen=1 -> UNKNOWN_MEMBER_ID
            ",
        );
    }
}

mod outsider_commits {
    //! Somebody outside the protocol commits offsets.

    use super::{completing, empty, preparing, stable};

    #[test]
    fn when_empty() {
        empty(
            "
            commit - -> ok
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            commit - -> UNKNOWN_MEMBER_ID
            commit - txn=1 -> ok
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            commit - -> UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            commit - -> UNKNOWN_MEMBER_ID
            commit - txn=1 -> ok
            ",
        );
    }
}

mod restart {
    //! The process starts anew and reads the log.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            restart
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            restart
            commit - -> ok
            join a -> a: UNKNOWN_MEMBER_ID a-1
            join a id=- -> a: MEMBER_ID_REQUIRED a-4
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            # the last generation that was written down is back; its members join again
            restart -> Stable
            beat b -> b: ok
            join a -> PreparingRebalance
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            # the assignment was never made: the log knows an empty group
            restart -> Empty
            beat a -> a: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn when_completing_again() {
        preparing(
            "
            # the log knows the generation before, and so do its members
            join b        -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 2 range leader a-1; CompletingRebalance
            sync b
            restart       -> Stable
            sync a assign=a-1:y,b-2:x -> a: ILLEGAL_GENERATION
            beat b        -> b: ILLEGAL_GENERATION
            beat a gen=1  -> a: ok
            sync b gen=1  -> b: synced y
            join a        -> PreparingRebalance
            join b        -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            restart
            beat a -> a: ok
            sync b -> b: synced y
            # every member has a full session from now
            after 9999
            beat a -> a: ok
            after 1 -> PreparingRebalance
            ",
        );
    }
}

mod write_fails {
    //! What the group writes does not get into the log.

    use super::{completing, empty, none, preparing, stable};

    #[test]
    fn without_group() {
        none(
            "
            fail
            join c -> c: MEMBER_ID_REQUIRED c-1
            beat c gen=0 -> c: UNKNOWN_MEMBER_ID
            fail
            join c v=3 id=- -> c: COORDINATOR_NOT_AVAILABLE c-2
            ",
        );
    }

    #[test]
    fn when_empty() {
        empty(
            "
            fail
            delete -> admin: COORDINATOR_NOT_AVAILABLE
            commit - -> ok
            ",
        );
    }

    #[test]
    fn when_preparing() {
        preparing(
            "
            # the last member goes: the generation that the log knows comes back after a restart
            fail
            leave a b -> a: UNKNOWN_MEMBER_ID; leaver: COORDINATOR_NOT_AVAILABLE; Empty
            restart -> Stable
            after 10000 -> log gen 2; Empty
            ",
        );
    }

    #[test]
    fn when_completing() {
        completing(
            "
            # the assignment is undone, and everybody joins again
            sync b
            fail
            sync a assign=a-1:x,b-2:y -> a: COORDINATOR_NOT_AVAILABLE; b: COORDINATOR_NOT_AVAILABLE; PreparingRebalance
            join a
            join b -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn when_stable() {
        stable(
            "
            fail
            leave a b -> leaver: COORDINATOR_NOT_AVAILABLE; Empty
            members -> nobody
            ",
        );
    }
}
