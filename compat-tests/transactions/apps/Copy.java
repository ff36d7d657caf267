import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Copies INPUT to OUTPUT in transactions; every ABORT_EVERY-th transaction is aborted and done again. */
public final class Copy {
    private static volatile boolean stopping;

    public static void main(String[] arguments) throws Exception {
        Thread copying = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            try {
                copying.join(20_000);
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }));
        while (!stopping) {
            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(consumer(), new StringDeserializer(), new StringDeserializer());
                KafkaProducer<String, String> producer = new KafkaProducer<>(producer(), new StringSerializer(), new StringSerializer())) {
                copy(consumer, producer);
            } catch (KafkaException error) {
                System.out.println("starts anew after " + error);
            }
        }
    }

    private static void copy(KafkaConsumer<String, String> consumer, KafkaProducer<String, String> producer) {
        consumer.subscribe(List.of(System.getenv("INPUT")));
        producer.initTransactions();
        for (int turn = 1; !stopping; turn++) {
            ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
            if (records.isEmpty()) continue;
            producer.beginTransaction();
            try {
                records.forEach(record -> producer.send(new ProducerRecord<>(System.getenv("OUTPUT"), record.key(), record.value())));
                if (turn % Integer.parseInt(System.getenv("ABORT_EVERY")) == 0) {
                    producer.flush();
                    producer.abortTransaction();
                    System.out.println("aborted " + records.count());
                    for (TopicPartition partition : records.partitions()) {
                        consumer.seek(partition, records.records(partition).get(0).offset());
                    }
                    continue;
                }
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (TopicPartition partition : consumer.assignment()) offsets.put(partition, new OffsetAndMetadata(consumer.position(partition)));
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                producer.commitTransaction();
                System.out.println("committed " + records.count());
            } catch (KafkaException error) {
                try {
                    producer.abortTransaction();
                } catch (KafkaException fatal) {
                    error.addSuppressed(fatal);
                }
                throw error;
            }
        }
    }

    private static Properties consumer() {
        Properties settings = common();
        settings.put("group.id", System.getenv("GROUP"));
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("isolation.level", "read_committed");
        settings.put("session.timeout.ms", "6000");
        settings.put("heartbeat.interval.ms", "500");
        settings.put("max.poll.records", "20");
        return settings;
    }

    private static Properties producer() {
        Properties settings = common();
        settings.put("transactional.id", System.getenv("TXID"));
        settings.put("transaction.timeout.ms", "10000");
        settings.put("linger.ms", "0");
        return settings;
    }

    private static Properties common() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        settings.put("reconnect.backoff.max.ms", "500");
        return settings;
    }
}
