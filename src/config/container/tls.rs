//! `KAFKA_SSL_*_FILENAME` and `KAFKA_SSL_*_CREDENTIALS` of the `apache/kafka` and `cp-kafka` images: names of files under
//! one directory, which become locations and passwords.

use std::path::Path;

use super::Surroundings;
use crate::load::{Setting, Settings, Source};

const SECRETS: &str = "/etc/kafka/secrets";

/// The image's name, the property, and whether the property is the file's content.
const FROM_SECRETS: &[(&str, &str, bool)] = &[
    ("ssl.keystore.filename", "ssl.keystore.location", false),
    ("ssl.truststore.filename", "ssl.truststore.location", false),
    ("ssl.key.credentials", "ssl.key.password", true),
    ("ssl.keystore.credentials", "ssl.keystore.password", true),
    ("ssl.truststore.credentials", "ssl.truststore.password", true),
];

/// Only where TLS is advertised, as the images' scripts do it. A file that cannot be read is left to be missed by who
/// needs it.
pub(super) fn add_from_secrets(settings: &mut Settings, around: &Surroundings<'_>) {
    let advertised = settings.get("advertised.listeners").map_or("", |setting| setting.value.as_str());
    if !advertised.contains("SSL://") {
        return;
    }
    for (image_name, property, is_content) in FROM_SECRETS {
        let Some(Setting { value, source }) = settings.get(*image_name).cloned() else {
            continue;
        };
        if !matches!(source, Source::Environment { .. }) {
            continue;
        }
        let path = format!("{SECRETS}/{value}");
        let value = if *is_content {
            match (around.read_file)(Path::new(&path)) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned(),
                Err(_) => continue,
            }
        } else {
            path
        };
        settings.remove(*image_name);
        settings.insert((*property).to_owned(), Setting { value, source });
    }
}
