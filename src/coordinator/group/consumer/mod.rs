//! Consumer groups (KIP-848): the broker assigns, and each member follows at its own pace.
//!
//! A group has an epoch, a target assignment of some epoch, and members on their way to it. What happens in which state
//! is the table of `docs/GROUPS.md`. Start reading at [`Group`], then `heartbeat`, `reconcile`, `fence`; `durable` is what
//! the log knows, and `migration` how a group changes its protocol.

mod alarms;
mod assignor;
mod classic_member;
mod describe;
mod durable;
mod embedded;
mod fence;
mod group;
mod hash;
mod heartbeat;
mod member;
mod membership;
mod migration;
mod reconcile;
mod regex;
mod subscriptions;
mod target;
#[cfg(test)]
mod tests;
mod validate;

pub(super) use alarms::AlarmChange;
pub use describe::{ConsumerGroupDescription, ConsumerMemberDescription, DescribedPartitions};
pub use group::Group;

/// The protocol type of consumers.
const PROTOCOL_TYPE: &str = "consumer";
