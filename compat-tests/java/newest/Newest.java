import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.NoReassignmentInProgressException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/** What only a current kafka-clients can ask. */
final class Newest {
    private Newest() {}

    static void register() {
        Harness.test("incremental-configs", Newest::incrementalConfigs);
        Harness.test("config-synonyms", Newest::configSynonyms);
        Harness.test("broker-dynamic-configs", Newest::brokerDynamicConfigs);
        Harness.test("list-offsets", Newest::listOffsets);
        Harness.test("describe-topics-by-id", Newest::describeTopicsById);
        Harness.test("describe-topics-in-pages", Newest::describeTopicsInPages);
        Harness.test("delete-topics-by-id", Newest::deleteTopicsById);
        Harness.test("describe-producers", Newest::describeProducers);
        Harness.test("quorum", Newest::quorum);
        Harness.test("features", Newest::features);
        Harness.test("elect-leaders", Newest::electLeaders);
        Harness.test("reassignments", Newest::reassignments);
        Harness.test("config-resources", Newest::configResources);
        Harness.test("log-dir-details", Newest::logDirDetails);
        Harness.test("client-quotas", Newest::clientQuotas);
        Harness.test("cluster-details", Newest::clusterDetails);
    }

    private static void alter(ConfigResource resource, AlterConfigOp... ops) throws Exception {
        Suite.ADMIN.incrementalAlterConfigs(Map.of(resource, Arrays.asList(ops))).all().get();
    }

    private static AlterConfigOp op(String key, String value, AlterConfigOp.OpType kind) {
        return new AlterConfigOp(new ConfigEntry(key, value), kind);
    }

