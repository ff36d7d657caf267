//! What handlers see: an image together with the configuration it leads to.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::dynamic::Scope;
use config::{BrokerConfig, Layers};
use controller::Image;
use controller::image::ConfigResource;
use model::BrokerId;

use crate::partition::TopicSettings;

/// Is called with each view before it is published, so that whoever finds something in the metadata finds it working.
pub struct Follower(Box<dyn Fn(&View) + Send + Sync>);

impl Follower {
    /// Calls `follow` on the metadata thread, which must not be kept waiting.
    pub fn new(follow: impl Fn(&View) + Send + Sync + 'static) -> Self {
        Self(Box::new(follow))
    }

    /// Does nothing.
    pub fn none() -> Self {
        Self::new(|_view| {})
    }

    pub(super) fn follow(&self, view: &View) {
        (self.0)(view);
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}

/// One consistent state of the metadata. A value: it never changes.
#[derive(Clone, Debug)]
pub struct View {
    image: Arc<Image>,
    layers: Arc<Layers>,
    config: Arc<BrokerConfig>,
}

impl View {
    /// What an image without records means.
    pub(super) fn empty(layers: Layers, config: BrokerConfig) -> Self {
        Self { image: Arc::default(), layers: Arc::new(layers), config: Arc::new(config) }
    }

    /// The metadata.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Static and dynamic settings of this broker.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The typed configuration in force, dynamic settings included.
    pub fn config(&self) -> &Arc<BrokerConfig> {
        &self.config
    }

    /// The view of a later image. Dynamic settings that this broker cannot take, as another version may have left
    /// them in the log, are said in the log and left out.
    pub(super) fn with_image(&self, image: Arc<Image>, own: BrokerId) -> Self {
        let dynamic = |image: &Image, resource: &ConfigResource| {
            image.configs().of(resource).map(|settings| BTreeMap::clone(settings)).unwrap_or_default()
        };
        let (all, one) = (ConfigResource::all_brokers(), ConfigResource::broker(own));
        let (default, broker) = (dynamic(&image, &all), dynamic(&image, &one));
        if default == dynamic(&self.image, &all) && broker == dynamic(&self.image, &one) {
            return Self { image, ..self.clone() };
        }
        let default = valid(Scope::ClusterDefault, &default);
        let broker = valid(Scope::Broker, &broker);
        let layers = self.layers.with_dynamic(default, broker);
        match layers.resolve() {
            Ok(config) => Self { image, layers: Arc::new(layers), config: Arc::new(config) },
            Err(error) => {
                tracing::warn!(target: "ottla.metadata", "dynamic broker settings are not applied: {error}");
                Self { image, ..self.clone() }
            }
        }
    }

    /// The settings of a topic's partitions.
    pub(super) fn topic_settings(&self, name: &str) -> TopicSettings {
        let overrides = self.image.configs().of_topic(name).map(|overrides| BTreeMap::clone(overrides));
        let overrides = overrides.unwrap_or_default();
        let defaults = &self.config.topics.defaults;
        let topic = defaults.resolve(&overrides).unwrap_or_else(|_| {
            // What an older or newer version has left behind must not keep the partitions from opening.
            let mut legal = overrides;
            legal.retain(|key, value| {
                let alone = BTreeMap::from([(key.clone(), value.clone())]);
                defaults
                    .resolve(&alone)
                    .inspect_err(|error| tracing::warn!(target: "ottla.metadata", "a config of topic {name} is ignored: {error}"))
                    .is_ok()
            });
            defaults.resolve(&legal).unwrap_or_else(|_| defaults.config())
        });
        TopicSettings::resolve(&topic, &self.config.transactions)
    }
}

fn valid(scope: Scope, settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (valid, complaints) = config::dynamic::retain_valid(scope, settings);
    for complaint in complaints {
        tracing::warn!(target: "ottla.metadata", "{complaint}");
    }
    valid
}
