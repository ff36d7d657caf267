import java.util.Collections;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.TopicDescription;

/** What old clients call otherwise than current ones. */
final class Version {
    private Version() {}

    static Future<TopicDescription> describe(AdminClient admin, String topic) {
        return admin.describeTopics(Collections.singleton(topic)).values().get(topic);
    }

    static String logDirs(AdminClient admin, int node) throws Exception {
        StringBuilder out = new StringBuilder();
        admin.describeLogDirs(Collections.singleton(node)).all().get().get(node)
                .values().forEach(dir -> out.append(dir.error).append(dir.replicaInfos.keySet()));
        return out.toString();
    }
}
