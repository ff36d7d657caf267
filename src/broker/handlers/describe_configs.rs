//! DescribeConfigs: settings of topics, brokers, groups, client metrics subscriptions and loggers (`ConfigHelper`).

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{ConfigEntry, ConfigSource, describe};
use controller::ApiError;
use controller::image::{ConfigResource, ConfigResourceType};
use model::ErrorCode;
use wire::StrBytes;
use wire::messages::describe_configs_request::DescribeConfigsResource;
use wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use wire::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::answer::{INVALID_REQUEST_TEXT, code_and_text, text};
use crate::context::{Broker, RequestContext};

/// Answers a DescribeConfigs request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let kind = |resource: &DescribeConfigsResource| ConfigResourceType::from_id(resource.resource_type);
    let all_known =
        request.resources.iter().all(|resource| !matches!(kind(resource), ConfigResourceType::Unknown(_)));
    let results = request.resources.iter().map(|resource| {
        let described = if all_known {
            entries(broker, kind(resource), &resource.resource_name)
        } else {
            // One resource of an unknown type makes Kafka refuse the whole request.
            Err(ApiError::new(ErrorCode::InvalidRequest, INVALID_REQUEST_TEXT))
        };
        result(&request, resource, described)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn entries(
    broker: &Broker,
    kind: ConfigResourceType,
    name: &str,
) -> Result<Option<Vec<ConfigEntry>>, ApiError> {
    let view = broker.metadata.view();
    let layers = view.layers();
    let overrides = || {
        let resource = ConfigResource { resource_type: kind, name: name.to_owned() };
        view.image().configs().of(&resource).map(|configs| BTreeMap::clone(configs)).unwrap_or_default()
    };
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::InvalidRequest, message));
    match kind {
        ConfigResourceType::Topic => {
            model::topic_name::validate(name)
                .map_err(|error| ApiError::new(ErrorCode::InvalidTopicException, error.to_string()))?;
            if view.image().topic(name).is_none() {
                return Ok(None);
            }
            Ok(Some(describe::topic(layers, &overrides())))
        }
        ConfigResourceType::Broker if name.is_empty() => Ok(Some(describe::broker_default(layers))),
        ConfigResourceType::Broker => {
            let expected = format!("{} or empty string,", broker.node_id);
            check_broker_id(broker, name, &expected)?;
            Ok(Some(describe::broker(layers)))
        }
        ConfigResourceType::BrokerLogger if name.is_empty() => invalid("Broker id must not be empty"),
        ConfigResourceType::BrokerLogger => {
            check_broker_id(broker, name, &broker.node_id.to_string())?;
            Ok(Some(super::broker_loggers::describe()))
        }
        ConfigResourceType::ClientMetrics if name.is_empty() => {
            invalid("Client metrics subscription name must not be empty")
        }
        ConfigResourceType::ClientMetrics => Ok(Some(describe::client_metrics(&overrides()))),
        ConfigResourceType::Group if name.is_empty() => invalid("Group name must not be empty"),
        ConfigResourceType::Group => Ok(Some(describe::group(layers, &overrides()))),
        ConfigResourceType::Unknown(_) => invalid(INVALID_REQUEST_TEXT),
    }
}

fn check_broker_id(broker: &Broker, name: &str, expected: &str) -> Result<(), ApiError> {
    let refusal = match name.parse::<i32>() {
        Ok(id) if id == broker.node_id.value() => return Ok(()),
        Ok(_) => format!("Unexpected broker id, expected {expected} but received {name}"),
        Err(_) => format!("Broker id must be an integer, but it is: {name}"),
    };
    Err(ApiError::new(ErrorCode::InvalidRequest, refusal))
}

fn result(
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    described: Result<Option<Vec<ConfigEntry>>, ApiError>,
) -> DescribeConfigsResult {
    let answer = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    match described {
        Ok(Some(entries)) => {
            let wanted = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
            let is_wanted =
                |entry: &ConfigEntry| wanted.is_none_or(|keys| keys.iter().any(|key| **key == *entry.name));
            let configs = entries.into_iter().filter(is_wanted).map(|entry| shown(request, entry));
            answer.with_configs(configs.collect())
        }
        Ok(None) => answer.with_error_code(ErrorCode::UnknownTopicOrPartition.code()),
        Err(error) => {
            let (code, message) = code_and_text(Some(error));
            answer.with_error_code(code).with_error_message(message)
        }
    }
}

fn shown(request: &DescribeConfigsRequest, entry: ConfigEntry) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.into_iter().filter(|_| request.include_synonyms).map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(synonym.value.map(text))
            .with_source(synonym.source.id())
    });
    // Of loggers, Kafka leaves the schema's default, which is empty and not null.
    let documentation = match entry.source {
        ConfigSource::DynamicBrokerLogger => Some(StrBytes::new()),
        _ => entry.documentation.filter(|_| request.include_documentation).map(text),
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(entry.name))
        .with_value(entry.value.map(text))
        .with_read_only(entry.is_read_only)
        .with_config_source(entry.source.id())
        .with_is_sensitive(entry.is_sensitive)
        .with_synonyms(synonyms.collect())
        .with_config_type(entry.config_type.id())
        .with_documentation(documentation)
}
