import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.TopicDescription;

/** What current clients call otherwise than old ones. */
final class Version {
    private Version() {}

    static Future<TopicDescription> describe(AdminClient admin, String topic) {
        return admin.describeTopics(Set.of(topic)).topicNameValues().get(topic);
    }

    static String logDirs(AdminClient admin, int node) throws Exception {
        return admin.describeLogDirs(Set.of(node)).allDescriptions().get().toString();
    }
}
