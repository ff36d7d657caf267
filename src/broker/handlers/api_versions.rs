//! ApiVersions: what this broker speaks, and which features are supported and in force (KIP-35, KIP-584).

use std::sync::Arc;

use controller::feature::{KRAFT_VERSION, METADATA_VERSION};
use model::Offset;
use wire::StrBytes;
use wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse, FinalizedFeature, SupportedFeature};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers an ApiVersions request.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    if let Some(error) = request.refusal() {
        return ApiVersionsResponse::refused(error);
    }
    let served = if context.connection.is_controllers {
        ApiVersionsResponse::served_to_administrators()
    } else {
        ApiVersionsResponse::served()
    };
    let image = broker.metadata.image();
    let features = image.features();
    let supported_features = broker
        .metadata
        .supported_features()
        .iter()
        .map(|feature| SupportedFeature {
            name: text(&*feature.name),
            min_version: feature.min,
            // A directory of Kafka's may have finalized what this broker only keeps.
            max_version: feature.max.max(features.level(&feature.name)),
        })
        .collect();
    let version = features.metadata_version().map(|version| (METADATA_VERSION, version.level()));
    let others = features.finalized().iter().map(|(name, level)| (&**name, *level));
    let quorum = (KRAFT_VERSION, broker.metadata.quorum().kraft_version);
    ApiVersionsResponse {
        supported_features,
        finalized_features_epoch: image.offset().map_or(-1, Offset::value),
        finalized_features: version.into_iter().chain(others).chain([quorum]).map(finalized).collect(),
        ..served
    }
}

fn finalized((name, level): (&str, i16)) -> FinalizedFeature {
    FinalizedFeature {
        name: StrBytes::from_string(name.to_owned()),
        max_version_level: level,
        min_version_level: level,
    }
}
