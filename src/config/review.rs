//! Which settings get a log line or stop the start, whatever their values' types say.

use crate::error::ConfigError;
use crate::key::{Key, KeyType, Support};
use crate::keys::{self, extra::Foreign};
use crate::load::{Notice, NoticeLevel, Setting, Settings};
use crate::value;

/// Notices in the order of the keys, or the first setting that must not be passed over in silence.
pub(crate) fn review(settings: &Settings) -> Result<Vec<Notice>, ConfigError> {
    let mut notices = Vec::new();
    let mut unknown = Vec::new();
    let mut vendor = Vec::new();
    for (name, setting) in settings {
        if let Some(key) = known_key(name) {
            let is_open = is_open_authorizer(key, setting, settings);
            notices.extend(if is_open {
                Some(open_authorizer(setting))
            } else {
                review_known(key, name, setting)?
            });
            continue;
        }
        match keys::extra::foreign(name, &setting.value) {
            Some(Foreign::Quiet) => {}
            Some(Foreign::Vendor) => vendor.push(name.as_str()),
            Some(Foreign::Ignored(reason)) => {
                notices.push(warn(format!("{name} ({}) is ignored: {reason}", setting.source)));
            }
            Some(Foreign::Refused(reason)) => {
                return Err(refused(name, &setting.value, reason).with_source(Some(&setting.source)));
            }
            None => unknown.push(describe_unknown(name, setting)),
        }
    }
    if !unknown.is_empty() {
        notices.push(warn(format!(
            "These configurations were supplied but are not known, and are ignored: {}",
            unknown.join(", ")
        )));
    }
    if !vendor.is_empty() {
        let text = format!("Settings of other products are ignored: {}", vendor.join(", "));
        notices.push(Notice { level: NoticeLevel::Info, text });
    }
    Ok(notices)
}

fn warn(text: String) -> Notice {
    Notice { level: NoticeLevel::Warn, text }
}

/// The key of a setting, looking behind `listener.name.{listener}.[{mechanism}.]`.
fn known_key(name: &str) -> Option<&'static Key> {
    keys::broker_key(name)
        .or_else(|| keys::synonyms_with_listeners(name).into_iter().find_map(keys::broker_key))
}

fn review_known(key: &Key, name: &str, setting: &Setting) -> Result<Option<Notice>, ConfigError> {
    let value = setting.value.trim();
    let is_default = is_default(key, value);
    Ok(match key.support {
        Support::Honoured | Support::Accepted => {
            check_plug_ins(key, name, setting)?;
            no_effect(key, value).map(|reason| warn(format!("{name}={value} ({}) {reason}", setting.source)))
        }
        Support::Ignored if is_default => None,
        Support::Ignored => Some(warn(format!("{name} ({}) is ignored: {}", setting.source, key.doc))),
        Support::Refused if is_default || is_known_plug_in(key, value) => None,
        Support::Refused => return Err(refusal(key, name, value).with_source(Some(&setting.source))),
    })
}

/// Kafka's own authorizers, of now and of ZooKeeper's days.
const AUTHORIZERS: &[&str] = &[
    "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "kafka.security.authorizer.AclAuthorizer",
    "kafka.security.auth.SimpleAclAuthorizer",
];

/// Whether access control is on and lets everyone do everything as long as there is no ACL, which there cannot be: none
/// can be created, and a directory that holds some is refused.
fn is_open_authorizer(key: &Key, setting: &Setting, settings: &Settings) -> bool {
    let everyone = settings.get("allow.everyone.if.no.acl.found");
    key.name == "authorizer.class.name"
        && AUTHORIZERS.contains(&setting.value.trim())
        && everyone.is_some_and(|everyone| everyone.value.trim().eq_ignore_ascii_case("true"))
}

fn open_authorizer(setting: &Setting) -> Notice {
    warn(format!(
        "authorizer.class.name ({}) has no effect: ACLs cannot be created yet, and without any \
         allow.everyone.if.no.acl.found=true lets everyone in",
        setting.source
    ))
}

fn is_default(key: &Key, text: &str) -> bool {
    value::parse(key, text).is_ok_and(|value| value == value::default_value(key))
}

/// Accepted keys whose value suggests an effect that does not come.
fn no_effect(key: &Key, value: &str) -> Option<&'static str> {
    match key.name {
        "group.share.enable" if value.eq_ignore_ascii_case("true") => {
            Some("has no effect: share groups cannot be served yet")
        }
        _ => None,
    }
}

