import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** A transactional application on kafka-clients; app.py describes what it does and writes down. */
public final class App {
    private static final String NAME = System.getenv("NAME");
    private static final boolean COPIES = System.getenv("ROLE").equals("copy");
    private static final Path EVENTS = Path.of(System.getenv("EVENTS"));
    private static final List<TopicPartition> INPUTS = inputs();
    private static final Random DICE = new Random(NAME.hashCode());
    private static volatile boolean stopping;
    private static int number;

    public static void main(String[] arguments) throws Exception {
        Thread working = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            try {
                working.join(20_000);
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }));
        while (!stopping) {
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(producer(), new StringSerializer(), new StringSerializer())) {
                if (COPIES) copy(producer);
                else write(producer);
            } catch (RuntimeException error) {
                if (fenced(error)) {
                    event("fenced");
                    return;
                }
                event("anew " + error);
                pause(200);
            }
        }
    }

    private static void write(KafkaProducer<String, String> producer) {
        begin(producer);
        while (!stopping) {
            List<TopicPartition> places = new ArrayList<>();
            int count = DICE.nextInt(20) == 0 ? 60 : 1 + DICE.nextInt(6);
            for (int n = 0; n < count; n++) places.add(INPUTS.get(DICE.nextInt(INPUTS.size())));
            transaction(producer, places, null, () -> { });
            pause(100);
        }
    }

    private static void copy(KafkaProducer<String, String> producer) {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(consumer(), new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(INPUTS.stream().map(TopicPartition::topic).distinct().toList());
            begin(producer);
            while (!stopping) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty()) continue;
                List<TopicPartition> places = new ArrayList<>();
                List<String> sources = new ArrayList<>();
                Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
                for (ConsumerRecord<String, String> record : records) {
                    TopicPartition source = new TopicPartition(record.topic(), record.partition());
                    places.add(new TopicPartition(System.getenv("OUTPUT"), INPUTS.indexOf(source)));
                    sources.add(record.topic() + "/" + record.partition() + "/" + record.offset());
                    next.put(source, new OffsetAndMetadata(record.offset() + 1));
                }
                boolean committed = transaction(producer, places, sources, () -> producer.sendOffsetsToTransaction(next, consumer.groupMetadata()));
                if (committed) continue;
                records.partitions().forEach(partition -> consumer.seek(partition, records.records(partition).get(0).offset()));
            }
        }
    }

    private static void begin(KafkaProducer<String, String> producer) {
        producer.initTransactions();
        event("init " + System.getenv("TXID"));
    }

    /** One transaction; is it committed? */
    private static boolean transaction(KafkaProducer<String, String> producer, List<TopicPartition> places, List<String> sources, Runnable last) {
        number++;
        StringBuilder line = new StringBuilder("sends " + number);
        places.forEach(place -> line.append(' ').append(place.topic()).append('/').append(place.partition()));
        event(line.toString());
        boolean commit = DICE.nextInt(5) > 0;
        producer.beginTransaction();
        try {
            for (int n = 0; n < places.size(); n++) {
                String value = NAME + "/" + number + " " + n + " " + (sources == null ? "-" : sources.get(n));
                producer.send(new ProducerRecord<>(places.get(n).topic(), places.get(n).partition(), null, value));
            }
            if (DICE.nextBoolean()) producer.flush();
            if (commit) last.run();
            event("ending " + number + (commit ? " commit" : " abort"));
            if (commit) commit(producer);
            else producer.abortTransaction();
        } catch (RuntimeException error) {
            try {
                producer.abortTransaction();
                event("ended " + number + " aborted");
            } catch (RuntimeException another) {
                error.addSuppressed(another);
            }
            throw error;
        }
        event("ended " + number + (commit ? " committed" : " aborted"));
        return commit;
    }

    /** A commit that timed out is to be tried again. */
    private static void commit(KafkaProducer<String, String> producer) {
        for (int turn = 0; ; turn++) {
            try {
                producer.commitTransaction();
                return;
            } catch (TimeoutException error) {
                if (turn == 2) throw error;
            }
        }
    }

    private static boolean fenced(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof ProducerFencedException) return true;
        }
        return false;
    }

    private static void event(String line) {
        try {
            Files.write(EVENTS, (NAME + " " + line.replace('\n', ' ') + "\n").getBytes(StandardCharsets.UTF_8), StandardOpenOption.APPEND);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static void pause(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private static List<TopicPartition> inputs() {
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : System.getenv("INPUTS").split(",")) {
            String[] words = topic.split(":");
            for (int n = 0; n < Integer.parseInt(words[1]); n++) partitions.add(new TopicPartition(words[0], n));
        }
        return partitions;
    }

    private static Properties consumer() {
        Properties settings = common();
        settings.put("group.id", System.getenv("GROUP"));
        settings.put("group.protocol", "consumer");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("isolation.level", "read_committed");
        settings.put("max.poll.records", "40");
        return settings;
    }

    private static Properties producer() {
        Properties settings = common();
        settings.put("transactional.id", System.getenv("TXID"));
        settings.put("transaction.timeout.ms", "10000");
        settings.put("linger.ms", "0");
        settings.put("max.block.ms", "20000");
        return settings;
    }

    private static Properties common() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        settings.put("client.id", NAME);
        settings.put("reconnect.backoff.max.ms", "500");
        return settings;
    }
}
