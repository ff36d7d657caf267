//! DescribeClientQuotas: the filter is checked as Kafka does, and no quota is ever found because none can be set
//! (`ClientQuotasImage.describe`).

use std::collections::HashSet;
use std::sync::Arc;

use controller::ApiError;
use model::ErrorCode;
use wire::messages::describe_client_quotas_request::ComponentData;
use wire::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::answer::code_and_text;
use crate::context::{Broker, RequestContext};

/// Answers a DescribeClientQuotas request.
pub async fn handle(
    _broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    match check(&request.components) {
        Ok(()) => DescribeClientQuotasResponse::default().with_entries(Some(Vec::new())),
        Err(error) => {
            let (code, message) = code_and_text(Some(error));
            DescribeClientQuotasResponse::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_entries(None)
        }
    }
}

fn check(components: &[ComponentData]) -> Result<(), ApiError> {
    let invalid = |text: String| Err(ApiError::new(ErrorCode::InvalidRequest, text));
    let mut types: HashSet<&str> = HashSet::new();
    for component in components {
        let entity_type = &*component.entity_type;
        if entity_type.is_empty() {
            return invalid("Invalid empty entity type.".to_owned());
        }
        if types.contains(entity_type) {
            return invalid(format!("Entity type {entity_type} cannot appear more than once in the filter."));
        }
        if !matches!(entity_type, IP | USER | CLIENT_ID) {
            let text = format!("Unsupported entity type {entity_type}");
            return Err(ApiError::new(ErrorCode::UnsupportedVersion, text));
        }
        match (component.match_type, &component._match) {
            (0, None) => {
                return invalid(
                    "Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned(),
                );
            }
            (1, Some(_)) => {
                return invalid(
                    "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.".to_owned(),
                );
            }
            (2, Some(_)) => {
                return invalid(
                    "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.".to_owned(),
                );
            }
            (0..=2, _) => {}
            (other, _) => return invalid(format!("Unknown match type {other}")),
        }
        types.insert(entity_type);
    }
    if types.contains(IP) && (types.contains(USER) || types.contains(CLIENT_ID)) {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or \
             clientId filter component."
                .to_owned(),
        );
    }
    Ok(())
}

const IP: &str = "ip";
const USER: &str = "user";
const CLIENT_ID: &str = "client-id";

#[cfg(test)]
mod tests {
    use wire::StrBytes;

    use super::*;

    fn component(entity_type: &'static str, match_type: i8, value: Option<&'static str>) -> ComponentData {
        ComponentData::default()
            .with_entity_type(StrBytes::from_static_str(entity_type))
            .with_match_type(match_type)
            .with_match(value.map(StrBytes::from_static_str))
    }

    #[test]
    fn filters_are_checked() {
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[component("user", 0, Some("a")), component("client-id", 2, None)]), Ok(()));
        let code = |components: &[ComponentData]| check(components).unwrap_err().code;
        assert_eq!(code(&[component("", 0, Some("a"))]), ErrorCode::InvalidRequest);
        assert_eq!(code(&[component("host", 0, Some("a"))]), ErrorCode::UnsupportedVersion);
        assert_eq!(code(&[component("user", 0, None)]), ErrorCode::InvalidRequest);
        assert_eq!(code(&[component("user", 3, None)]), ErrorCode::InvalidRequest);
        assert_eq!(
            code(&[component("user", 1, None), component("user", 2, None)]),
            ErrorCode::InvalidRequest
        );
        assert_eq!(code(&[component("user", 1, None), component("ip", 1, None)]), ErrorCode::InvalidRequest);
    }
}
