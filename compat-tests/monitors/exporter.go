package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	. "ottla.compat/gotest"
)

// told is what a scrape tells: values by name and labels.
type told map[string]float64

// series is the name of a metric with its labels in order, as they are told by anybody.
func series(name string, labels ...string) string {
	slices.Sort(labels)
	return name + "{" + strings.Join(labels, ",") + "}"
}

func (t told) partition(name string, partition int32, value int64, labels ...string) {
	t[series(name, append([]string{"topic=" + orders, fmt.Sprintf("partition=%d", partition)}, labels...)...)] = float64(value)
}

// watched is what there is to tell of what was set up, under the names of kafka_exporter.
func watched() told {
	out := told{series("kafka_brokers"): 1, series("kafka_topic_partitions", "topic="+orders): partitions}
	for partition := range int32(partitions) {
		out.partition("kafka_topic_partition_current_offset", partition, produced)
		out.partition("kafka_topic_partition_oldest_offset", partition, oldest(partition))
		out.partition("kafka_topic_partition_leader", partition, 1)
		out.partition("kafka_topic_partition_leader_is_preferred", partition, 1)
		out.partition("kafka_topic_partition_replicas", partition, 1)
		out.partition("kafka_topic_partition_in_sync_replica", partition, 1)
		out.partition("kafka_topic_partition_under_replicated_partition", partition, 0)
		out.partition("kafka_consumergroup_current_offset", partition, billed, "consumergroup="+billing)
		out.partition("kafka_consumergroup_lag", partition, produced-billed, "consumergroup="+billing)
		out.partition("kafka_consumergroup_current_offset", partition, shipped, "consumergroup="+shipping)
		out.partition("kafka_consumergroup_lag", partition, produced-shipped, "consumergroup="+shipping)
	}
	out.partition("kafka_consumergroup_current_offset", 1, produced, "consumergroup="+archive)
	out.partition("kafka_consumergroup_lag", 1, 0, "consumergroup="+archive)
	for group, sums := range map[string][2]float64{
		billing:  {partitions * billed, partitions * (produced - billed)},
		shipping: {partitions * shipped, partitions * (produced - shipped)},
	} {
		out[series("kafka_consumergroup_current_offset_sum", "topic="+orders, "consumergroup="+group)] = sums[0]
		out[series("kafka_consumergroup_lag_sum", "topic="+orders, "consumergroup="+group)] = sums[1]
	}
	out[series("kafka_consumergroup_lag_sum", "topic="+orders, "consumergroup="+archive)] = 0
	out[series("kafka_consumergroup_members", "consumergroup="+billing)] = 1
	out[series("kafka_consumergroup_members", "consumergroup="+archive)] = 0
	return out
}

// same panics unless everything wanted is there, and the same.
func same(got, want told) {
	for name, value := range want {
		if found, ok := got[name]; !ok || found != value {
			panic(fmt.Sprintf("%s: want %v, got %v (there: %v)", name, value, found, ok))
		}
	}
}

func kafkaExporter() { same(scrapeAsKafkaExporter(), watched()) }

// scrapeAsKafkaExporter asks what kafka_exporter 1.9 asks at its start and on each scrape, with the client that it has and the
// version of Kafka that it believes in unless it is told otherwise.
func scrapeAsKafkaExporter() told {
	config := sarama.NewConfig()
	config.ClientID, config.Version, config.Metadata.AllowAutoTopicCreation = "kafka_exporter", sarama.V2_0_0_0, false
	client := Must(sarama.NewClient([]string{Bootstrap}, config))
	defer client.Close()
	Check(client.RefreshMetadata())
	out := told{series("kafka_brokers"): float64(len(client.Brokers()))}
	all := map[string][]int32{}
	for _, topic := range Must(client.Topics()) {
		all[topic] = Must(client.Partitions(topic))
		out[series("kafka_topic_partitions", "topic="+topic)] = float64(len(all[topic]))
		for _, partition := range all[topic] {
			exportPartition(out, client, topic, partition)
		}
	}
	for _, broker := range client.Brokers() {
		exportGroups(out, client, broker, all)
	}
	return out
}

