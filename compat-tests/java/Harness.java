import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Inputs, and a runner that prints the lines which tally.py reads. */
final class Harness {
    interface Case {
        void run() throws Exception;
    }

    static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    private static final String RUN = "java-" + System.currentTimeMillis();
    private static final Map<String, Case> CASES = new LinkedHashMap<>();

    private Harness() {}

    static void test(String name, Case body) {
        CASES.put(name, body);
    }

    /** A topic name that no other run uses. */
    static String topic(String name) {
        return RUN + "-" + name;
    }

    /** Runs every test, each with a minute. */
    static void main(String[] wanted) {
        String label = System.getenv().getOrDefault("LABEL", "");
        List<String> only = Arrays.asList(wanted);
        ExecutorService runner = Executors.newCachedThreadPool(r -> {
            Thread thread = new Thread(r);
            thread.setDaemon(true);
            return thread;
        });
        CASES.forEach((name, body) -> {
            if (!only.isEmpty() && !only.contains(name)) return;
            Future<?> running = runner.submit((Callable<Void>) () -> {
                body.run();
                return null;
            });
            try {
                running.get(60, TimeUnit.SECONDS);
                System.out.println("ok " + label + name);
            } catch (Throwable error) {
                running.cancel(true);
                Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
                System.out.println("not ok " + label + name + ": " + where(cause) + String.valueOf(cause).replace('\n', ' '));
            }
        });
        System.out.println("end");
        System.out.flush();
        System.exit(0);
    }

    private static String where(Throwable error) {
        for (StackTraceElement frame : error.getStackTrace()) {
            if (frame.getFileName() != null && frame.getFileName().matches("(Suite|Newest)\\.java")) {
                return frame.getFileName() + ":" + frame.getLineNumber() + ": ";
            }
        }
        return "";
    }

    static void equal(Object got, Object want, String what) {
        if (!Objects.deepEquals(got, want)) {
            throw new AssertionError(what + ": want " + brief(want) + ", got " + brief(got));
        }
    }

    private static String brief(Object value) {
        String text = value instanceof Object[] ? Arrays.deepToString((Object[]) value) : String.valueOf(value);
        return text.length() <= 300 ? text : text.substring(0, 200) + "... (" + text.length() + " characters)";
    }

    /** `call` must fail with `kind` (the cause of a failed future counts); the error is returned. */
    static <E extends Throwable> E refused(Class<E> kind, Callable<?> call) throws Exception {
        Object answer;
        try {
            answer = call.call();
        } catch (Throwable error) {
            Throwable cause = error;
            while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null) {
                cause = cause.getCause();
            }
            if (kind.isInstance(cause)) return kind.cast(cause);
            throw new AssertionError("want " + kind.getSimpleName() + ", got " + cause, cause);
        }
        throw new AssertionError("want " + kind.getSimpleName() + ", got no error but " + answer);
    }

    /** Polls until `check` is true, for 20 seconds at most. */
    static void eventually(String what, Callable<Boolean> check) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!check.call()) {
            if (System.nanoTime() > deadline) throw new AssertionError("never: " + what);
            Thread.sleep(50);
        }
    }

    /** Text, random bytes, every byte value; some null keys, some empty values. */
    static List<byte[][]> rows(int count, long seed) {
        Random random = new Random(seed);
        List<byte[][]> out = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            byte[] key;
            switch (n % 4) {
                case 0: key = ("ключ-" + n + "-鍵-🔑").getBytes(java.nio.charset.StandardCharsets.UTF_8); break;
                case 1: key = bytes(random, 1 + random.nextInt(30)); break;
                case 2: key = null; break;
                default: key = everyByte();
            }
            byte[] value;
            switch (n % 3) {
                case 0: value = bytes(random, 1 + random.nextInt(300)); break;
                case 1: value = new byte[0]; break;
                default: value = ("строка repeats and repeats " + n).getBytes(java.nio.charset.StandardCharsets.UTF_8);
            }
            out.add(new byte[][] {key, value});
        }
        return out;
    }

    static byte[] bytes(Random random, int size) {
        byte[] out = new byte[size];
        random.nextBytes(out);
        return out;
    }

    static byte[] everyByte() {
        byte[] out = new byte[256];
        for (int n = 0; n < 256; n++) out[n] = (byte) n;
        return out;
    }
}
