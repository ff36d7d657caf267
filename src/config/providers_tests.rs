use super::*;
use crate::load::{Inputs, Loaded, load, load_with};

const CLASSES: &str = "org.apache.kafka.common.config.provider.";

fn start(overrides: &[&str]) -> Result<Loaded, ConfigError> {
    let mut all = vec![
        "config.providers=env, files,dir".to_owned(),
        format!("config.providers.env.class={CLASSES}EnvVarConfigProvider"),
        format!("config.providers.files.class={CLASSES}FileConfigProvider"),
        format!("config.providers.dir.class={CLASSES}DirectoryConfigProvider"),
    ];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    let environment = [("RACK".to_owned(), "r1".to_owned()), ("PORT".to_owned(), "9192".to_owned())];
    let inputs = Inputs { environment: &environment, overrides: &all, ..Inputs::default() };
    load_with(&inputs, &|path| match path.to_str() {
        Some("/secrets/all.properties") => Ok(b"rack = r2\nrack=r3\n".to_vec()),
        Some("/secrets/rack") => Ok(b"r4".to_vec()),
        _ => Err("No such file or directory".to_owned()),
    })
}

fn rack(text: &str) -> String {
    start(&[&format!("broker.rack={text}")]).unwrap().broker.identity.rack.unwrap()
}

#[test]
fn providers_give_values() {
    assert_eq!(rack("${env:RACK}"), "r1");
    assert_eq!(rack("a-${env:RACK}-${files:/secrets/all.properties:rack}-b"), "a-r1-r3-b");
    assert_eq!(rack("${files:/x/../secrets/./all.properties:rack}"), "r3");
    assert_eq!(rack("${dir:/secrets:rack}"), "r4");
    let listeners = start(&["listeners=PLAINTEXT://:${env:PORT}"]).unwrap().broker.listeners;
    assert_eq!(listeners.broker[0].port, 9192);
}

#[test]
fn what_is_no_variable_stays() {
    for text in ["$", "${", "${}", "${env}", "${other:X}", "{env:RACK}", "${env:RACK", "$${x"] {
        assert_eq!(rack(text), text);
    }
    assert_eq!(rack("${other:${env:RACK}"), "${other:${env:RACK}");
}

#[test]
fn what_a_provider_lacks_stays_with_a_warning() {
    let loaded = start(&["broker.rack=${env:NOPE}"]).unwrap();
    assert_eq!(loaded.broker.identity.rack.as_deref(), Some("${env:NOPE}"));
    let texts: Vec<_> = loaded.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(texts, ["broker.rack (--override) keeps ${env:NOPE}, which its provider does not have"]);
    // In a value that must be a number it then stops the start, by name.
    let error = start(&["num.partitions=${env:NOPE}"]).unwrap_err().to_string();
    assert!(error.starts_with("Invalid value ${env:NOPE} for configuration num.partitions:"), "{error}");
}

#[test]
fn unreadable_files_and_foreign_classes_stop_the_start() {
    let error = start(&["broker.rack=${files:/gone:rack}"]).unwrap_err().to_string();
    assert!(error.contains("Could not read properties from file /gone: No such file"), "{error}");
    let error = start(&["broker.rack=${dir:/secrets:gone}"]).unwrap_err().to_string();
    assert!(error.contains("Could not read file /secrets/gone"), "{error}");
    let error = start(&["config.providers.env.class=org.example.Vault"]).unwrap_err().to_string();
    assert!(error.contains("Could not load config provider class"), "{error}");
    let error = start(&["config.providers.env.param.allowlist.pattern=R.*"]).unwrap_err().to_string();
    assert!(error.contains("only .* is supported"), "{error}");
}

#[test]
fn paths_outside_the_allowed_ones_give_nothing() {
    let allowed = "config.providers.files.param.allowed.paths=/secrets, /other";
    let value = |path: &str| {
        let rack = format!("broker.rack=${{files:{path}:rack}}");
        start(&[allowed, &rack]).unwrap().broker.identity.rack.unwrap()
    };
    assert_eq!(value("/secrets/all.properties"), "r3");
    assert_eq!(value("/secrets/../etc/all.properties"), "${files:/secrets/../etc/all.properties:rack}");
    assert_eq!(value("/secretsx/all.properties"), "${files:/secretsx/all.properties:rack}");
    assert_eq!(rack("${dir:/secrets:../secrets/rack}"), "${dir:/secrets:../secrets/rack}");
}

#[test]
fn without_providers_nothing_is_replaced() {
    let overrides = ["broker.rack=${env:RACK}".to_owned()];
    let loaded = load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap();
    assert_eq!(loaded.broker.identity.rack.as_deref(), Some("${env:RACK}"));
}
