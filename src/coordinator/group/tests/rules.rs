//! The rules of the classic protocol that need more than one cell of the state table.

use super::script::script;

/// `a` and `b` are instances `i` and `j`; `a` leads.
const STATIC: &str = "
    delay 0
    join a inst=i                  -> log gen 0; PreparingRebalance
    join b inst=j
    after 0                        -> a: i-1 joined gen 1 range leader i-1 [i-1/i=ma j-2/j=mb]; b: j-2 joined gen 1 range leader i-1; CompletingRebalance
    sync a assign=i-1:x,j-2:y      -> a: synced x; log gen 1 range leader i-1 [i-1=x j-2=y]; Stable
    sync b                         -> b: synced y
";

fn static_script(text: &str) {
    script(&[STATIC, text].concat());
}

mod requests {
    //! What is refused before a group is looked at.

    use super::script;

    #[test]
    fn the_group_must_be_named() {
        script(
            r#"
            join a group=""            -> a: INVALID_GROUP_ID
            sync a group=""            -> a: INVALID_GROUP_ID
            beat a group=""            -> a: INVALID_GROUP_ID
            "#,
        );
    }

    #[test]
    fn the_session_timeout_must_be_within_the_brokers_limits() {
        script(
            "
            join a session=5999        -> a: INVALID_SESSION_TIMEOUT
            join a session=1800001     -> a: INVALID_SESSION_TIMEOUT
            join a session=6000        -> a: MEMBER_ID_REQUIRED a-3; log gen 0; Empty
            join b session=1800000     -> b: MEMBER_ID_REQUIRED b-4
            ",
        );
    }
}

mod initial_delay {
    //! `group.initial.rebalance.delay.ms`: an empty group waits for company.

    use super::script;

