import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Members on kafka-clients; host.py describes commands and events. */
public final class Host {
    private static final String TOPIC = System.getenv("TOPIC");
    private static final Path EVENTS = Path.of(System.getenv("EVENTS"));

    public static void main(String[] arguments) throws Exception {
        Map<String, AtomicBoolean> running = new HashMap<>();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.trim().split(" ");
            if (words[0].equals("start")) {
                AtomicBoolean stop = new AtomicBoolean();
                running.put(words[1], stop);
                Thread thread = new Thread(() -> run(words[1], stop));
                thread.setDaemon(true);
                thread.start();
            } else if (words[0].equals("close")) {
                running.get(words[1]).set(true);
            }
        }
    }

    private static void run(String name, AtomicBoolean stop) {
        try {
            new Member(name).run(stop);
            event(name + " closed");
        } catch (Throwable error) {
            event(name + " error " + error);
        }
    }

    private static synchronized void event(String line) {
        try {
            Files.write(EVENTS, (line + "\n").getBytes(StandardCharsets.UTF_8), StandardOpenOption.APPEND);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static final class Member implements ConsumerRebalanceListener {
        private final String name;
        private final KafkaConsumer<String, String> consumer;
        private final Map<TopicPartition, OffsetAndMetadata> unsaved = new HashMap<>();

        Member(String name) {
            this.name = name;
            this.consumer = new KafkaConsumer<>(settings(name), new StringDeserializer(), new StringDeserializer());
        }

        void run(AtomicBoolean stop) {
            if (System.getenv("PROTOCOL").equals("pattern")) {
                consumer.subscribe(new SubscriptionPattern(TOPIC.replace("pattern", "(pattern|other)")), this);
            } else {
                consumer.subscribe(List.of(TOPIC), this);
            }
            while (!stop.get()) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> {
                    event(name + " read " + record.partition() + " " + record.offset() + " " + record.value());
                    unsaved.put(new TopicPartition(TOPIC, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                });
                save();
            }
            consumer.close();
        }

        private void save() {
            if (unsaved.isEmpty()) return;
            Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>(unsaved);
            unsaved.clear();
            try {
                consumer.commitSync(wanted, Duration.ofSeconds(10));
            } catch (KafkaException error) {
                return; // the next owner reads these again
            }
            wanted.forEach((partition, offset) -> event(name + " commit " + partition.partition() + " " + offset.offset()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> given) {
            save();
            partitions("give", given);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> given) {
            unsaved.clear();
            partitions("give", given);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> taken) {
            partitions("own", taken);
        }

        private void partitions(String verb, Collection<TopicPartition> partitions) {
            if (partitions.isEmpty()) return;
            event(name + " " + verb + partitions.stream().map(TopicPartition::partition).sorted().map(index -> " " + index).collect(Collectors.joining()));
        }
    }

    private static Properties settings(String name) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        settings.put("client.id", name);
        settings.put("group.id", System.getenv("GROUP"));
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("metadata.max.age.ms", "1000");
        settings.put("max.poll.records", "50");
        switch (System.getenv("PROTOCOL")) {
            case "consumer", "pattern" -> settings.put("group.protocol", "consumer");
            case "cooperative" -> classic(settings, "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            default -> classic(settings, "org.apache.kafka.clients.consumer.RangeAssignor");
        }
        return settings;
    }

    private static void classic(Properties settings, String assignor) {
        settings.put("partition.assignment.strategy", assignor);
        settings.put("session.timeout.ms", "6000");
        settings.put("heartbeat.interval.ms", "500");
    }
}
