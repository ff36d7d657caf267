// Asks Apache Kafka's own log about batches and prints its answers: the contents of verdicts.txt.
//
// Needs the class path of org.apache.kafka:kafka_2.13:4.1.2 (mvn dependency:build-classpath), then
//   java -cp "$CLASSPATH" Verdicts.java > verdicts.txt
//
// One line per case, fields separated by tabs:
//   name, rules, batch in hex, error code, error message, record errors (index:message, separated by |),
//   the log's bytes in hex ("=" when they are the batch's but for base offset and leader epoch)

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Supplier;
import java.util.stream.Collectors;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.ByteUtils;
import org.apache.kafka.common.utils.Crc32C;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class Verdicts {
    static final long NOW = 1_700_000_000_000L;
    static final HexFormat HEX = HexFormat.of();
    static final KafkaScheduler scheduler = new KafkaScheduler(1);
    static int logs = 0;
    static File root;

    public static void main(String[] args) throws Exception {
        root = Files.createTempDirectory("verdicts").toFile();
        scheduler.startup();
        golden();
        wellFormed();
        framing();
        headers();
        records();
        timestamps();
        keys();
        codecs();
        targets();
        markers();
        scheduler.shutdown();
        System.exit(0);
    }

    // What kafka-clients write: the contents are known to the test that reads them.
    static void golden() throws Exception {
        for (CompressionType type : CompressionType.values()) {
            ask("golden-" + type.name, new Rules(), clientBatch(Compression.of(type).build(), 20));
            ask("golden-large-" + type.name, new Rules(), largeBatch(Compression.of(type).build()));
        }
        ask("golden-gzip-9", new Rules(), clientBatch(Compression.gzip().level(9).build(), 20));
        ask("golden-lz4-17", new Rules(), clientBatch(Compression.lz4().level(17).build(), 20));
        ask("golden-zstd-22", new Rules(), clientBatch(Compression.zstd().level(22).build(), 20));
        ask("golden-zstd--5", new Rules(), clientBatch(Compression.zstd().level(-5).build(), 20));
    }

    static byte[] clientBatch(Compression compression, int count) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.CURRENT_MAGIC_VALUE,
            compression, TimestampType.CREATE_TIME, 0L, RecordBatch.NO_TIMESTAMP, 4711L, (short) 3, 17, true,
            RecordBatch.NO_PARTITION_LEADER_EPOCH);
        for (int i = 0; i < count; i++) {
            byte[] key = i % 3 == 0 ? null : ("key-" + i).getBytes();
            byte[] value = i % 5 == 0 ? null : "v".repeat(i).getBytes();
            Header[] headers = i % 4 != 0 ? org.apache.kafka.common.record.Record.EMPTY_HEADERS : new Header[] {
                new RecordHeader("twice", "one".getBytes()), new RecordHeader("twice", null),
                new RecordHeader("ünï", new byte[] {(byte) 0xff, 0})};
            builder.append(NOW - 1000 + (i * 7) % 20, key, value, headers);
        }
        return bytes(builder.build());
    }

    // More than one block of every codec, and a record larger than a block.
    static byte[] largeBatch(Compression compression) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.CURRENT_MAGIC_VALUE,
            compression, TimestampType.CREATE_TIME, 0L, RecordBatch.NO_TIMESTAMP);
        byte[] value = new byte[compression.type() == CompressionType.NONE ? 2000 : 150_000];
        for (int i = 0; i < value.length; i++)
            value[i] = (byte) (i % 251);
        builder.append(NOW, "a".getBytes(), "small".getBytes());
        builder.append(NOW + 1, "b".getBytes(), value);
        builder.append(NOW + 2, "c".getBytes(), value);
        builder.append(NOW + 1, "d".getBytes(), "small".getBytes());
        return bytes(builder.build());
    }

    static void wellFormed() throws Exception {
        ask("plain", new Rules(), new Raw().bytes());
        ask("max-timestamp-too-small", new Rules(), new Raw().maxTimestamp(5).bytes());
        ask("max-timestamp-too-large", new Rules(), new Raw().maxTimestamp(NOW + 5).bytes());
        ask("max-timestamp-too-small-gzip", new Rules(), new Raw().codec(1).maxTimestamp(5).bytes());
        ask("no-timestamps", new Rules(), new Raw().baseTimestamp(-1).maxTimestamp(-1).body(rec(0, 0), rec(0, 1), rec(0, 2)).bytes());
        ask("first-delta-not-zero", new Rules(), new Raw().body(rec(1, 0), rec(0, 1), rec(2, 2)).bytes());
        ask("transactional", new Rules(), new Raw().attributes(0x10).producer(9, 1, 0).bytes());
        ask("idempotent", new Rules(), new Raw().producer(9, 1, 5).bytes());
        ask("sequence-wraps", new Rules(), new Raw().producer(9, 1, Integer.MAX_VALUE - 1).bytes());
        ask("record-attributes", new Rules(), new Raw().body(rec(0, 0, 0x7f), rec(0, 1), rec(2, 2)).bytes());
        ask("leader-epoch-set", new Rules(), new Raw().leaderEpoch(99).bytes());
    }

    static void framing() throws Exception {
        byte[] good = new Raw().bytes();
        ask("empty", new Rules(), new byte[0]);
        ask("eleven-bytes", new Rules(), Arrays.copyOf(good, 11));
        ask("sixteen-bytes", new Rules(), Arrays.copyOf(good, 16));
        ask("header-only", new Rules(), Arrays.copyOf(good, 61));
        ask("cut-short", new Rules(), Arrays.copyOf(good, good.length - 1));
        ask("length-negative", new Rules(), put(good, 8, -1));
        ask("length-13", new Rules(), put(good, 8, 13));
        ask("length-48", new Rules(), put(good, 8, 48));
        ask("length-huge", new Rules(), put(good, 8, Integer.MAX_VALUE));
        for (int magic : new int[] {0, 1, 3, 127, 255}) {
            byte[] bytes = good.clone();
            bytes[16] = (byte) magic;
            ask("magic-" + magic, new Rules(), bytes);
        }
        byte[] crc = good.clone();
        crc[crc.length - 1] ^= 1;
        ask("crc", new Rules(), crc);
        crc = good.clone();
        crc[17] ^= 1;
        ask("crc-field", new Rules(), crc);
        byte[] twice = Arrays.copyOf(good, good.length * 2);
        System.arraycopy(good, 0, twice, good.length, good.length);
        ask("two-batches", new Rules(), twice);
        Rules small = new Rules();
        small.max = good.length - 1;
        ask("too-large", small, good);
        ask("too-large-and-crc", small, crc);
        small = new Rules();
        small.max = good.length;
        ask("just-fits", small, good);
    }

    static void headers() throws Exception {
        ask("base-offset", new Rules(), new Raw().baseOffset(1).bytes());
        ask("base-offset-and-crc", new Rules(), put(new Raw().baseOffset(1).bytes(), 17, 0));
        ask("last-offset-delta-negative", new Rules(), new Raw().lastOffsetDelta(-1).bytes());
        ask("last-offset-delta-max", new Rules(), new Raw().lastOffsetDelta(Integer.MAX_VALUE).bytes());
        ask("last-offset-delta-small", new Rules(), new Raw().lastOffsetDelta(1).bytes());
        ask("last-offset-delta-large", new Rules(), new Raw().lastOffsetDelta(3).bytes());
        ask("count-zero", new Rules(), new Raw().count(0).lastOffsetDelta(0).bytes());
        ask("count-negative", new Rules(), new Raw().count(-1).bytes());
        ask("count-large", new Rules(), new Raw().count(4).lastOffsetDelta(3).bytes());
        ask("count-small", new Rules(), new Raw().count(2).lastOffsetDelta(1).bytes());
        ask("count-max", new Rules(), new Raw().count(Integer.MAX_VALUE).lastOffsetDelta(Integer.MAX_VALUE - 1).bytes());
        ask("control", new Rules(), new Raw().attributes(0x20).bytes());
        ask("sequence-missing", new Rules(), new Raw().producer(9, 1, -1).bytes());
        ask("no-producer-with-sequence", new Rules(), new Raw().producer(-1, -1, 7).bytes());
        for (int codec = 5; codec <= 7; codec++)
            ask("codec-" + codec, new Rules(), new Raw().attributes(codec).bytes());
        Rules old = new Rules();
        old.version = 6;
        ask("zstd-produce-6", old, new Raw().codec(4).bytes());
        ask("lz4-produce-6", old, new Raw().codec(3).bytes());
        ask("zstd-produce-7", new Rules(), new Raw().codec(4).bytes());
    }

    static void records() throws Exception {
        for (int codec : new int[] {0, 1, 4}) {
            String suffix = "-" + codec;
            ask("offsets-all-zero" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 0), rec(2, 0)).bytes());
            ask("offsets-reversed" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 2), rec(0, 1), rec(2, 0)).bytes());
            ask("trailing-byte" + suffix, new Rules(), new Raw().codec(codec).tail(new byte[] {0}).bytes());
            ask("record-cut" + suffix, new Rules(), new Raw().codec(codec).cut(1).bytes());
            ask("record-missing" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(2, 1)).bytes());
            ask("size-large" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 1), rawRec(+1, body(2, 2))).bytes());
            ask("size-negative" + suffix, new Rules(), new Raw().codec(codec).body(new byte[] {1}, rec(0, 1), rec(2, 2)).bytes());
            ask("key-beyond" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 1),
                rawRec(0, new byte[] {0, 4, 4, 100, 'k', 1, 0})).bytes());
            ask("header-count-negative" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 1),
                rawRec(0, new byte[] {0, 4, 4, 1, 1, 1})).bytes());
            ask("header-count-large" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 1),
                rawRec(0, new byte[] {0, 4, 4, 1, 1, 100})).bytes());
            ask("header-key-null" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 1),
                rawRec(0, new byte[] {0, 4, 4, 1, 1, 2, 1, 1})).bytes());
            ask("varint-too-long" + suffix, new Rules(), new Raw().codec(codec).body(rec(0, 0), rec(0, 1),
                rawRec(0, new byte[] {0, 4, -1, -1, -1, -1, -1, -1, 1, 1, 0})).bytes());
        }
        ask("size-small-0", new Rules(), new Raw().body(rec(0, 0), rec(0, 1), rawRec(-1, body(2, 2))).bytes());
        ask("body-unused-byte-0", new Rules(), new Raw().body(rec(0, 0), rec(0, 1), rawRec(0, new byte[] {0, 4, 4, 1, 1, 0, 0})).bytes());
    }

    static void timestamps() throws Exception {
        Rules bounds = new Rules();
        bounds.before = 1000;
        bounds.after = 500;
        for (int codec : new int[] {0, 3}) {
            String suffix = "-" + codec;
            ask("within" + suffix, bounds, new Raw().codec(codec).baseTimestamp(NOW - 1000).maxTimestamp(NOW + 500)
                .body(rec(0, 0), rec(1500, 1), rec(1000, 2)).bytes());
            ask("too-old-and-too-new" + suffix, bounds, new Raw().codec(codec).baseTimestamp(NOW - 1001).maxTimestamp(NOW + 501)
                .body(rec(0, 0), rec(1502, 1), rec(1000, 2)).bytes());
            ask("none-is-legal" + suffix, bounds, new Raw().codec(codec).baseTimestamp(-1).maxTimestamp(NOW)
                .body(rec(0, 0), rec(NOW + 1, 1), rec(0, 2)).bytes());
            ask("negative" + suffix, bounds, new Raw().codec(codec).baseTimestamp(-2).maxTimestamp(NOW).bytes());
            ask("negative-default-bounds" + suffix, new Rules(), new Raw().codec(codec).baseTimestamp(-2).maxTimestamp(0).bytes());
            ask("ancient-default-bounds" + suffix, new Rules(), new Raw().codec(codec).baseTimestamp(Long.MIN_VALUE).maxTimestamp(0).bytes());
            ask("future-default-bounds" + suffix, new Rules(), new Raw().codec(codec).baseTimestamp(NOW + 3_600_000 - 1)
                .maxTimestamp(NOW + 3_600_001).bytes());
            ask("producer-stamped" + suffix, new Rules(), new Raw().codec(codec).attributes(8).bytes());
            ask("producer-stamped-out-of-range" + suffix, bounds, new Raw().codec(codec).attributes(8).maxTimestamp(5).bytes());
            ask("producer-stamped-none" + suffix, new Rules(), new Raw().codec(codec).attributes(8).maxTimestamp(-1).bytes());
            Rules append = new Rules();
            append.append = true;
            ask("append-time" + suffix, append, new Raw().codec(codec).bytes());
            ask("append-time-already-right" + suffix, append, new Raw().codec(codec).maxTimestamp(NOW).bytes());
            ask("append-time-out-of-range" + suffix, append, new Raw().codec(codec).baseTimestamp(5).maxTimestamp(7).bytes());
            ask("append-time-producer-stamped" + suffix, append, new Raw().codec(codec).attributes(8).bytes());
            ask("append-time-transactional" + suffix, append, new Raw().codec(codec).attributes(0x10).producer(9, 1, 0).bytes());
        }
    }

    static void keys() throws Exception {
        Rules compact = new Rules();
        compact.compact = true;
        for (int codec : new int[] {0, 1, 2, 3, 4}) {
            String suffix = "-" + codec;
            ask("keyless-in-delete" + suffix, new Rules(), new Raw().codec(codec).body(keyless(0), keyless(1), keyless(2)).bytes());
            ask("keyless-one" + suffix, compact, new Raw().codec(codec).body(rec(0, 0), keyless(1), rec(2, 2)).bytes());
            ask("keyless-all" + suffix, compact, new Raw().codec(codec).body(keyless(0), keyless(1), keyless(2)).bytes());
            ask("keyless-four" + suffix, compact, new Raw().codec(codec).count(4).lastOffsetDelta(3)
                .body(keyless(0), keyless(1), keyless(2), keyless(3)).bytes());
        }
        Rules both = new Rules();
        both.compact = true;
        both.after = 0;
        ask("keyless-and-too-new", both, new Raw().body(keyless(0), rec(1, 1), rec(2, 2)).bytes());
        ask("keyless-then-malformed", compact, new Raw().body(keyless(0), rec(1, 1), new byte[] {1}).bytes());
    }

    static void codecs() throws Exception {
        for (int codec = 1; codec <= 4; codec++) {
            String suffix = "-" + codec;
            byte[] noise = new byte[40];
            for (int i = 0; i < noise.length; i++)
                noise[i] = (byte) (i * 37 + 11);
            ask("not-compressed" + suffix, new Rules(), new Raw().codec(codec).packed(noise).bytes());
            ask("compressed-nothing" + suffix, new Rules(), new Raw().codec(codec).packed(new byte[0]).bytes());
            byte[] packed = new Raw().codec(codec).packedBody();
            ask("compressed-cut" + suffix, new Rules(), new Raw().codec(codec).packed(Arrays.copyOf(packed, packed.length - 3)).bytes());
            byte[] broken = packed.clone();
            broken[broken.length / 2] ^= 0x55;
            ask("compressed-broken" + suffix, new Rules(), new Raw().codec(codec).packed(broken).bytes());
        }
        // Two gzip members, two zstd frames.
        byte[] all = concat(rec(0, 0), rec(0, 1), rec(2, 2));
        for (int codec : new int[] {1, 4}) {
            byte[] two = concat(compress(codec, Arrays.copyOf(all, 10)), compress(codec, Arrays.copyOfRange(all, 10, all.length)));
            ask("two-frames-" + codec, new Rules(), new Raw().codec(codec).packed(two).bytes());
        }
        byte[] bare = org.xerial.snappy.Snappy.compress(all);
        ask("bare-snappy", new Rules(), new Raw().codec(2).packed(bare).bytes());
    }

    static void targets() throws Exception {
        for (String target : new String[] {"uncompressed", "gzip", "snappy", "lz4", "zstd"}) {
            Rules rules = new Rules();
            rules.codec = target;
            for (int codec = 0; codec <= 4; codec++)
                ask("to-" + target + "-from-" + codec, rules, new Raw().codec(codec).attributes(0x10).producer(9, 1, 5)
                    .body(rec(0, 0), rec(3, 1, 0x55), keyless(2)).maxTimestamp(1).bytes());
            ask("to-" + target + "-renumbered", rules, new Raw().codec(1).body(rec(0, 0), rec(0, 0), rec(2, 0)).bytes());
            Rules append = new Rules();
            append.codec = target;
            append.append = true;
            ask("to-" + target + "-append-time", append, new Raw().codec(2).bytes());
        }
        Rules grows = new Rules();
        grows.codec = "uncompressed";
        grows.max = 700;
        byte[] large = rawRec(0, concat(new byte[] {0, 0, 0, 1}, varint(2000), new byte[2000], new byte[] {0}));
        ask("to-uncompressed-too-large", grows, new Raw().codec(1).count(1).lastOffsetDelta(0).body(large).bytes());
    }

    static void markers() throws Exception {
        Rules rules = new Rules();
        rules.origin = AppendOrigin.COORDINATOR;
        ask("marker-abort", rules, marker(ControlRecordType.ABORT));
        ask("marker-commit", rules, marker(ControlRecordType.COMMIT));
        rules.codec = "gzip";
        ask("marker-to-gzip", rules, marker(ControlRecordType.COMMIT));
        ask("marker-from-client", new Rules(), marker(ControlRecordType.COMMIT));
    }

    static byte[] marker(ControlRecordType type) {
        return bytes(MemoryRecords.withEndTransactionMarker(NOW, 9, (short) 1, new EndTransactionMarker(type, 42)));
    }

    static class Rules {
        AppendOrigin origin = AppendOrigin.CLIENT;
        boolean append = false;
        boolean compact = false;
        long before = Long.MAX_VALUE;
        long after = 3_600_000;
        int max = 1_048_588;
        String codec = "producer";
        short version = 13;

        @Override
        public String toString() {
            return "now=" + NOW + " append=" + append + " compact=" + compact + " before=" + before + " after=" + after
                + " max=" + max + " origin=" + origin + " codec=" + codec + " version=" + version;
        }

        LogConfig config() {
            Properties properties = new Properties();
            properties.put("message.timestamp.type", append ? "LogAppendTime" : "CreateTime");
            properties.put("cleanup.policy", compact ? "compact" : "delete");
            properties.put("message.timestamp.before.max.ms", Long.toString(before));
            properties.put("message.timestamp.after.max.ms", Long.toString(after));
            properties.put("max.message.bytes", Integer.toString(max));
            properties.put("compression.type", codec);
            return new LogConfig(properties);
        }
    }

    static class Raw {
        long baseOffset = 0;
        int leaderEpoch = -1;
        int attributes = 0;
        int codec = 0;
        int lastOffsetDelta = 2;
        long baseTimestamp = NOW;
        long maxTimestamp = NOW + 2;
        long producerId = -1;
        int producerEpoch = -1;
        int baseSequence = -1;
        int count = 3;
        byte[] body = concat(rec(0, 0), rec(0, 1), rec(2, 2));
        byte[] packed = null;

        Raw baseOffset(long value) { baseOffset = value; return this; }
        Raw leaderEpoch(int value) { leaderEpoch = value; return this; }
        Raw attributes(int value) { attributes = value; return this; }
        Raw codec(int value) { codec = value; return this; }
        Raw lastOffsetDelta(int value) { lastOffsetDelta = value; return this; }
        Raw baseTimestamp(long value) { baseTimestamp = value; return this; }
        Raw maxTimestamp(long value) { maxTimestamp = value; return this; }
        Raw producer(long id, int epoch, int sequence) {
            producerId = id;
            producerEpoch = epoch;
            baseSequence = sequence;
            return this;
        }
        Raw count(int value) { count = value; return this; }
        Raw body(byte[]... records) { body = concat(records); return this; }
        Raw tail(byte[] tail) { body = concat(body, tail); return this; }
        Raw cut(int bytes) { body = Arrays.copyOf(body, body.length - bytes); return this; }
        Raw packed(byte[] value) { packed = value; return this; }
        byte[] packedBody() throws Exception { return compress(codec, body); }

        byte[] bytes() throws Exception {
            byte[] records = packed != null ? packed : packedBody();
            ByteBuffer out = ByteBuffer.allocate(61 + records.length);
            out.putLong(baseOffset).putInt(out.capacity() - 12).putInt(leaderEpoch).put((byte) 2).putInt(0);
            out.putShort((short) (attributes | codec)).putInt(lastOffsetDelta).putLong(baseTimestamp).putLong(maxTimestamp);
            out.putLong(producerId).putShort((short) producerEpoch).putInt(baseSequence).putInt(count).put(records);
            out.putInt(17, (int) Crc32C.compute(out.array(), 21, out.capacity() - 21));
            return out.array();
        }
    }

    static byte[] rec(long timestampDelta, int offsetDelta) {
        return rec(timestampDelta, offsetDelta, 0);
    }

    static byte[] rec(long timestampDelta, int offsetDelta, int attributes) {
        byte[] body = body(timestampDelta, offsetDelta);
        body[0] = (byte) attributes;
        return rawRec(0, body);
    }

    static byte[] body(long timestampDelta, int offsetDelta) {
        return concat(new byte[] {0}, varlong(timestampDelta), varint(offsetDelta), varint(1), "k".getBytes(), varint(5),
            "value".getBytes(), varint(2), varint(1), "h".getBytes(), varint(1), "1".getBytes(), varint(1), "h".getBytes(), varint(-1));
    }

    static byte[] keyless(int offsetDelta) {
        return rawRec(0, concat(new byte[] {0}, varlong(0), varint(offsetDelta), varint(-1), varint(1), "v".getBytes(), varint(0)));
    }

    static byte[] rawRec(int sizeError, byte[] body) {
        return concat(varint(body.length + sizeError), body);
    }

    static byte[] varint(int value) {
        ByteBuffer out = ByteBuffer.allocate(5);
        ByteUtils.writeVarint(value, out);
        return Arrays.copyOf(out.array(), out.position());
    }

    static byte[] varlong(long value) {
        ByteBuffer out = ByteBuffer.allocate(10);
        ByteUtils.writeVarlong(value, out);
        return Arrays.copyOf(out.array(), out.position());
    }

    static byte[] compress(int codec, byte[] body) throws Exception {
        ByteBufferOutputStream out = new ByteBufferOutputStream(512);
        try (OutputStream packed = Compression.of(CompressionType.forId(codec)).build().wrapForOutput(out, (byte) 2)) {
            packed.write(body);
        }
        out.buffer().flip();
        byte[] bytes = new byte[out.buffer().remaining()];
        out.buffer().get(bytes);
        return bytes;
    }

    static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts)
            out.writeBytes(part);
        return out.toByteArray();
    }

    static byte[] put(byte[] bytes, int at, int value) {
        byte[] copy = bytes.clone();
        ByteBuffer.wrap(copy).putInt(at, value);
        return copy;
    }

    static byte[] bytes(MemoryRecords records) {
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        return bytes;
    }

    // The way of a Produce request through KafkaApis and ReplicaManager.
    static void ask(String name, Rules rules, byte[] batch) throws Exception {
        Errors error = Errors.NONE;
        String message = "";
        String recordErrors = "";
        String stored = "";
        File dir = new File(root, ++logs + "/orders-7");
        dir.mkdirs();
        UnifiedLog log = UnifiedLog.create(dir, rules.config(), 0L, 0L, scheduler, new BrokerTopicStats(), new FixedTime(), 60_000,
            new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(1), true, Optional.empty());
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(batch.clone()));
            ProduceRequest.validateRecords(rules.version, records);
            log.appendAsLeader(records, 0, rules.origin);
            log.flush(true);
            byte[] written = Files.readAllBytes(new File(dir, "00000000000000000000.log").toPath());
            byte[] expected = batch.clone();
            System.arraycopy(written, 0, expected, 0, Math.min(16, expected.length));
            stored = Arrays.equals(written, expected) ? "=" : HEX.formatHex(written);
        } catch (RecordValidationException e) {
            error = Errors.forException(e.invalidException());
            message = e.invalidException().getMessage();
            recordErrors = e.recordErrors().stream().map(r -> r.batchIndex + ":" + r.message).collect(Collectors.joining("|"));
        } catch (Throwable e) {
            error = Errors.forException(e);
        }
        log.close();
        System.out.println(String.join("\t", name, rules.toString(), HEX.formatHex(batch), Short.toString(error.code()), message,
            recordErrors, stored));
    }

    static class FixedTime implements Time {
        public long milliseconds() { return NOW; }
        public long nanoseconds() { return NOW * 1_000_000; }
        public void sleep(long ms) { }
        public void waitObject(Object o, Supplier<Boolean> condition, long deadline) { }
    }
}