    #[test]
    fn it_is_sat_out_by_a_member_alone() {
        script(
            "
            join a v=3                 -> log gen 0; PreparingRebalance
            after 2999
            after 1                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn it_begins_again_with_each_newcomer_up_to_the_rebalance_timeout() {
        script(
            "
            join a v=3 rebalance=7000  -> log gen 0; PreparingRebalance
            after 2000
            join b v=3 rebalance=7000
            # to 6 s, then by the second that is left
            after 2000
            join c v=3 rebalance=7000
            after 2999
            join d v=3 rebalance=7000
            after 1                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb c-3=mc d-4=md]; b: b-2 joined gen 1 range leader a-1; c: c-3 joined gen 1 range leader a-1; d: d-4 joined gen 1 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn nobody_is_left_when_it_ends() {
        script(
            "
            join a v=3                 -> log gen 0; PreparingRebalance
            leave a-1                  -> a: UNKNOWN_MEMBER_ID; leaver: a-1 ok
            after 2999
            after 1                    -> log gen 1; Empty
            ",
        );
    }

    #[test]
    fn a_later_rebalance_has_none() {
        script(
            "
            join a v=3                 -> log gen 0; PreparingRebalance
            after 3000                 -> a: a-1 joined gen 1 range leader a-1 [a-1=ma]; CompletingRebalance
            sync a assign=a-1:x        -> a: synced x; log gen 1 range leader a-1 [a-1=x]; Stable
            join b v=3                 -> PreparingRebalance
            join a                     -> a: a-1 joined gen 2 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }
}

mod pending_members {
    //! KIP-394: who was given an id and has not come back with it.

    use super::script;

    #[test]
    fn a_pending_member_is_waited_for_until_its_session_timeout() {
        script(
            "
            delay 0
            join a v=3                 -> log gen 0; PreparingRebalance
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma]; CompletingRebalance
            sync a assign=a-1:x        -> a: synced x; log gen 1 range leader a-1 [a-1=x]; Stable
            join b session=6000        -> b: MEMBER_ID_REQUIRED b-2
            join a                     -> PreparingRebalance
            after 5999
            after 1                    -> a: a-1 joined gen 2 range leader a-1 [a-1=ma]; CompletingRebalance
            join b                     -> b: UNKNOWN_MEMBER_ID b-2
            ",
        );
    }

    #[test]
    fn a_pending_member_that_goes_cuts_an_initial_delay_short() {
        script(
            "
            join b session=6000        -> b: MEMBER_ID_REQUIRED b-1; log gen 0; Empty
            after 4000
            join a v=3                 -> PreparingRebalance
            after 2000                 -> a: a-2 joined gen 1 range leader a-2 [a-2=ma]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn a_pending_member_may_leave() {
        script(
            "
            delay 0
            join a                     -> a: MEMBER_ID_REQUIRED a-1; log gen 0; Empty
            leave a                    -> leaver: a-1 ok
            join a                     -> a: UNKNOWN_MEMBER_ID a-1
            ",
        );
    }

    #[test]
    fn a_pending_member_is_not_static() {
        script(
            "
            join a                     -> a: MEMBER_ID_REQUIRED a-1; log gen 0; Empty
            join a inst=i              -> a: UNKNOWN_SERVER_ERROR
            join a                     -> PreparingRebalance
            ",
        );
    }

    #[test]
    fn a_pending_member_sends_no_heartbeats() {
        script(
            "
            join a                     -> a: MEMBER_ID_REQUIRED a-1; log gen 0; Empty
            beat a gen=0               -> a: UNKNOWN_MEMBER_ID
            sync a gen=0               -> a: UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn a_pending_id_does_not_survive_a_restart() {
        script(
            "
            join a                     -> a: MEMBER_ID_REQUIRED a-1; log gen 0; Empty
            restart
            join a                     -> a: UNKNOWN_MEMBER_ID a-1
            ",
        );
    }
}

mod static_members {
    //! KIP-345, KIP-814.

    use super::static_script;

    #[test]
    fn a_follower_comes_back_without_a_rebalance() {
        static_script(
            "
            join b id=- inst=j         -> b: j-3 joined gen 1 range leader i-1; log gen 1 range leader i-1 [i-1=x j-3=y]
            sync b                     -> b: synced y
            beat b inst=j              -> b: ok
            beat old id=j-2 gen=1 inst=j -> old: FENCED_INSTANCE_ID
            beat old id=j-2 gen=1      -> old: UNKNOWN_MEMBER_ID
            restart
            sync b                     -> b: synced y
            ",
        );
    }

    #[test]
    fn a_leader_comes_back_and_need_not_assign() {
        static_script(
            "
            join a id=- inst=i         -> a: i-3 joined gen 1 range leader i-3 [i-3/i=ma j-2/j=mb] skip; log gen 1 range leader i-3 [i-3=x j-2=y]
            sync a                     -> a: synced x
            ",
        );
    }

    #[test]
    fn an_old_client_that_led_comes_back_as_a_follower() {
        static_script(
            "
            join a id=- inst=i v=8     -> a: i-3 joined gen 1 range leader i-1; log gen 1 range leader i-3 [i-3=x j-2=y]
            sync a                     -> a: synced x
            ",
        );
    }

    #[test]
    fn another_choice_of_protocol_is_a_rebalance() {
        static_script(
            "
            delay 0
            join b id=- inst=j protocols=other:z -> b: INCONSISTENT_GROUP_PROTOCOL
            # the same protocol with other metadata does not change the choice
            join b id=- inst=j protocols=range:new -> b: j-4 joined gen 1 range leader i-1; log gen 1 range leader i-1 [i-1=x j-4=y]
            ",
        );
        super::script(
            "
            delay 0
            join a inst=i protocols=p:1,q:2 -> log gen 0; PreparingRebalance
            join b inst=j protocols=p:1,q:2
            after 0                    -> a: i-1 joined gen 1 p leader i-1 [i-1/i=1 j-2/j=1]; b: j-2 joined gen 1 p leader i-1; CompletingRebalance
            sync a assign=i-1:x,j-2:y  -> a: synced x; log gen 1 p leader i-1 [i-1=x j-2=y]; Stable
            sync b                     -> b: synced y
            join b id=- inst=j protocols=q:2 -> PreparingRebalance
            join a inst=i protocols=p:1,q:2 -> a: i-1 joined gen 2 q leader i-1 [i-1/i=2 j-3/j=2]; b: j-3 joined gen 2 q leader i-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn the_old_member_is_fenced_while_it_waits_to_join() {
        static_script(
            "
            join a inst=i              -> PreparingRebalance
            join a2 id=- inst=i        -> a: FENCED_INSTANCE_ID i-1
            join b inst=j              -> a2: i-4 joined gen 2 range leader i-4 [i-4/i=ma2 j-2/j=mb]; b: j-2 joined gen 2 range leader i-4; CompletingRebalance
            ",
        );
    }

    #[test]
    fn the_old_member_is_fenced_while_it_waits_for_its_assignment() {
        static_script(
            "
            join a inst=i              -> PreparingRebalance
            join b inst=j              -> a: i-1 joined gen 2 range leader i-1 [i-1/i=ma j-2/j=mb]; b: j-2 joined gen 2 range leader i-1; CompletingRebalance
            sync b inst=j
            # the leader may be assigning to the old id: everybody joins again
            join b2 id=- inst=j        -> b: FENCED_INSTANCE_ID; PreparingRebalance
            join a inst=i              -> a: i-1 joined gen 3 range leader i-1 [i-1/i=ma j-5/j=mb2]; b2: j-5 joined gen 3 range leader i-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn requests_of_an_old_id_are_fenced() {
        static_script(
            "
            join b id=- inst=j         -> b: j-3 joined gen 1 range leader i-1; log gen 1 range leader i-1 [i-1=x j-3=y]
            join old id=j-2 inst=j     -> old: FENCED_INSTANCE_ID j-2
            sync old id=j-2 gen=1 inst=j -> old: FENCED_INSTANCE_ID
            leave j-2/j                -> leaver: j-2/j FENCED_INSTANCE_ID
            commit b id=j-2 inst=j     -> FENCED_INSTANCE_ID
            join x id=j-3 inst=nobody  -> x: UNKNOWN_MEMBER_ID j-3
            ",
        );
    }

    #[test]
    fn a_replacement_that_is_not_written_is_undone() {
        static_script(
            "
            fail
            join b2 id=- inst=j protocols=range:new -> b2: COORDINATOR_NOT_AVAILABLE
            beat b inst=j              -> b: ok
            sync b                     -> b: synced y
            restart
            sync b                     -> b: synced y
            ",
        );
        static_script(
            "
            fail
            join a2 id=- inst=i        -> a2: COORDINATOR_NOT_AVAILABLE
            # a leads again
            join a inst=i              -> PreparingRebalance
            ",
        );
    }

    #[test]
    fn an_absent_one_keeps_its_place_in_the_join_phase_and_loses_it_with_the_sync() {
        static_script(
            "
            join a inst=i rebalance=7000 -> PreparingRebalance
            after 9999
            beat b inst=j              -> b: REBALANCE_IN_PROGRESS
            after 9999
            beat b inst=j              -> b: REBALANCE_IN_PROGRESS
            after 9999
            beat b inst=j              -> b: REBALANCE_IN_PROGRESS
            after 3                    -> a: i-1 joined gen 2 range leader i-1 [i-1/i=ma j-2/j=mb]; CompletingRebalance
            sync a assign=i-1:x,j-2:y  -> a: synced x; log gen 2 range leader i-1 [i-1=x j-2=y]; Stable
            after 9000
            beat a                     -> a: ok
            beat b inst=j gen=2        -> b: ok
            after 9000
            beat a                     -> a: ok
            beat b inst=j gen=2        -> b: ok
            after 9000
            beat a                     -> a: ok
            beat b inst=j gen=2        -> b: ok
            after 3000                 -> PreparingRebalance
            members                    -> i-1
            ",
        );
    }

    #[test]
    fn an_administrator_removes_an_instance() {
        static_script(
            "
            leave /j                   -> leaver: /j ok; PreparingRebalance
            members                    -> i-1
            leave /j /nobody           -> leaver: /j UNKNOWN_MEMBER_ID, /nobody UNKNOWN_MEMBER_ID
            ",
        );
    }

    #[test]
    fn a_batch_leaves_as_far_as_it_can() {
        static_script(
            "
            leave i-1/i i-1/j c-9 j-2/j -> leaver: i-1/i ok, i-1/j FENCED_INSTANCE_ID, c-9 UNKNOWN_MEMBER_ID, j-2/j ok; log gen 2; Empty
            ",
        );
    }

    #[test]
    fn a_removed_instance_that_waits_is_told() {
        static_script(
            "
            join a inst=i              -> PreparingRebalance
            join b inst=j              -> a: i-1 joined gen 2 range leader i-1 [i-1/i=ma j-2/j=mb]; b: j-2 joined gen 2 range leader i-1; CompletingRebalance
            sync b inst=j
            leave /j                   -> b: UNKNOWN_MEMBER_ID; leaver: /j ok; PreparingRebalance
            ",
        );
    }
}

mod leaders {
    //! Who assigns.

    use super::script;

    const STABLE: &str = "
        delay 0
        join a v=3                     -> log gen 0; PreparingRebalance
        join b v=3
        after 0                        -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 1 range leader a-1; CompletingRebalance
        sync a assign=a-1:x,b-2:y      -> a: synced x; log gen 1 range leader a-1 [a-1=x b-2=y]; Stable
        sync b                         -> b: synced y
    ";

    #[test]
    fn a_leader_that_does_not_come_is_followed_by_one_who_did() {
        script(&format!(
            "{STABLE}
            join b protocols=range:new -> PreparingRebalance
            after 9000
            beat a                     -> a: REBALANCE_IN_PROGRESS
            after 9000
            beat a                     -> a: REBALANCE_IN_PROGRESS
            after 9000
            beat a                     -> a: REBALANCE_IN_PROGRESS
            after 3000                 -> b: b-2 joined gen 2 range leader b-2 [b-2=new]; CompletingRebalance
            "
        ));
    }

    #[test]
    fn when_nobody_comes_the_sessions_decide() {
        script(
            "
            delay 0
            join a inst=i session=100000 rebalance=7000 -> log gen 0; PreparingRebalance
            after 0                    -> a: i-1 joined gen 1 range leader i-1 [i-1/i=ma]; CompletingRebalance
            sync a assign=i-1:x        -> a: synced x; log gen 1 range leader i-1 [i-1=x]; Stable
            # the newcomer brings a rebalance and goes again
            join b v=3                 -> PreparingRebalance
            leave b-2                  -> b: UNKNOWN_MEMBER_ID; leaver: b-2 ok
            after 60000
            join a inst=i              -> a: i-1 joined gen 2 range leader i-1 [i-1/i=ma]; CompletingRebalance
            ",
        );
    }

    #[test]
    fn a_new_member_that_gives_up_is_forgotten() {
        script(&format!(
            "{STABLE}
            join a rebalance=1000000   -> PreparingRebalance
            join c v=3
            after 9999
            beat b                     -> b: REBALANCE_IN_PROGRESS
            members                    -> a-1 b-2 c-4
            leave b                    -> a: a-1 joined gen 2 range leader a-1 [a-1=ma c-4=mc]; c: c-4 joined gen 2 range leader a-1; leaver: b-2 ok; CompletingRebalance
            "
        ));
        script(
            "
            delay 1000000
            join c v=3                 -> log gen 0; PreparingRebalance
            # five minutes, whatever its session timeout is
            after 299999
            after 1                    -> c: UNKNOWN_MEMBER_ID; log gen 1; Empty
            ",
        );
    }
}

mod protocols {
    //! Which protocol a generation speaks.

    use super::script;

    #[test]
    fn the_members_vote() {
        script(
            "
            delay 0
            join a v=3 protocols=p:1,q:2,r:3 -> log gen 0; PreparingRebalance
            join b v=3 protocols=r:3,q:2,p:1
            join c v=3 protocols=q:2,r:3
            # p is not for everybody: a votes for q, b for r, c for q
            after 0                    -> a: a-1 joined gen 1 q leader a-1 [a-1=2 b-2=2 c-3=2]; b: b-2 joined gen 1 q leader a-1; c: c-3 joined gen 1 q leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn a_newcomer_must_speak_what_all_speak() {
        script(
            "
            delay 0
            join a v=3 protocols=p:1,q:2 -> log gen 0; PreparingRebalance
            join b v=3 protocols=q:2,r:3
            join c v=3 protocols=p:1   -> c: INCONSISTENT_GROUP_PROTOCOL
            join c v=3 protocols=r:3   -> c: INCONSISTENT_GROUP_PROTOCOL
            join c v=3 protocols=q:4
            ",
        );
    }

    #[test]
    fn a_protocol_that_is_named_twice_counts_once() {
        script(
            "
            delay 0
            join a v=3 protocols=p:1,p:2 -> log gen 0; PreparingRebalance
            join b v=3 protocols=p:3
            after 0                    -> a: a-1 joined gen 1 p leader a-1 [a-1=1 b-2=3]; b: b-2 joined gen 1 p leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn an_empty_group_may_change_its_type() {
        script(
            "
            delay 0
            join a v=3                 -> log gen 0; PreparingRebalance
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma]; CompletingRebalance
            leave a                    -> leaver: a-1 ok; log gen 2; Empty
            join w v=3 type=connect protocols=sessioned:1 -> PreparingRebalance
            after 0                    -> w: w-2 joined gen 3 sessioned leader w-2 [w-2=1]; CompletingRebalance
            ",
        );
    }
}

mod size {
    //! `group.max.size`.

    use super::script;

    #[test]
    fn a_full_group_takes_nobody() {
        script(
            "
            delay 0
            max 2
            join a v=3                 -> log gen 0; PreparingRebalance
            join b v=3
            join c v=3                 -> c: GROUP_MAX_SIZE_REACHED
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 1 range leader a-1; CompletingRebalance
            join c v=3                 -> c: GROUP_MAX_SIZE_REACHED
            join b                     -> b: b-2 joined gen 1 range leader a-1
            ",
        );
    }

    #[test]
    fn of_a_group_that_became_too_large_the_last_to_come_back_go() {
        script(
            "
            delay 0
            join a v=3                 -> log gen 0; PreparingRebalance
            join b v=3
            join c v=3
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb c-3=mc]; b: b-2 joined gen 1 range leader a-1; c: c-3 joined gen 1 range leader a-1; CompletingRebalance
            sync a assign=a-1:x,b-2:y,c-3:z -> a: synced x; log gen 1 range leader a-1 [a-1=x b-2=y c-3=z]; Stable
            max 2
            restart                    -> PreparingRebalance
            join a
            join c
            join b                     -> b: GROUP_MAX_SIZE_REACHED; a: a-1 joined gen 2 range leader a-1 [a-1=ma c-3=mc]; c: c-3 joined gen 2 range leader a-1; CompletingRebalance
            ",
        );
    }

    #[test]
    fn pending_members_do_not_count() {
        script(
            "
            delay 0
            max 1
            join a                     -> a: MEMBER_ID_REQUIRED a-1; log gen 0; Empty
            join b                     -> b: MEMBER_ID_REQUIRED b-2
            join b                     -> PreparingRebalance
            join a                     -> a: GROUP_MAX_SIZE_REACHED
            after 0                    -> b: b-2 joined gen 1 range leader b-2 [b-2=mb]; CompletingRebalance
            ",
        );
    }
}

mod sessions {
    //! Who is taken to be alive.

    use super::script;

    #[test]
    fn a_member_that_waits_for_its_assignment_is_excused_and_begins_a_session_with_it() {
        script(
            "
            delay 0
            join a v=3                 -> log gen 0; PreparingRebalance
            join b v=3
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 1 range leader a-1; CompletingRebalance
            sync b
            after 9000
            beat a                     -> a: ok
            after 9000
            sync a assign=a-1:x,b-2:y  -> a: synced x; b: synced y; log gen 1 range leader a-1 [a-1=x b-2=y]; Stable
            after 9999
            beat a                     -> a: ok
            after 1                    -> PreparingRebalance
            members                    -> a-1
            ",
        );
    }

    #[test]
    fn a_heartbeat_moves_the_end_of_the_session() {
        script(
            "
            delay 0
            join a v=3                 -> log gen 0; PreparingRebalance
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma]; CompletingRebalance
            sync a assign=a-1:x        -> a: synced x; log gen 1 range leader a-1 [a-1=x]; Stable
            after 9999
            beat a                     -> a: ok
            after 9999
            beat a                     -> a: ok
            after 9999
            after 1                    -> log gen 2; Empty
            ",
        );
    }

    #[test]
    fn a_second_request_of_a_member_answers_the_first() {
        script(
            "
            delay 0
            join a v=3                 -> log gen 0; PreparingRebalance
            join b v=3
            after 0                    -> a: a-1 joined gen 1 range leader a-1 [a-1=ma b-2=mb]; b: b-2 joined gen 1 range leader a-1; CompletingRebalance
            sync b
            sync b                     -> b: REBALANCE_IN_PROGRESS
            sync a                     -> a: synced -; b: synced -; log gen 1 range leader a-1 [a-1=- b-2=-]; Stable
            ",
        );
    }
}
