import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's tools one after the other in one JVM: a JSON object with class, args and stdin a line in, one with rc, out and err
 * a line out. Who gives seconds waits longer than a minute; an id comes back with the answer.
 */
public class JavaTools {
    static class Exited extends RuntimeException {
        final int status;

        Exited(int status) {
            super("exited", null, false, false);
            this.status = status;
        }
    }

    @SuppressWarnings("removal")
    public static void main(String[] arguments) throws Exception {
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<Runnable> hooks = new ArrayList<>();
        int[] status = {-1};
        Exit.setExitProcedure((code, message) -> {
            if (status[0] < 0) status[0] = code;
            throw new Exited(code);
        });
        Exit.setHaltProcedure((code, message) -> {
            if (status[0] < 0) status[0] = code;
            throw new Exited(code);
        });
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        // argparse4j ends the process itself.
        System.setSecurityManager(new SecurityManager() {
            @Override
            public void checkExit(int code) {
                if (status[0] < 0) status[0] = code;
                throw new Exited(code);
            }

            @Override
            public void checkPermission(Permission permission) { }
        });
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Map<?, ?> call = json.readValue(line, Map.class);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            System.setIn(new ByteArrayInputStream(((String) call.get("stdin")).getBytes(StandardCharsets.UTF_8)));
            status[0] = -1;
            hooks.clear();
            Thread runner = new Thread(() -> {
                try {
                    Class<?> tool = Class.forName((String) call.get("class"));
                    Object[] args = ((List<?>) call.get("args")).toArray(new String[0]);
                    tool.getMethod("main", String[].class).invoke(null, (Object) args);
                } catch (InvocationTargetException error) {
                    if (!(error.getCause() instanceof Exited)) {
                        System.err.print("Exception in thread \"main\" ");
                        error.getCause().printStackTrace();
                        if (status[0] < 0) status[0] = 1;
                    }
                } catch (Throwable error) {
                    error.printStackTrace();
                    status[0] = 99;
                }
                // Hooks that wait for the tool's own end find it ended.
                for (Runnable hook : hooks) {
                    Thread thread = new Thread(hook);
                    thread.setDaemon(true);
                    thread.start();
                    try {
                        thread.join(5000);
                    } catch (InterruptedException error) {
                        return;
                    }
                }
            });
            runner.start();
            runner.join(call.get("seconds") instanceof Integer seconds ? seconds * 1000L : 60000);
            Map<String, Object> answer = new LinkedHashMap<>();
            if (call.get("id") != null) answer.put("id", call.get("id"));
            answer.put("rc", runner.isAlive() ? 124 : Math.max(status[0], 0));
            answer.put("out", out.toString(StandardCharsets.UTF_8));
            answer.put("err", err.toString(StandardCharsets.UTF_8));
            answers.println(json.writeValueAsString(answer));
        }
        Runtime.getRuntime().halt(0);
    }
}
