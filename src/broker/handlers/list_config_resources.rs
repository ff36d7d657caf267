//! ListConfigResources: what has or can have dynamic configs (KIP-1142).

use std::sync::Arc;

use controller::Image;
use controller::image::ConfigResourceType;
use model::ErrorCode;
use wire::messages::list_config_resources_response::ConfigResource;
use wire::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers a ListConfigResources request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let wanted: Vec<_> = request.resource_types.into_iter().map(ConfigResourceType::from_id).collect();
    if wanted.iter().any(|kind| matches!(kind, ConfigResourceType::Unknown(_))) {
        return ListConfigResourcesResponse::default().with_error_code(ErrorCode::UnsupportedVersion.code());
    }
    let image = broker.metadata.image();
    let resources = ORDER
        .into_iter()
        .filter(|kind| wanted.is_empty() || wanted.contains(kind))
        .flat_map(|kind| names(&image, kind).into_iter().map(move |name| (kind, name)))
        .map(|(kind, name)| {
            ConfigResource::default().with_resource_name(text(name)).with_resource_type(kind.id())
        })
        .collect();
    ListConfigResourcesResponse::default().with_config_resources(resources)
}

/// The order of Kafka's answer.
const ORDER: [ConfigResourceType; 5] = [
    ConfigResourceType::Group,
    ConfigResourceType::ClientMetrics,
    ConfigResourceType::BrokerLogger,
    ConfigResourceType::Broker,
    ConfigResourceType::Topic,
];

/// Topics and brokers exist by themselves; groups and subscriptions exist here once they have configs.
fn names(image: &Image, kind: ConfigResourceType) -> Vec<String> {
    match kind {
        ConfigResourceType::Topic => image.topics().iter().map(|topic| topic.name.to_string()).collect(),
        ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => {
            image.cluster().brokers().map(|broker| broker.id.to_string()).collect()
        }
        _ => image
            .configs()
            .iter()
            .filter(|(resource, _)| resource.resource_type == kind)
            .map(|(resource, _)| resource.name.clone())
            .collect(),
    }
}
