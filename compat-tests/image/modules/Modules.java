import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.kafka.ConfluentKafkaContainer;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.utility.DockerImageName;

/** The containers of Testcontainers' Kafka module for Java, with the image `ottla` in the place of those that they are made for. */
final class Modules {
    interface Case {
        void run() throws Exception;
    }

    private Modules() {}

    public static void main(String[] arguments) {
        test("testcontainers-java-apache", () -> {
            try (KafkaContainer kafka = new KafkaContainer(instead("apache/kafka"))) {
                functions(kafka, kafka::getBootstrapServers);
            }
        });
        test("testcontainers-java-apache-native", () -> {
            try (Network network = Network.newNetwork();
                    KafkaContainer kafka = new KafkaContainer(instead("apache/kafka-native")).withNetwork(network).withListener("broker:19092")) {
                functions(kafka, kafka::getBootstrapServers);
            }
        });
        test("testcontainers-java-confluent", () -> {
            try (ConfluentKafkaContainer kafka = new ConfluentKafkaContainer(instead("confluentinc/cp-kafka"))) {
                functions(kafka, kafka::getBootstrapServers);
            }
        });
        test("testcontainers-java-older-with-kraft", () -> older(container -> container.withKraft()));
        test("testcontainers-java-older-with-zookeeper", () -> older(container -> container));
        // Its threads and those of the clients are not waited for.
        System.exit(0);
    }

    @SuppressWarnings("deprecation")
    private static void older(java.util.function.UnaryOperator<org.testcontainers.containers.KafkaContainer> made) throws Exception {
        try (org.testcontainers.containers.KafkaContainer kafka =
                made.apply(new org.testcontainers.containers.KafkaContainer(instead("confluentinc/cp-kafka").withTag("7.4.0")))) {
            functions(kafka, kafka::getBootstrapServers);
        }
    }

    private static DockerImageName instead(String name) {
        return DockerImageName.parse("ottla").asCompatibleSubstituteFor(name);
    }

    private static void test(String name, Case body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            StringBuilder told = new StringBuilder();
            for (Throwable cause = error; cause != null; cause = cause.getCause()) told.append(cause).append("; ");
            System.out.println("not ok " + name + ": " + told.toString().replace('\n', ' '));
        }
    }

    /** What the module's own test of each container does: a topic is made, a record is sent, and a group reads it. */
    private static void functions(GenericContainer<?> container, java.util.function.Supplier<String> bootstrap) throws Exception {
        container.withStartupTimeout(Duration.ofSeconds(60)).start();
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap.get());
        properties.put("group.id", "tc-group");
        properties.put("auto.offset.reset", "earliest");
        try (Admin admin = Admin.create(properties);
                KafkaProducer<String, String> producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
                KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            admin.createTopics(List.of(new NewTopic("messages", 1, (short) 1))).all().get(30, TimeUnit.SECONDS);
            consumer.subscribe(List.of("messages"));
            producer.send(new ProducerRecord<>("messages", "testcontainers", "rulezzz")).get(30, TimeUnit.SECONDS);
            List<String> read = new ArrayList<>();
            for (long deadline = System.nanoTime() + 30_000_000_000L; read.isEmpty() && System.nanoTime() < deadline; ) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    read.add(record.topic() + " " + record.key() + " " + record.value());
                }
            }
            if (!read.equals(List.of("messages testcontainers rulezzz"))) throw new AssertionError("the consumer read " + read);
        }
    }
}
