//! `kafka-run-class`: the tools by the names of their Java classes.

use crate::terminal::{Stop, Terminal};

/// Runs the tool whose class is named.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let Some((class, rest)) = named(arguments) else {
        return Err(Stop::Told {
            message: "USAGE: kafka-run-class [-daemon] [-name servicename] [-loggc] classname [opts]"
                .to_owned(),
            detail: String::new(),
        });
    };
    let tool = CLASSES.iter().find(|(known, _)| *known == class).map(|(_, tool)| *tool);
    let Some(tool) = tool else {
        return Err(Stop::Error(format!("{class} needs a JVM: there is no native tool for this class.")));
    };
    let built = crate::TOOLS.iter().find(|(name, _)| *name == tool);
    built.map_or_else(|| Err(Stop::not_built(tool)), |(_, run)| run(rest, terminal))
}

/// The arguments of the broker, where its class is the one that is named.
pub(crate) fn starts_broker(arguments: &[String]) -> Option<&[String]> {
    named(arguments).filter(|(class, _)| *class == BROKER).map(|(_, rest)| rest)
}

/// The class behind the script's own options, and its arguments.
fn named(arguments: &[String]) -> Option<(&str, &[String])> {
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        match first.as_str() {
            "-name" => rest = behind.get(1..).unwrap_or_default(),
            "-loggc" | "-daemon" => rest = behind,
            class => return Some((class, behind)),
        }
    }
    None
}

const BROKER: &str = "kafka.Kafka";

/// The class of each tool.
const CLASSES: &[(&str, &str)] = &[
    ("kafka.admin.ConfigCommand", "kafka-configs"),
    ("kafka.tools.DumpLogSegments", "kafka-dump-log"),
    ("kafka.tools.StorageTool", "kafka-storage"),
    ("org.apache.kafka.connect.cli.ConnectDistributed", "connect-distributed"),
    ("org.apache.kafka.connect.cli.ConnectStandalone", "connect-standalone"),
    ("org.apache.kafka.connect.mirror.MirrorMaker", "connect-mirror-maker"),
    ("org.apache.kafka.shell.MetadataShell", "kafka-metadata-shell"),
    ("org.apache.kafka.tools.AclCommand", "kafka-acls"),
    ("org.apache.kafka.tools.BrokerApiVersionsCommand", "kafka-broker-api-versions"),
    ("org.apache.kafka.tools.ClientMetricsCommand", "kafka-client-metrics"),
    ("org.apache.kafka.tools.ClusterTool", "kafka-cluster"),
    ("org.apache.kafka.tools.ConsoleProducer", "kafka-console-producer"),
    ("org.apache.kafka.tools.ConsumerPerformance", "kafka-consumer-perf-test"),
    ("org.apache.kafka.tools.DelegationTokenCommand", "kafka-delegation-tokens"),
    ("org.apache.kafka.tools.DeleteRecordsCommand", "kafka-delete-records"),
    ("org.apache.kafka.tools.DumpLogSegments", "kafka-dump-log"),
    ("org.apache.kafka.tools.EndToEndLatency", "kafka-e2e-latency"),
    ("org.apache.kafka.tools.FeatureCommand", "kafka-features"),
    ("org.apache.kafka.tools.GetOffsetShell", "kafka-get-offsets"),
    ("org.apache.kafka.tools.GroupsCommand", "kafka-groups"),
    ("org.apache.kafka.tools.JmxTool", "kafka-jmx"),
    ("org.apache.kafka.tools.LeaderElectionCommand", "kafka-leader-election"),
    ("org.apache.kafka.tools.LogDirsCommand", "kafka-log-dirs"),
    ("org.apache.kafka.tools.MetadataQuorumCommand", "kafka-metadata-quorum"),
    ("org.apache.kafka.tools.ProducerPerformance", "kafka-producer-perf-test"),
    ("org.apache.kafka.tools.ReplicaVerificationTool", "kafka-replica-verification"),
    ("org.apache.kafka.tools.ShareConsumerPerformance", "kafka-share-consumer-perf-test"),
    ("org.apache.kafka.tools.StreamsResetter", "kafka-streams-application-reset"),
    ("org.apache.kafka.tools.TopicCommand", "kafka-topics"),
    ("org.apache.kafka.tools.TransactionsCommand", "kafka-transactions"),
    ("org.apache.kafka.tools.VerifiableConsumer", "kafka-verifiable-consumer"),
    ("org.apache.kafka.tools.VerifiableProducer", "kafka-verifiable-producer"),
    ("org.apache.kafka.tools.VerifiableShareConsumer", "kafka-verifiable-share-consumer"),
    ("org.apache.kafka.tools.consumer.ConsoleConsumer", "kafka-console-consumer"),
    ("org.apache.kafka.tools.consumer.ConsoleShareConsumer", "kafka-console-share-consumer"),
    ("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "kafka-consumer-groups"),
    ("org.apache.kafka.tools.consumer.group.ShareGroupCommand", "kafka-share-groups"),
    ("org.apache.kafka.tools.streams.StreamsGroupCommand", "kafka-streams-groups"),
    ("org.apache.kafka.trogdor.coordinator.CoordinatorClient", "trogdor"),
    ("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "kafka-reassign-partitions"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_stands_behind_the_scripts_options() {
        let arguments = ["-name", "x", "-loggc", "kafka.Kafka", "server.properties"].map(str::to_owned);
        assert_eq!(starts_broker(&arguments).unwrap(), ["server.properties"]);
        assert_eq!(starts_broker(&["kafka.tools.StorageTool".to_owned()]), None);
        assert_eq!(named(&[]), None);
    }

    #[test]
    fn every_class_leads_to_a_tool() {
        for (class, tool) in CLASSES {
            let is_known =
                crate::TOOLS.iter().any(|(name, _)| name == tool) || crate::NOT_BUILT.contains(tool);
            assert!(is_known, "{class}");
        }
    }
}
