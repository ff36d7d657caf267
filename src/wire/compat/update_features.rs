//! `UpdateFeatures`: a flag became three kinds of update (KIP-584, KIP-778).

use kafka_protocol::messages::UpdateFeaturesRequest;

const UPGRADE_TYPE_FROM: i16 = 1;
const UPGRADE: i8 = 1;

/// Kafka's controller looks at the kind of the update alone, so that the flag of the first version allows nothing.
pub(crate) fn upgrade(request: &mut UpdateFeaturesRequest, version: i16) {
    if version >= UPGRADE_TYPE_FROM {
        return;
    }
    for update in &mut request.feature_updates {
        update.allow_downgrade = false;
        update.upgrade_type = UPGRADE;
    }
}
