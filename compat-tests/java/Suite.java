import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What every kafka-clients since 2.1 can do: produce, consume assigned partitions, administer. */
final class Suite {
    static final AdminClient ADMIN = AdminClient.create(with("bootstrap.servers", Harness.BOOTSTRAP));

    private Suite() {}

    public static void main(String[] args) throws Exception {
        for (String codec : Harness.CODECS) {
            Harness.test("codec-" + codec, () -> codec(codec));
            Harness.test("idempotent-" + codec, () -> idempotent(codec));
            Harness.test("large-records-" + codec, () -> largeRecords(codec));
        }
        for (String acks : new String[] {"0", "1", "all"}) Harness.test("acks-" + acks, () -> acks(acks));
        Harness.test("headers", Suite::headers);
        Harness.test("tombstones", Suite::tombstones);
        Harness.test("refused-records", Suite::refusedRecords);
        Harness.test("topic-is-created-by-the-first-record", Suite::autoCreation);
        Harness.test("unknown-topic-without-auto-creation", Suite::unknownTopic);
        Harness.test("timestamps", Suite::timestamps);
        Harness.test("recompressed-by-the-topic", Suite::recompressed);
        Harness.test("empty-topic", Suite::emptyTopic);
        Harness.test("consume-from-each-place", Suite::places);
        Harness.test("offset-out-of-range", Suite::outOfRange);
        Harness.test("waiting-consumer-gets-new-records", Suite::waitingConsumer);
        Harness.test("many-partitions", Suite::manyPartitions);
        Harness.test("describe-cluster", Suite::describeCluster);
        Harness.test("create-topics", Suite::createTopics);
        Harness.test("create-topic-refusals", Suite::createTopicRefusals);
        Harness.test("delete-topics", Suite::deleteTopics);
        Harness.test("add-partitions", Suite::addPartitions);
        Harness.test("topic-configs", Suite::topicConfigs);
        Harness.test("broker-configs", Suite::brokerConfigs);
        Harness.test("delete-records", Suite::deleteRecords);
        Harness.test("log-dirs", Suite::logDirs);
        Harness.test("acls-are-disabled", Suite::acls);
        try {
            Class.forName("Newest").getDeclaredMethod("register").invoke(null);
        } catch (ClassNotFoundException old) {
            // Only compiled with a current client.
        }
        Harness.main(args);
    }

    // --- produce and consume

    static Properties with(Object... pairs) {
        Properties out = new Properties();
        for (int n = 0; n < pairs.length; n += 2) out.put(pairs[n], pairs[n + 1]);
        return out;
    }

    static Properties and(Properties base, Object... pairs) {
        base.putAll(with(pairs));
        return base;
    }

    static ProducerRecord<byte[], byte[]> record(String topic, byte[] key, byte[] value) {
        return new ProducerRecord<>(topic, 0, key, value);
    }

    static List<ProducerRecord<byte[], byte[]>> records(String topic, List<byte[][]> rows) {
        return rows.stream().map(row -> record(topic, row[0], row[1])).collect(Collectors.toList());
    }

