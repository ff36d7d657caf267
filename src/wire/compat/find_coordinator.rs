//! `FindCoordinator`: one key before version 4, many since (KIP-699).

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use model::ErrorCode;

const MANY_KEYS_FROM: i16 = 4;
/// Coordinators of share groups (KIP-932).
const SHARE_FROM: i16 = 6;
const KEY_TYPE_SHARE: i8 = 2;

pub(crate) fn upgrade(
    request: &mut FindCoordinatorRequest,
    version: i16,
) -> Result<(), Box<FindCoordinatorResponse>> {
    if version < MANY_KEYS_FROM {
        request.coordinator_keys = vec![std::mem::take(&mut request.key)];
    }
    if version < SHARE_FROM && request.key_type == KEY_TYPE_SHARE {
        let refused = request.coordinator_keys.iter().map(|key| nobody(key, ErrorCode::InvalidRequest));
        let response = FindCoordinatorResponse::default().with_coordinators(refused.collect());
        return Err(Box::new(response));
    }
    Ok(())
}

pub(crate) fn downgrade(response: &mut FindCoordinatorResponse, version: i16) {
    if version >= MANY_KEYS_FROM {
        // The top-level fields are gone; nothing but a coordinator carries an outcome.
        response.error_code = 0;
        response.node_id = BrokerId(0);
        response.host = StrBytes::new();
        response.port = 0;
        return;
    }
    let Some(only) = std::mem::take(&mut response.coordinators).into_iter().next() else {
        return;
    };
    // Kafka's sentence for the outcome stands in the message also where nothing is wrong.
    let outcome = ErrorCode::from_code(only.error_code).sentence();
    response.error_code = only.error_code;
    let message = only.error_message.filter(|message| !message.is_empty());
    response.error_message = message.or(Some(StrBytes::from_static_str(outcome)));
    response.node_id = only.node_id;
    response.host = only.host;
    response.port = only.port;
}

fn nobody(key: &StrBytes, error: ErrorCode) -> Coordinator {
    Coordinator::default()
        .with_key(key.clone())
        .with_error_code(error.code())
        .with_node_id(BrokerId(-1))
        .with_port(-1)
}
