import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;

/**
 * What Kafka knows and Ottla does not act on: ACLs, quotas, SCRAM credentials, delegation tokens, client metrics, group and
 * broker configs, features, share groups.
 *
 * Kept write BOOTSTRAP SASL_BOOTSTRAP [share]   makes one of each
 * Kept show BOOTSTRAP SASL_BOOTSTRAP [share]    a line for each that there is
 */
public final class Kept {
    private static final String SHARERS = "sharers";
    private static final ConfigResource METRICS = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "subscription");
    private static final ConfigResource GROUP = new ConfigResource(ConfigResource.Type.GROUP, SHARERS);
    private static final ConfigResource BROKERS = new ConfigResource(ConfigResource.Type.BROKER, "");
    private static final ConfigResource BROKER = new ConfigResource(ConfigResource.Type.BROKER, "1");

    private final String bootstrap;
    private final Admin admin;
    private final Admin authenticated;
    private final boolean shares;

    private Kept(String bootstrap, String sasl, boolean shares) {
        this.bootstrap = bootstrap;
        this.shares = shares;
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        authenticated = Admin.create(Map.of("bootstrap.servers", sasl, "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN",
            "sasl.jaas.config", "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"owner\" password=\"secret\";"));
    }

    public static void main(String[] arguments) throws Exception {
        Kept kept = new Kept(arguments[1], arguments[2], arguments.length > 3);
        if (arguments[0].equals("write")) {
            kept.write();
        } else {
            kept.show();
        }
        kept.admin.close();
        kept.authenticated.close();
    }

    private void write() throws Exception {
        var resource = new ResourcePattern(ResourceType.TOPIC, "plain", PatternType.PREFIXED);
        var removed = new ResourcePattern(ResourceType.GROUP, "*", PatternType.LITERAL);
        var entry = new AccessControlEntry("User:reader", "*", AclOperation.READ, AclPermissionType.ALLOW);
        admin.createAcls(List.of(new AclBinding(resource, entry), new AclBinding(removed, entry))).all().get();
        admin.deleteAcls(List.of(new AclBinding(removed, entry).toFilter())).all().get();
        var user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "reader"));
        var anybody = new HashMap<String, String>();
        anybody.put(ClientQuotaEntity.CLIENT_ID, null);
        admin.alterClientQuotas(List.of(
            new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1048576.0))),
            new ClientQuotaAlteration(new ClientQuotaEntity(anybody), List.of(new ClientQuotaAlteration.Op("consumer_byte_rate", 2e9))))).all().get();
        var scram = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096);
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("reader", scram, "secret"))).all().get();
        authenticated.createDelegationToken().delegationToken().get();
        set(METRICS, "interval.ms", "60000");
        set(BROKERS, "log.cleaner.threads", "2");
        set(BROKER, "background.threads", "9");
        untilApplied();
        if (shares) {
            set(GROUP, "share.auto.offset.reset", "earliest");
            share();
        }
    }

    private void set(ConfigResource resource, String name, String value) throws Exception {
        var operation = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(operation))).all().get();
    }

    /** Whoever answers for metadata has written it down; whoever shows it may not have read that yet, and reads it in order. */
    private void untilApplied() throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!isSet(BROKERS, "log.cleaner.threads") || !isSet(BROKER, "background.threads")) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("the broker does not take up its configs");
            }
            Thread.sleep(50);
        }
    }

    private boolean isSet(ConfigResource resource, String name) throws Exception {
        var entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name);
        return entry != null && entry.source().name().startsWith("DYNAMIC");
    }

    /** Some records are acknowledged for good, so that the group's start is no longer that of the log. */
    private void share() throws Exception {
        var text = "org.apache.kafka.common.serialization.ByteArrayDeserializer";
        try (var consumer = new KafkaShareConsumer<byte[], byte[]>(Map.of("bootstrap.servers", bootstrap, "group.id", SHARERS,
                "key.deserializer", text, "value.deserializer", text, "max.poll.records", "50"))) {
            consumer.subscribe(List.of("source"));
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            for (int read = 0; read < 60;) {
                read += consumer.poll(Duration.ofMillis(500)).count();
                for (var answer : consumer.commitSync().values()) {
                    answer.ifPresent(error -> { throw error; });
                }
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("a share group read " + read + " records");
                }
            }
        }
    }

    private void show() throws Exception {
        var lines = new TreeSet<String>();
        admin.describeAcls(AclBindingFilter.ANY).values().get().forEach(acl -> lines.add("acl " + acl));
        admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get()
            .forEach((entity, quotas) -> lines.add("quota " + new TreeMap<>(quotas) + " " + entity));
        admin.describeUserScramCredentials().all().get().forEach((user, found) -> lines.add("scram " + found));
        for (var token : authenticated.describeDelegationToken().delegationTokens().get()) {
            var info = token.tokenInfo();
            lines.add("token " + info.tokenId() + " " + info.owner() + " " + info.issueTimestamp() + " " + info.maxTimestamp() + " " + token.hmacAsBase64String());
        }
        var resources = new ArrayList<>(List.of(METRICS, BROKERS, BROKER));
        if (shares) {
            resources.add(GROUP);
        }
        admin.describeConfigs(resources).all().get().forEach((resource, config) -> config.entries().stream()
            .filter(entry -> entry.source().name().startsWith("DYNAMIC"))
            .forEach(entry -> lines.add("config " + resource + " " + entry.source() + " " + entry.name() + "=" + entry.value())));
        admin.describeFeatures().featureMetadata().get().finalizedFeatures()
            .forEach((name, range) -> lines.add("feature " + name + " " + range.maxVersionLevel()));
        if (shares) {
            admin.listShareGroupOffsets(Map.of(SHARERS, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(SHARERS).get()
                .forEach((place, offset) -> lines.add("shared " + place + " " + offset));
        }
        lines.forEach(System.out::println);
    }
}