    static List<RecordMetadata> produce(List<ProducerRecord<byte[], byte[]>> records, Object... config) throws Exception {
        Properties properties = with("bootstrap.servers", Harness.BOOTSTRAP, "linger.ms", "5", "max.request.size", "3000000");
        properties.put("enable.idempotence", "false");
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(and(properties, config))) {
            List<Future<RecordMetadata>> sent = records.stream().map(producer::send).collect(Collectors.toList());
            producer.flush();
            List<RecordMetadata> out = new ArrayList<>();
            for (Future<RecordMetadata> one : sent) out.add(one.get());
            return out;
        }
    }

    static KafkaConsumer<byte[], byte[]> consumer(Object... config) {
        Properties properties = with("bootstrap.servers", Harness.BOOTSTRAP, "auto.offset.reset", "none", "fetch.max.wait.ms", "100");
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(and(properties, config));
    }

    /** Everything from `offset` (-2 the beginning, -1 the end) up to each partition's end, asked for beforehand. */
    static List<ConsumerRecord<byte[], byte[]>> consume(String topic, long offset, int partitions, Object... config) {
        try (KafkaConsumer<byte[], byte[]> reader = consumer(config)) {
            List<TopicPartition> places = new ArrayList<>();
            for (int n = 0; n < partitions; n++) places.add(new TopicPartition(topic, n));
            reader.assign(places);
            Map<TopicPartition, Long> ends = reader.endOffsets(places);
            if (offset == -2) reader.seekToBeginning(places);
            else if (offset == -1) reader.seekToEnd(places);
            else places.forEach(place -> reader.seek(place, offset));
            List<ConsumerRecord<byte[], byte[]>> out = new ArrayList<>();
            while (places.stream().anyMatch(place -> reader.position(place) < ends.get(place))) {
                reader.poll(Duration.ofSeconds(1)).forEach(out::add);
            }
            return out;
        }
    }

    static List<ConsumerRecord<byte[], byte[]>> consume(String topic) {
        return consume(topic, -2, 1);
    }

    static Object[] pairs(Collection<ConsumerRecord<byte[], byte[]>> records) {
        return records.stream().map(r -> new byte[][] {r.key(), r.value()}).toArray();
    }

    static String create(String name, int partitions, String... configs) throws Exception {
        create(new NewTopic(name, partitions, (short) 1).configs(map(configs)), false);
        Harness.eventually("partitions of " + name, () -> partitionCount(name) == partitions);
        return name;
    }

    static void create(NewTopic topic, boolean dry) throws Exception {
        ADMIN.createTopics(Collections.singleton(topic), new CreateTopicsOptions().validateOnly(dry)).all().get();
    }

    static Map<String, String> map(String... pairs) {
        Map<String, String> out = new HashMap<>();
        for (int n = 0; n < pairs.length; n += 2) out.put(pairs[n], pairs[n + 1]);
        return out;
    }

    static TopicDescription describe(String name) throws Exception {
        return Version.describe(ADMIN, name).get();
    }

    static int partitionCount(String name) throws Exception {
        try {
            return describe(name).partitions().size();
        } catch (java.util.concurrent.ExecutionException absent) {
            if (absent.getCause() instanceof UnknownTopicOrPartitionException) return 0;
            throw absent;
        }
    }

    private static void codec(String codec) throws Exception {
        String t = create(Harness.topic("codec-" + codec), 1);
        List<byte[][]> rows = Harness.rows(2000, 1);
        produce(records(t, rows), "compression.type", codec);
        Harness.equal(pairs(consume(t)), rows.toArray(), "records");
    }

    private static void idempotent(String codec) throws Exception {
        String t = create(Harness.topic("idempotent-" + codec), 1);
        List<byte[][]> rows = Harness.rows(1000, 2);
        List<RecordMetadata> sent =
                produce(records(t, rows), "enable.idempotence", "true", "acks", "all", "compression.type", codec, "batch.size", "2000");
        for (int n = 0; n < 1000; n++) Harness.equal(sent.get(n).offset(), (long) n, "offset");
        Harness.equal(pairs(consume(t)), rows.toArray(), "records");
    }

    private static void largeRecords(String codec) throws Exception {
        String t = create(Harness.topic("large-" + codec), 1);
        byte[] text = new byte[1_000_000];
        Arrays.fill(text, (byte) 'x');
        List<byte[][]> rows = Arrays.asList(
                new byte[][] {"random".getBytes(UTF_8), Harness.bytes(new Random(5), 1_000_000)},
                new byte[][] {"text".getBytes(UTF_8), text},
                new byte[][] {"last".getBytes(UTF_8), "x".getBytes(UTF_8)});
        produce(records(t, rows), "compression.type", codec);
        Harness.equal(pairs(consume(t)), rows.toArray(), "records");
        Harness.equal(pairs(consume(t, -2, 1, "max.partition.fetch.bytes", "1000")), rows.toArray(), "fetched in small steps");
    }

    private static void acks(String acks) throws Exception {
        String t = create(Harness.topic("acks-" + acks), 1);
        List<byte[][]> rows = Harness.rows(300, 3);
        produce(records(t, rows), "acks", acks);
        Harness.eventually("300 records", () -> consume(t).size() == 300);
        Harness.equal(pairs(consume(t)), rows.toArray(), "records");
    }

    private static void headers() throws Exception {
        String t = create(Harness.topic("headers"), 1);
        List<Header> sent = Arrays.asList(
                new RecordHeader("a", "1".getBytes(UTF_8)),
                new RecordHeader("b", new byte[0]),
                new RecordHeader("a", "2".getBytes(UTF_8)),
                new RecordHeader("null", (byte[]) null),
                new RecordHeader("ключ-鍵", Harness.everyByte()),
                new RecordHeader("", "empty key".getBytes(UTF_8)));
        produce(Arrays.asList(new ProducerRecord<>(t, 0, null, null, "v".getBytes(UTF_8), sent), record(t, null, "none".getBytes(UTF_8))));
        List<ConsumerRecord<byte[], byte[]>> got = consume(t);
        Harness.equal(Arrays.asList(got.get(0).headers().toArray()), sent, "headers");
        Harness.equal(got.get(1).headers().toArray().length, 0, "headers of the second record");
    }

    private static void tombstones() throws Exception {
        String t = create(Harness.topic("tombstones"), 1, "cleanup.policy", "compact");
        List<byte[][]> rows = Arrays.asList(
                new byte[][] {"a".getBytes(UTF_8), "1".getBytes(UTF_8)},
                new byte[][] {"a".getBytes(UTF_8), null},
                new byte[][] {new byte[0], null});
        produce(records(t, rows));
        Harness.equal(pairs(consume(t)), rows.toArray(), "records");
    }

    private static void refusedRecords() throws Exception {
        String compacted = create(Harness.topic("compacted"), 1, "cleanup.policy", "compact");
        // InvalidRecordException where the client knows it, UnknownServerException in 2.1.
        Harness.refused(KafkaException.class, () -> produce(records(compacted, Collections.singletonList(new byte[][] {null, new byte[1]}))));
        String small = create(Harness.topic("small"), 1, "max.message.bytes", "1000");
        byte[] value = Harness.bytes(new Random(1), 2000);
        Harness.refused(RecordTooLargeException.class, () -> produce(Collections.singletonList(record(small, null, value))));
        Harness.equal(consume(small).size(), 0, "records");
    }

    private static void autoCreation() throws Exception {
        String t = Harness.topic("auto");
        List<byte[][]> rows = Harness.rows(3, 1);
        produce(records(t, rows));
        Harness.equal(pairs(consume(t)), rows.toArray(), "records");
    }

    private static void unknownTopic() throws Exception {
        Harness.refused(UnknownTopicOrPartitionException.class, () -> describe(Harness.topic("missing")));
        String t = create(Harness.topic("narrow"), 1);
        Harness.refused(
                TimeoutException.class,
                () -> produce(Collections.singletonList(new ProducerRecord<>(t, 9, null, new byte[1])), "max.block.ms", "1500"));
    }

    private static void timestamps() throws Exception {
        long now = System.currentTimeMillis();
        String t = create(Harness.topic("create-time"), 1);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (long stamp : new long[] {now - 5000, now, now - 9000}) records.add(new ProducerRecord<>(t, 0, stamp, null, new byte[1]));
        produce(records);
        Harness.equal(
                consume(t).stream().map(ConsumerRecord::timestamp).collect(Collectors.toList()),
                Arrays.asList(now - 5000, now, now - 9000),
                "timestamps");
        for (String codec : new String[] {"none", "lz4"}) {
            String stamped = create(Harness.topic("append-time-" + codec), 1, "message.timestamp.type", "LogAppendTime");
            RecordMetadata sent = produce(
                            Collections.singletonList(new ProducerRecord<>(stamped, 0, 1000L, null, new byte[1])), "compression.type", codec)
                    .get(0);
            ConsumerRecord<byte[], byte[]> got = consume(stamped).get(0);
            Harness.equal(got.timestampType(), TimestampType.LOG_APPEND_TIME, "kind");
            Harness.equal(got.timestamp(), sent.timestamp(), "the answer's and the record's time");
            Harness.equal(Math.abs(got.timestamp() - now) < 60_000, true, "broker's own time");
        }
        String strict = create(Harness.topic("strict-time"), 1, "message.timestamp.before.max.ms", "10000");
        Harness.refused(
                KafkaException.class,
                () -> produce(Collections.singletonList(new ProducerRecord<>(strict, 0, now - 3_600_000, null, new byte[1]))));
    }

    private static void recompressed() throws Exception {
        for (String codec : new String[] {"uncompressed", "gzip", "snappy", "lz4", "zstd"}) {
            String t = create(Harness.topic("recompressed-" + codec), 1, "compression.type", codec);
            List<byte[][]> rows = Harness.rows(300, 4);
            produce(records(t, rows), "compression.type", codec.equals("gzip") ? "zstd" : "gzip");
            Harness.equal(pairs(consume(t)), rows.toArray(), codec);
        }
    }

    private static void emptyTopic() throws Exception {
        String t = create(Harness.topic("empty"), 2);
        Harness.equal(consume(t, -2, 2).size(), 0, "records");
        try (KafkaConsumer<byte[], byte[]> reader = consumer()) {
            TopicPartition place = new TopicPartition(t, 1);
            Harness.equal(reader.beginningOffsets(Collections.singleton(place)).get(place), 0L, "beginning");
            Harness.equal(reader.endOffsets(Collections.singleton(place)).get(place), 0L, "end");
            Harness.equal(reader.partitionsFor(t).size(), 2, "partitions");
        }
    }

    private static void places() throws Exception {
        String t = create(Harness.topic("places"), 1);
        long start = System.currentTimeMillis() - 100_000;
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        List<byte[][]> rows = Harness.rows(300, 5);
        for (int n = 0; n < 300; n++) records.add(new ProducerRecord<>(t, 0, start + n * 10L, rows.get(n)[0], rows.get(n)[1]));
        produce(records, "compression.type", "lz4", "batch.size", "1500");
        Harness.equal(pairs(consume(t)), rows.toArray(), "from the beginning");
        Harness.equal(consume(t, -1, 1).size(), 0, "from the end");
        for (int offset : new int[] {0, 1, 17, 64, 299}) {
            List<ConsumerRecord<byte[], byte[]>> got = consume(t, offset, 1);
            Harness.equal(got.get(0).offset(), (long) offset, "first offset");
            Harness.equal(pairs(got), rows.subList(offset, 300).toArray(), "from " + offset);
        }
        Harness.equal(consume(t, 300, 1).size(), 0, "from the log end");
        try (KafkaConsumer<byte[], byte[]> reader = consumer()) {
            TopicPartition place = new TopicPartition(t, 0);
            long[][] wanted = {{-1, 0}, {0, 0}, {1, 1}, {640, 64}, {2990, 299}, {2991, -1}};
            for (long[] pair : wanted) {
                OffsetAndTimestamp found = reader.offsetsForTimes(Collections.singletonMap(place, start + pair[0])).get(place);
                Harness.equal(found == null ? -1 : found.offset(), pair[1], "offset at " + pair[0]);
                if (found != null) Harness.equal(found.timestamp(), start + pair[1] * 10, "its time");
            }
        }
    }

    private static void outOfRange() throws Exception {
        String t = create(Harness.topic("range"), 1);
        produce(records(t, Harness.rows(10, 1)));
        TopicPartition place = new TopicPartition(t, 0);
        try (KafkaConsumer<byte[], byte[]> reader = consumer()) {
            reader.assign(Collections.singleton(place));
            reader.seek(place, 50);
            Harness.refused(OffsetOutOfRangeException.class, () -> {
                for (int n = 0; n < 20; n++) reader.poll(Duration.ofSeconds(1));
                return "nothing";
            });
        }
        try (KafkaConsumer<byte[], byte[]> reader = consumer("auto.offset.reset", "earliest")) {
            reader.assign(Collections.singleton(place));
            reader.seek(place, 50);
            Harness.eventually("a reset", () -> {
                for (ConsumerRecord<byte[], byte[]> record : reader.poll(Duration.ofSeconds(1))) return record.offset() == 0;
                return false;
            });
        }
    }

    private static void waitingConsumer() throws Exception {
        String t = create(Harness.topic("tail"), 1);
        try (KafkaConsumer<byte[], byte[]> reader = consumer("fetch.max.wait.ms", "4000", "auto.offset.reset", "earliest")) {
            reader.assign(Collections.singleton(new TopicPartition(t, 0)));
            // Without a place, old clients ask for the committed offset of the empty group.
            reader.seekToBeginning(reader.assignment());
            Harness.equal(reader.poll(Duration.ofSeconds(1)).count(), 0, "records");
            long started = System.nanoTime();
            produce(records(t, Harness.rows(1, 1)));
            Harness.equal(reader.poll(Duration.ofSeconds(4)).count(), 1, "records");
            Harness.equal(System.nanoTime() - started < 2_000_000_000L, true, "woken before the wait was over");
        }
    }

    private static void manyPartitions() throws Exception {
        String t = create(Harness.topic("many"), 8);
        List<byte[][]> rows = Harness.rows(60, 6);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int p = 0; p < 8; p++) for (byte[][] row : rows) records.add(new ProducerRecord<>(t, p, row[0], row[1]));
        produce(records);
        List<ConsumerRecord<byte[], byte[]>> got = consume(t, -2, 8, "fetch.max.bytes", "5000", "max.partition.fetch.bytes", "2000");
        for (int p = 0; p < 8; p++) {
            int partition = p;
            Harness.equal(
                    pairs(got.stream().filter(r -> r.partition() == partition).collect(Collectors.toList())),
                    rows.toArray(),
                    "partition " + p);
        }
    }

    // --- administration

    private static void describeCluster() throws Exception {
        DescribeClusterResult cluster = ADMIN.describeCluster();
        Node node = cluster.nodes().get().iterator().next();
        Harness.equal(node.host() + ":" + node.port(), Harness.BOOTSTRAP, "address");
        Harness.equal(cluster.controller().get().id(), node.id(), "controller");
        Harness.equal(cluster.clusterId().get().length(), 22, "length of the cluster id");
    }

    private static void createTopics() throws Exception {
        String t = create(Harness.topic("plain"), 3);
        TopicDescription described = describe(t);
        int node = ADMIN.describeCluster().nodes().get().iterator().next().id();
        Harness.equal(described.isInternal(), false, "internal");
        for (TopicPartitionInfo partition : described.partitions()) {
            Harness.equal(partition.leader().id(), node, "leader");
            Harness.equal(partition.replicas().size(), 1, "replicas");
            Harness.equal(partition.isr().size(), 1, "in-sync replicas");
        }
        String assigned = Harness.topic("assigned");
        create(new NewTopic(assigned, Collections.singletonMap(0, Collections.singletonList(node))), false);
        Harness.eventually("the assigned topic", () -> partitionCount(assigned) == 1);
        String dry = Harness.topic("dry");
        create(new NewTopic(dry, 1, (short) 1), true);
        Harness.equal(ADMIN.listTopics().names().get().contains(dry), false, "a validated topic exists");
        Harness.equal(ADMIN.listTopics().names().get().contains(t), true, "listed");
    }

    private static void createTopicRefusals() throws Exception {
        String t = create(Harness.topic("exists"), 1);
        String bad = Harness.topic("bad");
        Harness.refused(TopicExistsException.class, () -> create(t, 1));
        Harness.refused(InvalidPartitionsException.class, () -> create(bad, 0));
        Harness.refused(InvalidTopicException.class, () -> create("bad name!", 1));
        Harness.refused(InvalidConfigurationException.class, () -> create(bad, 1, "no.such.key", "1"));
        Harness.refused(InvalidConfigurationException.class, () -> create(bad, 1, "retention.ms", "soon"));
        Harness.refused(InvalidConfigurationException.class, () -> create(bad, 1, "compression.type", "brotli"));
        Harness.refused(InvalidReplicationFactorException.class, () -> {
            create(new NewTopic(bad, 1, (short) 3), false);
            return null;
        });
        Harness.refused(InvalidReplicaAssignmentException.class, () -> {
            create(new NewTopic(bad, Collections.singletonMap(0, Collections.singletonList(77))), false);
            return null;
        });
        Harness.equal(ADMIN.listTopics().names().get().contains(bad), false, "a refused topic exists");
    }

    private static void deleteTopics() throws Exception {
        String t = create(Harness.topic("gone"), 1);
        produce(records(t, Harness.rows(10, 1)));
        ADMIN.deleteTopics(Collections.singleton(t)).all().get();
        Harness.eventually("gone", () -> partitionCount(t) == 0);
        create(t, 1);
        Harness.equal(consume(t).size(), 0, "records of the topic created again");
        Harness.refused(
                UnknownTopicOrPartitionException.class,
                () -> ADMIN.deleteTopics(Collections.singleton(Harness.topic("never"))).all().get());
    }

    private static void grow(String name, int count) throws Exception {
        ADMIN.createPartitions(Collections.singletonMap(name, NewPartitions.increaseTo(count))).all().get();
    }

    private static void addPartitions() throws Exception {
        String t = create(Harness.topic("grow"), 1);
        grow(t, 4);
        Harness.eventually("four partitions", () -> partitionCount(t) == 4);
        produce(Collections.singletonList(new ProducerRecord<>(t, 3, null, new byte[1])));
        Harness.equal(consume(t, -2, 4).size(), 1, "records");
        for (int count : new int[] {2, 4}) {
            Harness.refused(InvalidPartitionsException.class, () -> {
                grow(t, count);
                return null;
            });
        }
        Harness.refused(UnknownTopicOrPartitionException.class, () -> {
            grow(Harness.topic("nope"), 4);
            return null;
        });
    }

    static Config configs(ConfigResource.Type type, String name) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        return ADMIN.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
    }

    private static void topicConfigs() throws Exception {
        String t = create(Harness.topic("configs"), 1, "retention.ms", "12345");
        Config configs = configs(ConfigResource.Type.TOPIC, t);
        Harness.equal(configs.get("retention.ms").value(), "12345", "retention.ms");
        Harness.equal(configs.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
        Harness.equal(configs.get("max.message.bytes").value(), "1048588", "max.message.bytes");
        Harness.equal(configs.get("max.message.bytes").isDefault(), true, "a default");
        Harness.equal(configs.get("cleanup.policy").value(), "delete", "cleanup.policy");
        Harness.refused(
                UnknownTopicOrPartitionException.class, () -> configs(ConfigResource.Type.TOPIC, Harness.topic("absent")));
    }

    private static void brokerConfigs() throws Exception {
        String node = ADMIN.describeCluster().nodes().get().iterator().next().idString();
        Config configs = configs(ConfigResource.Type.BROKER, node);
        Harness.equal(configs.get("message.max.bytes").value(), "1048588", "message.max.bytes");
        Harness.equal(configs.get("node.id").isReadOnly(), true, "node.id is read-only");
        Harness.equal(configs.get("log.retention.hours").value(), "168", "log.retention.hours");
    }

    private static void deleteRecords() throws Exception {
        String t = create(Harness.topic("delete-records"), 1);
        List<byte[][]> rows = Harness.rows(100, 7);
        produce(records(t, rows), "batch.size", "800");
        TopicPartition place = new TopicPartition(t, 0);
        Harness.equal(deleteBefore(place, 37), 37L, "low watermark");
        Harness.equal(pairs(consume(t)), rows.subList(37, 100).toArray(), "records left");
        Harness.refused(OffsetOutOfRangeException.class, () -> consume(t, 36, 1));
        Harness.refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> deleteBefore(place, 101));
        Harness.equal(deleteBefore(place, -1), 100L, "low watermark after deleting all");
        Harness.equal(consume(t).size(), 0, "records");
    }

    private static long deleteBefore(TopicPartition place, long offset) throws Exception {
        return ADMIN.deleteRecords(Collections.singletonMap(place, RecordsToDelete.beforeOffset(offset)))
                .lowWatermarks()
                .get(place)
                .get()
                .lowWatermark();
    }

    private static void logDirs() throws Exception {
        String t = create(Harness.topic("log-dirs"), 1);
        produce(records(t, Harness.rows(100, 8)));
        int node = ADMIN.describeCluster().nodes().get().iterator().next().id();
        String text = Version.logDirs(ADMIN, node);
        Harness.equal(text.contains(t), true, "the topic in " + text.substring(0, Math.min(200, text.length())));
    }

    private static void acls() throws Exception {
        Harness.refused(SecurityDisabledException.class, () -> ADMIN.describeAcls(AclBindingFilter.ANY).values().get());
        Harness.refused(
                SecurityDisabledException.class,
                () -> ADMIN.deleteAcls(Collections.singleton(AclBindingFilter.ANY)).all().get());
    }
}
