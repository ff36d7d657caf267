//! UpdateFeatures: finalizes feature levels (KIP-584).

use std::sync::Arc;

use controller::command::{FeatureUpdate, UpdateFeatures};
use controller::{ApiError, Command, Reply};
use wire::messages::update_features_response::UpdatableFeatureResult;
use wire::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::answer::{code_and_text, text};
use crate::context::{Broker, RequestContext};

/// Answers an UpdateFeatures request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let updates = request.feature_updates.iter().map(|update| FeatureUpdate {
        name: update.feature.to_string(),
        level: update.max_version_level,
        upgrade_type: update.upgrade_type,
    });
    let command = Command::UpdateFeatures(UpdateFeatures {
        updates: updates.collect(),
        validate_only: request.validate_only,
    });
    let outcome = match broker.metadata.submit(command).await {
        Ok(Reply::UpdateFeatures(outcome)) => outcome,
        Ok(other) => unreachable!("UpdateFeatures was answered {other:?}"),
        Err(code) => Err(ApiError::silent(code)),
    };
    match outcome {
        Ok(()) => {
            let results = request.feature_updates.into_iter().map(|update| {
                // Kafka's text for "no error".
                UpdatableFeatureResult::default()
                    .with_feature(update.feature)
                    .with_error_message(Some(text("NONE")))
            });
            UpdateFeaturesResponse::default().with_error_message(None).with_results(results.collect())
        }
        Err(error) => {
            let (code, message) = code_and_text(Some(error));
            UpdateFeaturesResponse::default().with_error_code(code).with_error_message(message)
        }
    }
}
