// Exporters and user interfaces: one cluster is set up, and everything that people watch clusters with is to tell the same of it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	. "ottla.compat/gotest"
)

func main() {
	setUp()
	Test("kafka-exporter", kafkaExporter)
	Test("kminion", kminion)
	Test("kminion-reads-the-topic-of-offsets", kminionOffsetsTopic)
	Test("kminion-end-to-end", kminionEndToEnd)
	Test("console-start", consoleStart)
	Test("console-topics", consoleTopics)
	Test("console-messages", consoleMessages)
	Test("console-groups", consoleGroups)
	Test("console-security-and-operations", consoleOperations)
	Test("console-version", consoleVersion)
	Test("console-users", consoleUsers)
	Test("kafka-ui", func() { userInterface("kafbat") })
	Test("akhq", func() { userInterface("akhq") })
	Test("burrow", burrow)
	if os.Getenv("SUBJECT_IS") == "ottla" {
		Test("metrics-are-kafka-exporter-s", metricsAreTheExporters)
		Test("prometheus", prometheus)
	}
	Main()
}

// What there is: a topic whose first partition has lost its first records, a group of the classic protocol and one of KIP-848,
// each with a member that stays, and one that has only committed.
const (
	partitions = 3
	produced   = 30
	deleted    = 5
	billed     = 10
	shipped    = 25
)

var (
	orders   = Topic("orders")
	billing  = Topic("billing")
	shipping = Topic("shipping")
	archive  = Topic("archive")
	ctx      = context.Background()
	client   *kgo.Client
	admin    *kadm.Client
	biller   *kgo.Client
)

func setUp() {
	client = Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())))
	admin = kadm.NewClient(client)
	policy := "delete"
	Check(Must(admin.CreateTopic(ctx, partitions, 1, map[string]*string{"cleanup.policy": &policy}, orders)).Err)
	var records []*kgo.Record
	for partition := range int32(partitions) {
		for n := range produced {
			records = append(records, &kgo.Record{Topic: orders, Partition: partition, Key: fmt.Appendf(nil, "key %d", n), Value: value(partition, n)})
		}
	}
	within, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	Check(client.ProduceSync(within, records...).FirstErr())
	before := kadm.Offsets{}
	before.AddOffset(orders, 0, deleted, -1)
	_, err := admin.DeleteRecords(within, before)
	Check(err)
	biller = member(within, billing, billed)
	member(context.WithValue(within, "opt_in_kafka_next_gen_balancer_beta", true), shipping, shipped)
	only := kadm.Offsets{}
	only.AddOffset(orders, 1, produced, -1)
	Check(Must(admin.CommitOffsets(within, archive, only)).Error())
}

func value(partition int32, n int) []byte {
	return fmt.Appendf(nil, `{"order": %d, "of": %d}`, n, partition)
}

// member joins a group, waits until it has every partition, and commits this offset of each. It lives until the program ends.
func member(within context.Context, group string, offset int64) *kgo.Client {
	assigned := make(chan int, partitions)
	joined := Must(kgo.NewClient(
		kgo.SeedBrokers(Bootstrap), kgo.ClientID("member"), kgo.WithContext(context.WithoutCancel(within)), kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(orders), kgo.DisableAutoCommit(), kgo.Balancers(kgo.RangeBalancer()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) { assigned <- len(got[orders]) }),
	))
	for left := partitions; left > 0; {
		select {
		case count := <-assigned:
			left -= count
		case <-within.Done():
			panic("group " + group + " was not assigned its partitions")
		}
	}
	commit(joined, offset)
	return joined
}

func commit(member *kgo.Client, offset int64) {
	offsets := map[int32]kgo.EpochOffset{}
	for partition := range int32(partitions) {
		offsets[partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	failed := fmt.Errorf("no answer")
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	member.CommitOffsetsSync(within, map[string]map[int32]kgo.EpochOffset{orders: offsets}, committed(&failed))
	Check(failed)
}

// oldest is where a partition begins.
func oldest(partition int32) int64 {
	if partition == 0 {
		return deleted
	}
	return 0
}

// userInterface has Uis.java ask what one of them asks.
func userInterface(name string) {
	command := strings.Fields(os.Getenv("JAVA"))
	within, cancel := context.WithTimeout(ctx, 50*time.Second)
	defer cancel()
	running := exec.CommandContext(within, command[0], append(command[1:], "Uis", name)...)
	running.Env = append(os.Environ(), "ORDERS="+orders, "BILLING="+billing, "SHIPPING="+shipping, "ARCHIVE="+archive)
	defer endsWithThis(running)()
	if told, err := running.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, told))
	}
}
