import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What user interfaces written in Java ask a cluster for at their start and for their pages, and whether they are told what is so. */
final class Uis {
    static final int PARTITIONS = 3;
    static final long PRODUCED = 30, BILLED = 10, SHIPPED = 25;
    static final String ORDERS = System.getenv("ORDERS"), BILLING = System.getenv("BILLING"), SHIPPING = System.getenv("SHIPPING"),
            ARCHIVE = System.getenv("ARCHIVE");
    static final List<TopicPartition> PLACES =
            IntStream.range(0, PARTITIONS).mapToObj(n -> new TopicPartition(ORDERS, n)).collect(Collectors.toList());

    private Uis() {}

    public static void main(String[] arguments) throws Exception {
        try (Admin admin = Admin.create(properties(arguments[0] + "-admin"))) {
            if (arguments[0].equals("kafbat")) kafbat(admin);
            else akhq(admin);
        } catch (Throwable error) {
            System.out.println(error);
            for (StackTraceElement at : error.getStackTrace()) if (at.getFileName() != null && at.getFileName().equals("Uis.java")) System.out.println(at);
            System.exit(1);
        }
        // Its threads are daemons.
        System.exit(0);
    }

    static Properties properties(String id) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        properties.put("client.id", id);
        return properties;
    }

    static <T> T told(KafkaFuture<T> future) throws Exception {
        return future.get(30, java.util.concurrent.TimeUnit.SECONDS);
    }

    static void equal(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) throw new AssertionError(what + ": want " + want + ", got " + got);
    }

    static void holds(boolean so, String what) {
        if (!so) throw new AssertionError(what);
    }

    /** kafka-ui of kafbat: the start, the statistics that it gathers every half minute, and its page of messages. */
    static void kafbat(Admin admin) throws Exception {
        DescribeClusterResult first = admin.describeCluster();
        int controller = told(first.controller()).id();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(controller));
        Config settings = told(admin.describeConfigs(List.of(broker)).all()).get(broker);
        equal(settings.get("delete.topic.enable").value(), "true", "delete.topic.enable");
        FeatureMetadata features = told(admin.describeFeatures().featureMetadata());
        holds(features.finalizedFeatures().get("metadata.version").maxVersionLevel() > 0, "metadata.version is told");
        securityIsOff(admin);

        DescribeClusterResult cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
        told(KafkaFuture.allOf(cluster.controller(), cluster.clusterId(), cluster.nodes(), cluster.authorizedOperations()));
        QuorumInfo quorum = told(admin.describeMetadataQuorum().quorumInfo());
        equal(quorum.leaderId(), controller, "the leader of the quorum");
        equal(quorum.voters().size(), 1, "voters");

        logDirectories(admin, told(cluster.nodes()));
        Set<String> groups = groups(admin);
        Set<String> topics = told(admin.listTopics(new ListTopicsOptions().listInternal(true)).names());
        holds(topics.contains(ORDERS) && topics.contains("__consumer_offsets"), "topics are listed: " + topics);
        Map<String, TopicDescription> described = new HashMap<>();
        for (Map.Entry<String, KafkaFuture<TopicDescription>> topic : admin.describeTopics(topics).topicNameValues().entrySet()) {
            described.put(topic.getKey(), told(topic.getValue()));
        }
        equal(described.get(ORDERS).partitions().size(), PARTITIONS, "partitions");
        List<ConfigResource> resources = topics.stream().map(Uis::topic).collect(Collectors.toList());
        DescribeConfigsOptions all = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        Map<ConfigResource, Config> configs = told(admin.describeConfigs(resources, all).all());
        equal(configs.size(), topics.size(), "topics whose configuration is told");
        holds(!configs.get(topic(ORDERS)).get("cleanup.policy").synonyms().isEmpty(), "synonyms are told");
        Map<TopicPartition, Long> newest = offsets(admin, described.values(), OffsetSpec.latest());
        Map<TopicPartition, Long> earliest = offsets(admin, described.values(), OffsetSpec.earliest());
        for (TopicPartition place : PLACES) {
            equal(newest.get(place), PRODUCED, "end of " + place);
            equal(earliest.get(place), place.partition() == 0 ? 5L : 0L, "start of " + place);
        }
        describedGroups(admin, groups);
        Map<String, Map<TopicPartition, OffsetAndMetadata>> committed = told(admin.listConsumerGroupOffsets(
                groups.stream().collect(Collectors.toMap(group -> group, group -> new ListConsumerGroupOffsetsSpec()))).all());
        equal(lag(committed.get(BILLING), newest), PARTITIONS * (PRODUCED - BILLED), "lag of the classic group");
        equal(lag(committed.get(SHIPPING), newest), PARTITIONS * (PRODUCED - SHIPPED), "lag of the group of KIP-848");
        equal(lag(committed.get(ARCHIVE), newest), 0L, "lag of the group that has only committed");
        told(admin.describeProducers(PLACES).all());
        told(admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
        kafbatMessages();
    }

    /** The newest messages, as its emitter that goes backwards reads them. */
    static void kafbatMessages() {
        Properties properties = properties("kafbat-ui-consumer");
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("allow.auto.create.topics", "false");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> places = consumer.partitionsFor(ORDERS).stream()
                    .map(info -> new TopicPartition(ORDERS, info.partition())).collect(Collectors.toList());
            equal(new HashSet<>(places), new HashSet<>(PLACES), "partitions of the topic");
            consumer.offsetsForTimes(places.stream().collect(Collectors.toMap(place -> place, place -> 0L)))
                    .forEach((place, offset) -> equal(offset.offset(), place.partition() == 0 ? 5L : 0L, "first offset of " + place));
            Map<TopicPartition, Long> ends = consumer.endOffsets(places);
            consumer.assign(places);
            places.forEach(place -> consumer.seek(place, ends.get(place) - 10));
            Set<String> read = new HashSet<>();
            for (long deadline = System.nanoTime() + 30_000_000_000L; !consumer.paused().containsAll(places); ) {
                holds(System.nanoTime() < deadline, "the messages come, so far " + read);
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) read.add(new String(record.value()));
                places.stream().filter(place -> consumer.position(place) >= ends.get(place)).forEach(place -> consumer.pause(List.of(place)));
            }
            equal(read, expected(10), "the newest messages");
        }
    }

    /** AKHQ: its pages of nodes, topics, groups and one topic's messages. */
    static void akhq(Admin admin) throws Exception {
        DescribeClusterResult cluster = admin.describeCluster();
        told(cluster.clusterId());
        Collection<Node> nodes = told(cluster.nodes());
        told(cluster.controller());
        Collection<TopicListing> listed = told(admin.listTopics(new ListTopicsOptions().listInternal(true)).listings());
        holds(listed.stream().anyMatch(topic -> topic.name().equals("__consumer_offsets") && topic.isInternal()), "internal topics are listed");
        List<String> names = listed.stream().map(TopicListing::name).collect(Collectors.toList());
        equal(told(admin.describeTopics(names).allTopicNames()).get(ORDERS).partitions().get(0).isr().size(), 1, "replicas in sync");
        logDirectories(admin, nodes);
        describedGroups(admin, groups(admin));
        Map<TopicPartition, OffsetAndMetadata> committed = told(admin.listConsumerGroupOffsets(BILLING).partitionsToOffsetAndMetadata());
        equal(committed.get(PLACES.get(2)).offset(), BILLED, "a committed offset");
        equal(told(admin.describeConfigs(List.of(topic(ORDERS))).all()).get(topic(ORDERS)).get("cleanup.policy").value(), "delete", "cleanup.policy");
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(nodes.iterator().next().id()));
        holds(told(admin.describeConfigs(List.of(broker)).all()).get(broker).get("log.dirs") != null, "the node's configuration is told");
        securityIsOff(admin);

        Properties properties = properties("akhq-consumer");
        properties.put("max.poll.records", "50");
        properties.put("enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<TopicPartition, Long> ends = consumer.endOffsets(PLACES);
            equal(consumer.offsetsForTimes(PLACES.stream().collect(Collectors.toMap(place -> place, place -> 0L))).size(), PARTITIONS, "first offsets");
            consumer.assign(PLACES);
            ends.forEach((place, end) -> consumer.seek(place, Math.max(0, end - 2)));
            Set<String> read = new HashSet<>();
            for (long deadline = System.nanoTime() + 30_000_000_000L; read.size() < 2 * PARTITIONS; ) {
                holds(System.nanoTime() < deadline, "the messages come, so far " + read);
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) read.add(new String(record.value()));
            }
            equal(read, expected(2), "the last messages");
        }
    }

    static ConfigResource topic(String name) {
        return new ConfigResource(ConfigResource.Type.TOPIC, name);
    }

    static Set<String> expected(long each) {
        Set<String> out = new HashSet<>();
        for (TopicPartition place : PLACES) {
            for (long n = PRODUCED - each; n < PRODUCED; n++) out.add("{\"order\": " + n + ", \"of\": " + place.partition() + "}");
        }
        return out;
    }

    /** Both take this error, and no other, for a cluster without ACLs. */
    static void securityIsOff(Admin admin) throws Exception {
        try {
            told(admin.describeAcls(AclBindingFilter.ANY).values());
            throw new AssertionError("ACLs are told");
        } catch (ExecutionException error) {
            equal(error.getCause().getClass(), SecurityDisabledException.class, "what is said of ACLs");
        }
    }

    static void logDirectories(Admin admin, Collection<Node> nodes) throws Exception {
        Map<Integer, Map<String, LogDirDescription>> directories =
                told(admin.describeLogDirs(nodes.stream().map(Node::id).collect(Collectors.toList())).allDescriptions());
        long replicas = 0;
        for (LogDirDescription directory : directories.values().iterator().next().values()) {
            holds(directory.error() == null && directory.totalBytes().getAsLong() > 0, "the size of the log directory is told");
            replicas += directory.replicaInfos().entrySet().stream().filter(info -> info.getKey().topic().equals(ORDERS) && info.getValue().size() > 0).count();
        }
        equal(replicas, (long) PARTITIONS, "replicas in log directories");
    }

    @SuppressWarnings("deprecation")
    static Set<String> groups(Admin admin) throws Exception {
        Set<String> groups = told(admin.listConsumerGroups().all()).stream().map(group -> group.groupId()).collect(Collectors.toSet());
        holds(groups.containsAll(List.of(BILLING, SHIPPING, ARCHIVE)), "groups are listed: " + groups);
        return groups;
    }

    static void describedGroups(Admin admin, Set<String> groups) throws Exception {
        Map<String, ConsumerGroupDescription> described = told(admin.describeConsumerGroups(new ArrayList<>(groups)).all());
        for (String group : List.of(BILLING, SHIPPING)) {
            equal(described.get(group).groupState(), GroupState.STABLE, "state of " + group);
            equal(described.get(group).members().iterator().next().assignment().topicPartitions(), new HashSet<>(PLACES), "what a member of " + group + " has");
        }
        equal(described.get(ARCHIVE).groupState(), GroupState.EMPTY, "state of " + ARCHIVE);
    }

    static Map<TopicPartition, Long> offsets(Admin admin, Collection<TopicDescription> topics, OffsetSpec which) throws Exception {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        topics.forEach(topic -> topic.partitions().forEach(info -> asked.put(new TopicPartition(topic.name(), info.partition()), which)));
        return told(admin.listOffsets(asked).all()).entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().offset()));
    }

    static long lag(Map<TopicPartition, OffsetAndMetadata> committed, Map<TopicPartition, Long> ends) {
        return committed.entrySet().stream().mapToLong(entry -> ends.get(entry.getKey()) - entry.getValue().offset()).sum();
    }
}