    private static void incrementalConfigs() throws Exception {
        String t = Suite.create(Harness.topic("incremental"), 1, "retention.ms", "1000");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, t);
        alter(resource, op("max.message.bytes", "5000", AlterConfigOp.OpType.SET), op("cleanup.policy", "compact", AlterConfigOp.OpType.APPEND));
        becomes(resource, "cleanup.policy", "delete,compact");
        becomes(resource, "max.message.bytes", "5000");
        becomes(resource, "retention.ms", "1000");
        alter(resource, op("retention.ms", null, AlterConfigOp.OpType.DELETE), op("cleanup.policy", "delete", AlterConfigOp.OpType.SUBTRACT));
        becomes(resource, "cleanup.policy", "compact");
        becomes(resource, "retention.ms", "604800000");
        for (AlterConfigOp bad : List.of(
                op("retention.ms", "x", AlterConfigOp.OpType.SET),
                op("no.such.key", "1", AlterConfigOp.OpType.SET),
                op("retention.ms", "1", AlterConfigOp.OpType.APPEND))) {
            Harness.refused(InvalidConfigurationException.class, () -> {
                alter(resource, bad);
                return null;
            });
        }
        Harness.refused(UnknownTopicOrPartitionException.class, () -> {
            alter(new ConfigResource(ConfigResource.Type.TOPIC, Harness.topic("absent")), op("retention.ms", "1", AlterConfigOp.OpType.SET));
            return null;
        });
    }

    private static void becomes(ConfigResource resource, String key, String value) throws Exception {
        Harness.eventually(key + " is " + value, () -> value.equals(Suite.configs(resource.type(), resource.name()).get(key).value()));
    }

    private static void configSynonyms() throws Exception {
        String t = Suite.create(Harness.topic("synonyms"), 1, "retention.ms", "777");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, t);
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        ConfigEntry entry = Suite.ADMIN.describeConfigs(Set.of(resource), options).all().get().get(resource).get("max.message.bytes");
        Harness.equal(entry.type(), ConfigEntry.ConfigType.INT, "type");
        Harness.equal(entry.documentation().isEmpty(), false, "documentation is empty");
        Harness.equal(entry.synonyms().get(0).name(), "message.max.bytes", "synonym");
        Harness.equal(entry.synonyms().get(0).source(), ConfigEntry.ConfigSource.DEFAULT_CONFIG, "source of the synonym");
        ConfigEntry retention = Suite.ADMIN.describeConfigs(Set.of(resource), options).all().get().get(resource).get("retention.ms");
        Harness.equal(retention.synonyms().get(0).name(), "retention.ms", "first synonym");
        Harness.equal(retention.synonyms().get(0).source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
    }

    private static void brokerDynamicConfigs() throws Exception {
        String node = Suite.ADMIN.describeCluster().nodes().get().iterator().next().idString();
        for (String name : new String[] {node, ""}) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, name);
            ConfigResource described = new ConfigResource(ConfigResource.Type.BROKER, node);
            alter(resource, op("log.cleaner.backoff.ms", "14000", AlterConfigOp.OpType.SET));
            becomes(described, "log.cleaner.backoff.ms", "14000");
            ConfigEntry.ConfigSource source = name.isEmpty()
                    ? ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG
                    : ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG;
            Harness.equal(Suite.configs(described.type(), node).get("log.cleaner.backoff.ms").source(), source, "source");
            alter(resource, op("log.cleaner.backoff.ms", null, AlterConfigOp.OpType.DELETE));
            becomes(described, "log.cleaner.backoff.ms", "15000");
        }
        Harness.refused(org.apache.kafka.common.errors.ApiException.class, () -> {
            alter(new ConfigResource(ConfigResource.Type.BROKER, node), op("log.dirs", "/elsewhere", AlterConfigOp.OpType.SET));
            return null;
        });
    }

    private static void listOffsets() throws Exception {
        String t = Suite.create(Harness.topic("list-offsets"), 1);
        long start = System.currentTimeMillis() - 50_000;
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (long delta : new long[] {0, 900, 300}) records.add(new ProducerRecord<>(t, 0, start + delta, null, new byte[1]));
        Suite.produce(records);
        TopicPartition place = new TopicPartition(t, 0);
        Object[][] wanted = {
            {OffsetSpec.earliest(), 0L, -1L},
            {OffsetSpec.latest(), 3L, -1L},
            {OffsetSpec.maxTimestamp(), 1L, start + 900},
            {OffsetSpec.forTimestamp(start + 200), 1L, start + 900},
            {OffsetSpec.forTimestamp(start + 901), -1L, -1L},
            {OffsetSpec.earliestLocal(), 0L, -1L},
            {OffsetSpec.latestTiered(), -1L, -1L},
        };
        for (Object[] row : wanted) {
            ListOffsetsResultInfo found = Suite.ADMIN.listOffsets(Map.of(place, (OffsetSpec) row[0])).partitionResult(place).get();
            Harness.equal(found.offset(), row[1], row[0].getClass().getSimpleName());
            Harness.equal(found.timestamp(), row[2], row[0].getClass().getSimpleName() + " time");
        }
    }

    private static void describeTopicsById() throws Exception {
        String t = Suite.create(Harness.topic("by-id"), 2);
        Uuid id = Suite.describe(t).topicId();
        TopicDescription described = Suite.ADMIN.describeTopics(TopicCollection.ofTopicIds(Set.of(id))).topicIdValues().get(id).get();
        Harness.equal(described.name(), t, "name");
        Harness.equal(described.partitions().size(), 2, "partitions");
        Uuid unknown = Uuid.randomUuid();
        Harness.refused(
                UnknownTopicIdException.class,
                () -> Suite.ADMIN.describeTopics(TopicCollection.ofTopicIds(Set.of(unknown))).topicIdValues().get(unknown).get());
    }

    private static void describeTopicsInPages() throws Exception {
        String t = Suite.create(Harness.topic("pages"), 25);
        DescribeTopicsOptions options = new DescribeTopicsOptions().partitionSizeLimitPerResponse(10);
        TopicDescription described = Suite.ADMIN.describeTopics(Set.of(t), options).topicNameValues().get(t).get();
        Harness.equal(described.partitions().size(), 25, "partitions");
        for (int n = 0; n < 25; n++) Harness.equal(described.partitions().get(n).partition(), n, "partition");
    }

    private static void deleteTopicsById() throws Exception {
        String t = Suite.create(Harness.topic("delete-by-id"), 1);
        Uuid id = Suite.describe(t).topicId();
        Suite.ADMIN.deleteTopics(TopicCollection.ofTopicIds(Set.of(id))).all().get();
        Harness.eventually("gone", () -> Suite.partitionCount(t) == 0);
        Harness.refused(
                UnknownTopicIdException.class, () -> Suite.ADMIN.deleteTopics(TopicCollection.ofTopicIds(Set.of(id))).all().get());
    }

    private static void describeProducers() throws Exception {
        String t = Suite.create(Harness.topic("producers"), 1);
        Suite.produce(Suite.records(t, Harness.rows(10, 1)), "enable.idempotence", "true", "acks", "all");
        TopicPartition place = new TopicPartition(t, 0);
        List<ProducerState> states = Suite.ADMIN.describeProducers(Set.of(place)).partitionResult(place).get().activeProducers();
        Harness.equal(states.size(), 1, "producers");
        Harness.equal(states.get(0).lastSequence(), 9, "last sequence");
        Harness.equal(states.get(0).producerEpoch(), 0, "epoch");
    }

    private static void quorum() throws Exception {
        int node = Suite.ADMIN.describeCluster().nodes().get().iterator().next().id();
        QuorumInfo quorum = Suite.ADMIN.describeMetadataQuorum().quorumInfo().get();
        Harness.equal(quorum.leaderId(), node, "leader");
        Harness.equal(quorum.voters().size(), 1, "voters");
        Harness.equal(quorum.voters().get(0).replicaId(), node, "voter");
        Harness.equal(quorum.highWatermark() > 0, true, "high watermark above 0");
    }

    private static void features() throws Exception {
        FeatureMetadata features = Suite.ADMIN.describeFeatures().featureMetadata().get();
        Harness.equal(features.finalizedFeatures().containsKey("metadata.version"), true, "metadata.version finalized");
        Harness.equal(features.supportedFeatures().containsKey("metadata.version"), true, "metadata.version supported");
        Harness.equal(features.finalizedFeaturesEpoch().isPresent(), true, "epoch");
    }

    private static void electLeaders() throws Exception {
        TopicPartition place = new TopicPartition(Suite.create(Harness.topic("elect"), 1), 0);
        Optional<Throwable> outcome =
                Suite.ADMIN.electLeaders(ElectionType.PREFERRED, Set.of(place)).partitions().get().get(place);
        Harness.equal(outcome.map(Throwable::getClass).orElse(null), ElectionNotNeededException.class, "outcome");
        TopicPartition absent = new TopicPartition(Harness.topic("absent"), 0);
        outcome = Suite.ADMIN.electLeaders(ElectionType.PREFERRED, Set.of(absent)).partitions().get().get(absent);
        Harness.equal(outcome.map(Throwable::getClass).orElse(null), UnknownTopicOrPartitionException.class, "outcome for no topic");
    }

    private static void reassignments() throws Exception {
        TopicPartition place = new TopicPartition(Suite.create(Harness.topic("reassign"), 1), 0);
        int node = Suite.ADMIN.describeCluster().nodes().get().iterator().next().id();
        Harness.equal(Suite.ADMIN.listPartitionReassignments().reassignments().get().size(), 0, "reassignments");
        Suite.ADMIN.alterPartitionReassignments(Map.of(place, Optional.of(new NewPartitionReassignment(List.of(node))))).all().get();
        Harness.refused(
                InvalidReplicaAssignmentException.class,
                () -> Suite.ADMIN.alterPartitionReassignments(Map.of(place, Optional.of(new NewPartitionReassignment(List.of(node + 77))))).all().get());
        Harness.refused(
                NoReassignmentInProgressException.class,
                () -> Suite.ADMIN.alterPartitionReassignments(Map.of(place, Optional.empty())).all().get());
    }

    private static void configResources() throws Exception {
        String t = Suite.create(Harness.topic("resources"), 1);
        String node = Suite.ADMIN.describeCluster().nodes().get().iterator().next().idString();
        Collection<ConfigResource> all = Suite.ADMIN.listConfigResources().all().get();
        Harness.equal(all.contains(new ConfigResource(ConfigResource.Type.TOPIC, t)), true, "the topic is listed");
        Harness.equal(all.contains(new ConfigResource(ConfigResource.Type.BROKER, node)), true, "the broker is listed");
    }

    private static void logDirDetails() throws Exception {
        String t = Suite.create(Harness.topic("log-dir"), 1);
        Suite.produce(Suite.records(t, Harness.rows(100, 1)));
        int node = Suite.ADMIN.describeCluster().nodes().get().iterator().next().id();
        var dirs = Suite.ADMIN.describeLogDirs(Set.of(node)).allDescriptions().get().get(node);
        var info = dirs.values().stream().flatMap(d -> d.replicaInfos().entrySet().stream())
                .filter(e -> e.getKey().topic().equals(t)).findFirst().get().getValue();
        Harness.equal(info.size() > 1000, true, "size");
        Harness.equal(info.isFuture(), false, "future");
        Harness.equal(dirs.values().iterator().next().totalBytes().getAsLong() > 0, true, "bytes of the volume");
    }

    private static void clientQuotas() throws Exception {
        Harness.equal(Suite.ADMIN.describeClientQuotas(ClientQuotaFilter.all()).entities().get(), Collections.emptyMap(), "quotas");
    }

    private static void clusterDetails() throws Exception {
        var cluster = Suite.ADMIN.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true).includeFencedBrokers(true));
        Harness.equal(cluster.nodes().get().size(), 1, "nodes");
        Harness.equal(cluster.authorizedOperations().get().size() > 3, true, "authorized operations");
    }
}
