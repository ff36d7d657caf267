//! The random values the controller needs from outside, because it may not draw any itself.

use model::TopicId;
use model::ids::uuid_to_base64;
use uuid::Uuid;

/// A fresh id, as `Uuid.randomUuid` draws them: none of the reserved ones, and not one that begins with a dash,
/// which command lines would take for an option.
pub fn uuid() -> Uuid {
    loop {
        let drawn = Uuid::new_v4();
        if !uuid_to_base64(drawn).starts_with('-') {
            return drawn;
        }
    }
}

/// An id for a new topic.
pub fn topic_id() -> TopicId {
    TopicId::new(uuid())
}

/// A seed for the placement of replicas.
pub fn placement_seed() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}
