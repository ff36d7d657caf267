//! The bugs that can be planted, in one list: what is in the enum is looked for.

macro_rules! bugs {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// Something that a coordinator, its shell or a partition could do wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$about])* $name,)*
        }

        impl Bug {
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

bugs! {
    NoEpochCheck,
    NoVerification,
    NoBump,
    RepliesBeforeDurable,
    MarkersBeforeDurable,
    AcknowledgedUnwritten,
    AnyRound,
    IdsAgain,
    LoadedForgotten,
    FailureForgotten,
    MarkersOnce,
    LostForGood,
    AheadInAnyEpoch,
    LeftBehind,
    TakenAlong,
    OpenedUnseen,
    /// A marker is acknowledged before it is synced.
    AcknowledgedUnsynced,
    /// A record is.
    AnsweredUnsynced,
    /// A marker that a crash took is not written again.
    LostTakenForWritten,
    /// A leader that is loaded takes a snapshot of its producers that is newer than its log.
    SnapshotTooNew,
    /// Knows still who was being verified.
    GuardSurvives,
    /// Shows readers what is open.
    StableForgotten,
    /// Does not know that a transaction is open.
    StartForgotten,
    /// Takes a marker that it has.
    MarkerAgain,
    /// Takes a marker from a coordinator that has been replaced.
    CoordinatorForgotten,
    /// Does not know which transactions were aborted.
    AbortedForgotten,
    /// Takes any sequence.
    SequencesForgotten,
}
