//! Keystores and JAAS files, recognised by what is in them: a name or `ssl.keystore.type` says little. Apache's own
//! `*.jks` are PKCS12.
//!
//! Listeners that need them are refused; these sentences say what of the user's was found, so that nobody looks for a
//! wrong path or password.

use std::path::Path;

use crate::error::ConfigError;
use crate::load::Settings;
use crate::providers::ReadFile;

mod jaas;

/// Adds to the refusal of a listener what its keystores and JAAS files are.
pub(crate) fn tell_what_is_there(
    error: ConfigError,
    settings: &Settings,
    environment: &[(String, String)],
    read_file: ReadFile<'_>,
) -> ConfigError {
    let ConfigError::Refused { key, value, reason, source_of_value } = error else {
        return error;
    };
    let mut told = vec![reason];
    if key == "listeners" {
        told.extend(stores(settings, read_file));
        told.extend(jaas_file(environment, read_file));
    }
    ConfigError::Refused { key, value, reason: told.join("; "), source_of_value }
}

fn stores(settings: &Settings, read_file: ReadFile<'_>) -> Vec<String> {
    const STORES: &[&str] = &["ssl.keystore.location", "ssl.truststore.location"];
    let is_store = |key: &str| STORES.iter().any(|store| key.ends_with(store));
    let describe = |(key, setting): (&String, &crate::load::Setting)| {
        let (path, source) = (setting.value.trim(), &setting.source);
        let content = match read_file(Path::new(path)) {
            Ok(bytes) => StoreFormat::of(&bytes).name().to_owned(),
            Err(reason) => format!("cannot be read: {reason}"),
        };
        format!("{key}={path} ({source}) {content}")
    };
    settings.iter().filter(|(key, _)| is_store(key)).map(describe).collect()
}

/// The JAAS file that Java would be pointed to by `KAFKA_OPTS`.
fn jaas_file(environment: &[(String, String)], read_file: ReadFile<'_>) -> Option<String> {
    const OPTION: &str = "-Djava.security.auth.login.config=";
    let (_, options) = environment.iter().find(|(name, _)| name == "KAFKA_OPTS")?;
    let path = options.split_whitespace().find_map(|option| option.strip_prefix(OPTION))?;
    let path = path.trim_matches(['"', '\'']);
    Some(match read_file(Path::new(path)) {
        Ok(bytes) => match jaas::entries(&String::from_utf8_lossy(&bytes)) {
            Ok(entries) => format!("{path} (KAFKA_OPTS) is a JAAS file with {}", list(&entries)),
            Err(reason) => format!("{path} (KAFKA_OPTS) is not a JAAS file: {reason}"),
        },
        Err(reason) => format!("{path} (KAFKA_OPTS) cannot be read: {reason}"),
    })
}

fn list(entries: &[jaas::Entry]) -> String {
    let told: Vec<String> =
        entries.iter().map(|entry| format!("{} ({})", entry.name, entry.modules.join(", "))).collect();
    if told.is_empty() { "no entry".to_owned() } else { told.join(", ") }
}

/// What a file of keys or certificates is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreFormat {
    Jks,
    Jceks,
    Pkcs12,
    Pem,
    Unknown,
}

impl StoreFormat {
    /// By the first bytes. A PKCS12 file is one DER sequence, so its first byte is 0x30 and the second a length.
    fn of(bytes: &[u8]) -> Self {
        const PEM: &[u8] = b"-----BEGIN ";
        match bytes {
            [0xfe, 0xed, 0xfe, 0xed, ..] => Self::Jks,
            [0xce, 0xce, 0xce, 0xce, ..] => Self::Jceks,
            [0x30, 0x80..=0x84, ..] => Self::Pkcs12,
            _ if bytes.windows(PEM.len()).any(|window| window == PEM) => Self::Pem,
            _ => Self::Unknown,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Jks => "is a JKS store",
            Self::Jceks => "is a JCEKS store",
            Self::Pkcs12 => "is a PKCS12 store",
            Self::Pem => "is a PEM file",
            Self::Unknown => "is neither JKS nor PKCS12 nor PEM",
        }
    }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
