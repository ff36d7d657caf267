//! What each refusal of a marker means, code by code.

use super::Refused;
use model::ErrorCode as E;

#[test]
fn every_refusal_has_its_meaning() {
    let now = [
        E::UnknownTopicOrPartition,
        E::NotLeaderOrFollower,
        E::NotEnoughReplicas,
        E::NotEnoughReplicasAfterAppend,
        E::RequestTimedOut,
        E::KafkaStorageError,
        // Of coordinators of groups.
        E::CoordinatorLoadInProgress,
        E::CoordinatorNotAvailable,
        E::NotCoordinator,
    ];
    let not_needed = [E::InvalidProducerEpoch, E::UnsupportedForMessageFormat, E::UnsupportedVersion];
    for code in (-1..=i16::from(u8::MAX)).map(E::from_code) {
        let wanted = match code {
            _ if now.contains(&code) => Refused::Now,
            _ if not_needed.contains(&code) => Refused::NotNeeded,
            _ => Refused::Over,
        };
        assert_eq!(Refused::of(code, true), wanted, "{code:?}");
        assert_eq!(Refused::of(code, false), Refused::NotNeeded, "{code:?} of a partition that is gone");
    }
    for code in [
        E::TransactionCoordinatorFenced,
        E::CorruptMessage,
        E::MessageTooLarge,
        E::RecordListTooLarge,
        E::InvalidRequiredAcks,
        E::UnknownServerError,
    ] {
        assert_eq!(Refused::of(code, true), Refused::Over, "{code:?}");
    }
}