/// Classes whose behaviour is built in, so that naming them changes nothing.
const KNOWN_PLUG_INS: &[(&str, &[&str])] = &[
    (
        "replica.selector.class",
        &[
            "org.apache.kafka.common.replica.RackAwareReplicaSelector",
            "org.apache.kafka.common.replica.LeaderSelector",
        ],
    ),
    ("sasl.login.callback.handler.class", OAUTH_LOGIN),
    (
        "sasl.server.callback.handler.class",
        &[
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
            "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
        ],
    ),
    (
        "group.consumer.assignors",
        &[
            "uniform",
            "range",
            "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
            "org.apache.kafka.coordinator.group.assignor.RangeAssignor",
        ],
    ),
    ("group.share.assignors", &["simple", "org.apache.kafka.coordinator.group.assignor.SimpleAssignor"]),
];

const OAUTH_LOGIN: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler",
];

fn known_plug_ins(key: &Key) -> &'static [&'static str] {
    KNOWN_PLUG_INS.iter().find(|(name, _)| *name == key.name).map_or(&[], |(_, classes)| classes)
}

fn is_known_plug_in(key: &Key, value: &str) -> bool {
    value.is_empty() || known_plug_ins(key).contains(&value)
}

/// Lists of plug-ins among the honoured keys: each entry must be built in.
fn check_plug_ins(key: &Key, name: &str, setting: &Setting) -> Result<(), ConfigError> {
    let known = known_plug_ins(key);
    if known.is_empty() || key.kind != KeyType::List {
        return Ok(());
    }
    match value::split_list(&setting.value).iter().find(|item| !known.contains(&item.as_str())) {
        Some(item) => Err(class_refusal(key, name, item).with_source(Some(&setting.source))),
        None => Ok(()),
    }
}

/// The error for a key of the class "refused" whose value is not the default.
fn refusal(key: &Key, name: &str, value: &str) -> ConfigError {
    match key.name {
        "authorizer.class.name" => refused(
            name,
            value,
            "access control cannot be served yet, and starting without it would let everyone do everything; remove the \
             key to run without access control",
        ),
        "remote.log.storage.system.enable" => refused(
            name,
            value,
            "tiered storage cannot be served yet; set it to false and keep all segments on local disks",
        ),
        _ => class_refusal(key, name, value),
    }
}

/// Kafka's own complaint about a class that is not there, and what is.
fn class_refusal(key: &Key, name: &str, value: &str) -> ConfigError {
    let known = known_plug_ins(key);
    let built_in: Vec<&str> =
        key.default.iter().chain(known).copied().filter(|text| !text.is_empty()).collect();
    let choice = if built_in.is_empty() {
        "remove the key".to_owned()
    } else {
        format!("built in: {}", built_in.join(", "))
    };
    let reason = format!("Class {value} could not be found. No Java classes can be loaded here; {choice}");
    ConfigError::invalid(name, value, reason)
}

/// Checks a plug-in that is named while the broker runs.
pub(crate) fn check_dynamic_plug_in(key: &Key, name: &str, value: &str) -> Result<(), ConfigError> {
    let value = value.trim();
    if key.support == Support::Refused && !is_default(key, value) && !is_known_plug_in(key, value) {
        return Err(refusal(key, name, value));
    }
    Ok(())
}

fn refused(name: &str, value: &str, reason: &str) -> ConfigError {
    ConfigError::Refused {
        key: name.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
        source_of_value: None,
    }
}

fn describe_unknown(name: &str, setting: &Setting) -> String {
    match suggestion(name) {
        Some(known) => format!("{name} ({}; did you mean {known}?)", setting.source),
        None => format!("{name} ({})", setting.source),
    }
}

/// The closest known key, if it is close.
fn suggestion(name: &str) -> Option<&'static str> {
    let typos_max = (name.len() / 5).clamp(1, 4);
    keys::broker_keys()
        .filter(|key| !key.internal)
        .map(|key| (edit_distance(name, key.name), key.name))
        .min()
        .filter(|(distance, _)| *distance <= typos_max)
        .map(|(_, known)| known)
}

/// Levenshtein distance in bytes, for suggestions. Names of more than 128 bytes are like nothing: the work stays bounded.
pub fn edit_distance(a: &str, b: &str) -> usize {
    const BYTES_MAX: usize = 128;
    if a.len() > BYTES_MAX || b.len() > BYTES_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, byte_a) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, byte_b) in row.iter().skip(1).zip(b.bytes()) {
            let replaced = diagonal + usize::from(byte_a != byte_b);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