func exportPartition(out told, client sarama.Client, topic string, partition int32) {
	tell := func(name string, value int64) {
		out[series("kafka_topic_partition_"+name, "topic="+topic, fmt.Sprintf("partition=%d", partition))] = float64(value)
	}
	leader := Must(client.Leader(topic, partition))
	replicas, inSync := Must(client.Replicas(topic, partition)), Must(client.InSyncReplicas(topic, partition))
	tell("leader", int64(leader.ID()))
	tell("current_offset", Must(client.GetOffset(topic, partition, sarama.OffsetNewest)))
	tell("oldest_offset", Must(client.GetOffset(topic, partition, sarama.OffsetOldest)))
	tell("replicas", int64(len(replicas)))
	tell("in_sync_replica", int64(len(inSync)))
	tell("leader_is_preferred", one(leader.ID() == replicas[0]))
	tell("under_replicated_partition", one(len(inSync) < len(replicas)))
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func exportGroups(out told, client sarama.Client, broker *sarama.Broker, all map[string][]int32) {
	if err := broker.Open(client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		panic(err)
	}
	listed := Must(broker.ListGroups(&sarama.ListGroupsRequest{}))
	Equal(listed.Err, sarama.ErrNoError, "the list of groups")
	var names []string
	for name := range listed.Groups {
		names = append(names, name)
	}
	for _, group := range Must(broker.DescribeGroups(&sarama.DescribeGroupsRequest{Groups: names})).Groups {
		Equal(group.Err, sarama.ErrNoError, "the description of "+group.GroupId)
		out[series("kafka_consumergroup_members", "consumergroup="+group.GroupId)] = float64(len(group.Members))
		for _, member := range group.Members {
			Must(member.GetMemberAssignment())
		}
		request := sarama.OffsetFetchRequest{ConsumerGroup: group.GroupId, Version: 4}
		for topic, partitions := range all {
			for _, partition := range partitions {
				request.AddPartition(topic, partition)
			}
		}
		for topic, blocks := range Must(broker.FetchOffset(&request)).Blocks {
			exportOffsets(out, client, group.GroupId, topic, blocks)
		}
	}
}

func exportOffsets(out told, client sarama.Client, group, topic string, blocks map[int32]*sarama.OffsetFetchResponseBlock) {
	var offsets, lags int64
	for partition, block := range blocks {
		Equal(block.Err, sarama.ErrNoError, "an offset of "+group)
		if block.Offset == -1 {
			continue
		}
		labels := []string{"consumergroup=" + group, "topic=" + topic, fmt.Sprintf("partition=%d", partition)}
		lag := Must(client.GetOffset(topic, partition, sarama.OffsetNewest)) - block.Offset
		out[series("kafka_consumergroup_current_offset", labels...)] = float64(block.Offset)
		out[series("kafka_consumergroup_lag", labels...)] = float64(lag)
		offsets, lags = offsets+block.Offset, lags+lag
	}
	out[series("kafka_consumergroup_current_offset_sum", "consumergroup="+group, "topic="+topic)] = float64(offsets)
	out[series("kafka_consumergroup_lag_sum", "consumergroup="+group, "topic="+topic)] = float64(lags)
}

// --- the broker's own

// metricsAreTheExporters: who scrapes the broker needs no exporter beside it.
func metricsAreTheExporters() {
	want := watched()
	want[series("kafka_consumergroup_members", "consumergroup="+shipping)] = 1
	same(scrape(), want)
}

var (
	line  = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	label = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

func scrape() told {
	out := told{}
	for _, row := range strings.Split(get("http://"+metricsAddress()+"/metrics"), "\n") {
		parts := line.FindStringSubmatch(row)
		if parts == nil {
			continue
		}
		var labels []string
		for _, pair := range label.FindAllStringSubmatch(parts[2], -1) {
			labels = append(labels, pair[1]+"="+pair[2])
		}
		out[series(parts[1], labels...)] = Must(strconv.ParseFloat(parts[3], 64))
	}
	return out
}

var answered = regexp.MustCompile(`metrics are answered on http://([^/]+)/metrics`)

// metricsAddress is what the broker has said at its start.
func metricsAddress() string {
	found := answered.FindSubmatch(Must(os.ReadFile(os.Getenv("BROKER_DIR") + "/server.log")))
	if found == nil {
		panic("the broker does not say where its metrics are")
	}
	return string(found[1])
}

// get is the text at an address; empty where nobody answers, or not with 200.
func get(url string) string {
	asking := http.Client{Timeout: 10 * time.Second}
	answer, err := asking.Get(url)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}
