//! `UpdateFeatures`: a flag became three kinds of update (KIP-584, KIP-778).

use kafka_protocol::messages::UpdateFeaturesRequest;

const UPGRADE_TYPE_FROM: i16 = 1;
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

pub(crate) fn upgrade(request: &mut UpdateFeaturesRequest, version: i16) {
    if version >= UPGRADE_TYPE_FROM {
        return;
    }
    for update in &mut request.feature_updates {
        let downgrade = std::mem::take(&mut update.allow_downgrade);
        update.upgrade_type = if downgrade { SAFE_DOWNGRADE } else { UPGRADE };
    }
}
