// franz-go: produces, consumes assigned partitions, administers.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	. "ottla.compat/gotest"
)

var (
	ctx    = context.Background()
	client = Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap)))
	admin  = kadm.NewClient(client)
	codecs = map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "host":
			HostMembers(runMember)
			return
		case "app":
			runApp()
			return
		}
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		Test("codec-"+codec, func() { codecTest(codec) })
		Test("not-idempotent-"+codec, func() { notIdempotent(codec) })
		Test("large-records-"+codec, func() { largeRecords(codec) })
	}
	Test("acks-0", func() { acks("acks-0", kgo.NoAck()) })
	Test("acks-1", func() { acks("acks-1", kgo.LeaderAck()) })
	Test("acks-all", func() { acks("acks-all", kgo.AllISRAcks()) })
	Test("headers", headers)
	Test("tombstones", tombstones)
	Test("refused-records", refusedRecords)
	Test("topic-is-created-by-the-first-record", autoCreation)
	Test("unknown-topic", unknownTopic)
	Test("timestamps", timestamps)
	Test("empty-topic", emptyTopic)
	Test("consume-from-each-place", places)
	Test("offset-out-of-range", outOfRange)
	Test("waiting-consumer-gets-new-records", waitingConsumer)
	Test("many-partitions", manyPartitions)
	Test("cluster-metadata", clusterMetadata)
	Test("create-topics", createTopics)
	Test("create-topic-refusals", createTopicRefusals)
	Test("delete-topics", deleteTopics)
	Test("add-partitions", addPartitions)
	Test("topic-configs", topicConfigs)
	Test("broker-configs", brokerConfigs)
	Test("delete-records", deleteRecords)
	Test("list-offsets", listOffsets)
	Test("offset-for-leader-epoch", leaderEpoch)
	Test("log-dirs", logDirs)
	Test("leaders-and-reassignments", leaders)
	Test("describe-producers", describeProducers)
	Test("acls-are-disabled", acls)
	Test("api-versions", apiVersions)
	Test("every-metadata-version", metadataVersions)
	Main()
}

// --- produce and consume

func records(topic string, rows []Row) []*kgo.Record {
	out := make([]*kgo.Record, len(rows))
	for n, row := range rows {
		out[n] = &kgo.Record{Topic: topic, Key: row.Key, Value: row.Value}
	}
	return out
}

func produce(records []*kgo.Record, options ...kgo.Opt) error {
	base := []kgo.Opt{
		kgo.SeedBrokers(Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.AllowAutoTopicCreation(), kgo.MetadataMinAge(100 * time.Millisecond),
	}
	producer := Must(kgo.NewClient(append(base, options...)...))
	defer producer.Close()
	within, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	return producer.ProduceSync(within, records...).FirstErr()
}

// consume reads each partition from offset up to its end, which is asked for beforehand.
func consume(topic string, offset kgo.Offset, options ...kgo.Opt) []*kgo.Record {
	ends := Must(admin.ListEndOffsets(ctx, topic))
	Check(ends.Error())
	starts := Must(admin.ListStartOffsets(ctx, topic))
	places := map[int32]kgo.Offset{}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		places[o.Partition] = offset
		start := offset.EpochOffset().Offset
		switch {
		case start == -1:
			start = o.Offset
		case start < 0:
			first, _ := starts.Lookup(topic, o.Partition)
			start = first.Offset
		}
		left += o.Offset - start
	})
	base := []kgo.Opt{
		kgo.SeedBrokers(Bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: places}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}
	reader := Must(kgo.NewClient(append(base, options...)...))
	defer reader.Close()
	var out []*kgo.Record
	within, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for int64(len(out)) < left {
		fetches := reader.PollFetches(within)
		Check(fetches.Err())
		out = append(out, fetches.Records()...)
	}
	return out
}

func beginning() kgo.Offset { return kgo.NewOffset().AtStart() }

func rowsOf(records []*kgo.Record) []Row {
	out := make([]Row, len(records))
	for n, record := range records {
		out[n] = Row{record.Key, record.Value}
	}
	return out
}

func create(name string, partitions int32, configs ...string) string {
	Check(tryCreate(name, partitions, 1, configs...))
	Eventually("partitions of "+name, func() bool { return partitionCount(name) == int(partitions) })
	return name
}

func tryCreate(name string, partitions int32, replication int16, configs ...string) error {
	overrides := map[string]*string{}
	for n := 0; n < len(configs); n += 2 {
		overrides[configs[n]] = &configs[n+1]
	}
	answer, err := admin.CreateTopic(ctx, partitions, replication, overrides, name)
	if err != nil {
		return err
	}
	return answer.Err
}

func partitionCount(name string) int {
	return len(Must(admin.ListTopics(ctx, name))[name].Partitions)
}

// refused panics unless err is the wanted one.
func refused(err, want error) {
	if !errors.Is(err, want) {
		panic(fmt.Sprintf("want %v, got %v", want, err))
	}
}

func codecTest(codec string) {
	t := create(Topic("codec-"+codec), 1)
	rows := Rows(2000, 1)
	Check(produce(records(t, rows), kgo.ProducerBatchCompression(codecs[codec]), kgo.ProducerBatchMaxBytes(20_000)))
	Equal(rowsOf(consume(t, beginning())), rows, "records")
}

func notIdempotent(codec string) {
	t := create(Topic("plain-"+codec), 1)
	rows := Rows(500, 2)
	Check(produce(records(t, rows), kgo.ProducerBatchCompression(codecs[codec]), kgo.DisableIdempotentWrite()))
	Equal(rowsOf(consume(t, beginning())), rows, "records")
}

func largeRecords(codec string) {
	t := create(Topic("large-"+codec), 1)
	text := make([]byte, 900_000)
	for n := range text {
		text[n] = "0123456789abcdef"[n%16]
	}
	rows := []Row{{[]byte("random"), Random(rand.New(rand.NewSource(5)), 990_000)}, {[]byte("text"), text}, {[]byte("last"), []byte("x")}}
	Check(produce(records(t, rows), kgo.ProducerBatchCompression(codecs[codec])))
	Equal(rowsOf(consume(t, beginning())), rows, "records")
	Equal(rowsOf(consume(t, beginning(), kgo.FetchMaxPartitionBytes(1000), kgo.FetchMaxBytes(2000))), rows, "fetched in small steps")
}

func acks(name string, level kgo.Acks) {
	t := create(Topic(name), 1)
	rows := Rows(300, 3)
	Check(produce(records(t, rows), kgo.RequiredAcks(level), kgo.DisableIdempotentWrite()))
	Eventually("300 records", func() bool { return len(consume(t, beginning())) == 300 })
	Equal(rowsOf(consume(t, beginning())), rows, "records")
}

func headers() {
	t := create(Topic("headers"), 1)
	sent := []kgo.RecordHeader{
		{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}, {Key: "a", Value: []byte("2")}, {Key: "null"},
		{Key: "ключ-鍵", Value: EveryByte()}, {Key: "", Value: []byte("empty key")}, {Key: "\xff\xfe", Value: []byte("not UTF-8")},
	}
	Check(produce([]*kgo.Record{{Topic: t, Value: []byte("v"), Headers: sent}, {Topic: t, Value: []byte("none")}}))
	got := consume(t, beginning())
	Equal(got[0].Headers, sent, "headers")
	Equal(len(got[1].Headers), 0, "headers of the second record")
}

func tombstones() {
	t := create(Topic("tombstones"), 1, "cleanup.policy", "compact")
	rows := []Row{{[]byte("a"), []byte("1")}, {[]byte("a"), nil}, {[]byte{}, nil}}
	Check(produce(records(t, rows)))
	Equal(rowsOf(consume(t, beginning())), rows, "records")
}

func refusedRecords() {
	compacted := create(Topic("compacted"), 1, "cleanup.policy", "compact")
	refused(produce(records(compacted, []Row{{nil, []byte("v")}})), kerr.InvalidRecord)
	small := create(Topic("small"), 1, "max.message.bytes", "1000")
	refused(produce(records(small, []Row{{nil, Random(rand.New(rand.NewSource(1)), 2000)}})), kerr.MessageTooLarge)
	Equal(len(consume(small, beginning())), 0, "records")
	strict := create(Topic("strict-time"), 1, "message.timestamp.before.max.ms", "10000")
	old := &kgo.Record{Topic: strict, Value: []byte("v"), Timestamp: time.Now().Add(-time.Hour)}
	refused(produce([]*kgo.Record{old}), kerr.InvalidTimestamp)
}

func autoCreation() {
	t := Topic("auto")
	Check(produce(records(t, Rows(3, 1))))
	Equal(rowsOf(consume(t, beginning())), Rows(3, 1), "records")
}

func unknownTopic() {
	t := Topic("missing")
	options := []kgo.Opt{kgo.SeedBrokers(Bootstrap), kgo.UnknownTopicRetries(1)}
	producer := Must(kgo.NewClient(options...))
	defer producer.Close()
	refused(producer.ProduceSync(ctx, &kgo.Record{Topic: t, Value: []byte("v")}).FirstErr(), kerr.UnknownTopicOrPartition)
	refused(Must(admin.ListTopics(ctx, t))[t].Err, kerr.UnknownTopicOrPartition)
}

func timestamps() {
	now := time.Now().Truncate(time.Millisecond)
	t := create(Topic("create-time"), 1)
	stamps := []time.Time{now.Add(-5 * time.Second), now, now.Add(-9 * time.Second)}
	var out []*kgo.Record
	for _, stamp := range stamps {
		out = append(out, &kgo.Record{Topic: t, Value: []byte("v"), Timestamp: stamp})
	}
	Check(produce(out))
	for n, record := range consume(t, beginning()) {
		Equal(record.Timestamp.UnixMilli(), stamps[n].UnixMilli(), "timestamp")
		Equal(record.Attrs.TimestampType(), int8(0), "kind")
	}
	for _, codec := range []string{"none", "zstd"} {
		t = create(Topic("append-time-"+codec), 1, "message.timestamp.type", "LogAppendTime")
		old := &kgo.Record{Topic: t, Value: []byte("v"), Timestamp: now.Add(-time.Hour)}
		Check(produce([]*kgo.Record{old}, kgo.ProducerBatchCompression(codecs[codec])))
		record := consume(t, beginning())[0]
		Equal(record.Attrs.TimestampType(), int8(1), "kind")
		Equal(record.Timestamp.Sub(now).Abs() < time.Minute, true, "broker's own time")
	}
}

func emptyTopic() {
	t := create(Topic("empty"), 2)
	Equal(len(consume(t, beginning())), 0, "records")
	Must(admin.ListEndOffsets(ctx, t)).Each(func(o kadm.ListedOffset) { Equal(o.Offset, int64(0), "end") })
}

func places() {
	t := create(Topic("places"), 1)
	start := time.Now().Add(-100 * time.Second).Truncate(time.Millisecond)
	rows := Rows(300, 5)
	out := records(t, rows)
	for n, record := range out {
		record.Timestamp = start.Add(time.Duration(n) * 10 * time.Millisecond)
	}
	Check(produce(out, kgo.ProducerBatchCompression(codecs["lz4"]), kgo.ProducerBatchMaxBytes(2000)))
	Equal(rowsOf(consume(t, beginning())), rows, "from the beginning")
	Equal(len(consume(t, kgo.NewOffset().AtEnd())), 0, "from the end")
	for _, offset := range []int64{0, 1, 17, 64, 299} {
		got := consume(t, kgo.NewOffset().At(offset))
		Equal(got[0].Offset, offset, "first offset")
		Equal(rowsOf(got), rows[offset:], fmt.Sprint("from ", offset))
	}
	for _, pair := range [][2]int64{{-1, 0}, {0, 0}, {1, 1}, {640, 64}, {2990, 299}} {
		found := Must(admin.ListOffsetsAfterMilli(ctx, start.UnixMilli()+pair[0], t))[t][0]
		Equal(found.Offset, pair[1], fmt.Sprint("offset at ", pair[0]))
		Equal(found.Timestamp, start.UnixMilli()+pair[1]*10, "its time")
	}
	reader := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		t: {0: kgo.NewOffset().AfterMilli(start.UnixMilli() + 1995)},
	})))
	defer reader.Close()
	Equal(reader.PollFetches(ctx).Records()[0].Offset, int64(200), "consumed from a timestamp")
}

func outOfRange() {
	t := create(Topic("range"), 1)
	Check(produce(records(t, Rows(10, 1))))
	places := kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t: {0: kgo.NewOffset().At(50)}})
	strict := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), places, kgo.ConsumeResetOffset(kgo.NoResetOffset())))
	defer strict.Close()
	refused(strict.PollFetches(ctx).Err(), kerr.OffsetOutOfRange)
	lenient := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), places, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	defer lenient.Close()
	Equal(lenient.PollFetches(ctx).Records()[0].Offset, int64(0), "offset after the reset")
}

func waitingConsumer() {
	t := create(Topic("tail"), 1)
	reader := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.FetchMaxWait(5*time.Second),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t: {0: beginning()}})))
	defer reader.Close()
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	Equal(len(reader.PollFetches(short).Records()), 0, "records")
	started := time.Now()
	Check(produce(records(t, Rows(1, 1))))
	Equal(len(reader.PollFetches(ctx).Records()), 1, "records")
	Equal(time.Since(started) < 3*time.Second, true, "woken before the wait was over")
}

func manyPartitions() {
	t := create(Topic("many"), 12)
	rows := Rows(60, 6)
	var out []*kgo.Record
	for p := range int32(12) {
		for _, record := range records(t, rows) {
			record.Partition = p
			out = append(out, record)
		}
	}
	Check(produce(out))
	got := map[int32][]Row{}
	for _, record := range consume(t, beginning(), kgo.FetchMaxBytes(5000), kgo.FetchMaxPartitionBytes(2000)) {
		got[record.Partition] = append(got[record.Partition], Row{record.Key, record.Value})
	}
	for p := range int32(12) {
		Equal(got[p], rows, fmt.Sprint("partition ", p))
	}
}

// --- administration

func clusterMetadata() {
	t := create(Topic("metadata"), 3)
	metadata := Must(admin.Metadata(ctx, t))
	Equal(len(metadata.Cluster), 22, "length of the cluster id")
	broker := metadata.Brokers[0]
	Equal(fmt.Sprintf("%s:%d", broker.Host, broker.Port), Bootstrap, "address")
	Equal(metadata.Controller, broker.NodeID, "controller")
	for _, partition := range metadata.Topics[t].Partitions {
		Equal([]any{partition.Leader, partition.Replicas, partition.ISR}, []any{broker.NodeID, []int32{broker.NodeID}, []int32{broker.NodeID}}, "replicas")
	}
	request := kmsg.NewPtrDescribeClusterRequest()
	request.IncludeClusterAuthorizedOperations = true
	cluster := Must(request.RequestWith(ctx, client))
	Equal(cluster.ClusterID, metadata.Cluster, "cluster id")
	Equal(len(cluster.Brokers), 1, "brokers")
	Equal(cluster.ClusterAuthorizedOperations != -2147483648, true, "authorized operations")
}

func createTopics() {
	answer := Must(admin.CreateTopic(ctx, 2, 1, nil, Topic("details")))
	Check(answer.Err)
	Equal(answer.NumPartitions, int32(2), "partitions")
	Equal(answer.ReplicationFactor, int16(1), "replication")
	Equal(answer.ID == kadm.TopicID{}, false, "topic id is zero")
	Equal(*answer.Configs["cleanup.policy"].Value, "delete", "cleanup.policy")
	defaults := Must(admin.CreateTopic(ctx, -1, -1, nil, Topic("defaults")))
	Check(defaults.Err)
	Equal(defaults.NumPartitions, int32(1), "default partitions")
	dry := Must(admin.ValidateCreateTopics(ctx, 1, 1, nil, Topic("dry")))
	Check(dry[Topic("dry")].Err)
	Equal(Must(admin.ListTopics(ctx)).Has(Topic("dry")), false, "a validated topic exists")
}

func createTopicRefusals() {
	t := create(Topic("exists"), 1)
	bad := Topic("bad")
	refused(tryCreate(t, 1, 1), kerr.TopicAlreadyExists)
	refused(tryCreate(bad, 0, 1), kerr.InvalidPartitions)
	refused(tryCreate(bad, 1, 3), kerr.InvalidReplicationFactor)
	refused(tryCreate(bad, 1, 0), kerr.InvalidReplicationFactor)
	refused(tryCreate("bad name!", 1, 1), kerr.InvalidTopicException)
	refused(tryCreate("", 1, 1), kerr.InvalidTopicException)
	refused(tryCreate(bad, 1, 1, "no.such.key", "1"), kerr.InvalidConfig)
	refused(tryCreate(bad, 1, 1, "retention.ms", "soon"), kerr.InvalidConfig)
	refused(tryCreate(bad, 1, 1, "cleanup.policy", "shred"), kerr.InvalidConfig)
	Equal(Must(admin.ListTopics(ctx)).Has(bad), false, "a refused topic exists")
	// Two topics whose names collide once dots and underscores are taken for one another.
	Check(tryCreate(Topic("a.b"), 1, 1))
	refused(tryCreate(Topic("a_b"), 1, 1), kerr.InvalidTopicException)
}

func deleteTopics() {
	t := create(Topic("gone"), 1)
	Check(produce(records(t, Rows(10, 1))))
	Check(Must(admin.DeleteTopics(ctx, t)).Error())
	Eventually("gone", func() bool { return partitionCount(t) == 0 })
	create(t, 1)
	Equal(len(consume(t, beginning())), 0, "records of the topic created again")
	refused(Must(admin.DeleteTopics(ctx, Topic("never"))).Error(), kerr.UnknownTopicOrPartition)
}

func addPartitions() {
	t := create(Topic("grow"), 1)
	Check(Must(admin.ValidateUpdatePartitions(ctx, 4, t)).Error())
	Check(Must(admin.UpdatePartitions(ctx, 4, t)).Error())
	Eventually("four partitions", func() bool { return partitionCount(t) == 4 })
	Check(produce([]*kgo.Record{{Topic: t, Partition: 3, Value: []byte("v")}}))
	Equal(len(consume(t, beginning())), 1, "records")
	request := kmsg.NewPtrCreatePartitionsRequest()
	grown := kmsg.NewCreatePartitionsRequestTopic()
	grown.Topic, grown.Count = t, 2
	request.Topics = append(request.Topics, grown)
	unknown := kmsg.NewCreatePartitionsRequestTopic()
	unknown.Topic, unknown.Count = Topic("nope"), 4
	request.Topics = append(request.Topics, unknown)
	for _, topic := range Must(request.RequestWith(ctx, client)).Topics {
		if topic.Topic == t {
			refused(kerr.ErrorForCode(topic.ErrorCode), kerr.InvalidPartitions)
		} else {
			refused(kerr.ErrorForCode(topic.ErrorCode), kerr.UnknownTopicOrPartition)
		}
	}
}

// config is the value and the source of one topic setting.
func config(topic, key string) (string, kmsg.ConfigSource) {
	answer := Must(admin.DescribeTopicConfigs(ctx, topic))
	described := Must(answer.On(topic, nil))
	Check(described.Err)
	for _, entry := range described.Configs {
		if entry.Key == key {
			return *entry.Value, entry.Source
		}
	}
	panic("no " + key)
}

func topicConfigs() {
	t := create(Topic("configs"), 1, "retention.ms", "12345")
	value, source := config(t, "retention.ms")
	Equal([]any{value, source}, []any{"12345", kmsg.ConfigSourceDynamicTopicConfig}, "retention.ms")
	value, source = config(t, "max.message.bytes")
	Equal([]any{value, source}, []any{"1048588", kmsg.ConfigSourceDefaultConfig}, "max.message.bytes")
	alter := func(op kadm.IncrementalOp, key, value string) error {
		change := kadm.AlterConfig{Op: op, Name: key, Value: &value}
		return Must(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, t))[0].Err
	}
	is := func(key, want string) {
		Eventually(key+" is "+want, func() bool {
			value, _ := config(t, key)
			return value == want
		})
	}
	Check(alter(kadm.SetConfig, "max.message.bytes", "5000"))
	is("max.message.bytes", "5000")
	Check(alter(kadm.AppendConfig, "cleanup.policy", "compact"))
	is("cleanup.policy", "delete,compact")
	Check(alter(kadm.SubtractConfig, "cleanup.policy", "delete"))
	is("cleanup.policy", "compact")
	Check(alter(kadm.DeleteConfig, "retention.ms", ""))
	is("retention.ms", "604800000")
	refused(alter(kadm.SetConfig, "retention.ms", "x"), kerr.InvalidConfig)
	refused(alter(kadm.SetConfig, "no.such.key", "x"), kerr.InvalidConfig)
	refused(alter(kadm.AppendConfig, "retention.ms", "1"), kerr.InvalidConfig)
	// The legacy call replaces all overrides.
	value = "6000"
	Check(Must(admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "max.message.bytes", Value: &value}}, t))[0].Err)
	is("max.message.bytes", "6000")
	is("cleanup.policy", "delete")
	absent := Must(admin.DescribeTopicConfigs(ctx, Topic("absent")))
	refused(absent[0].Err, kerr.UnknownTopicOrPartition)
}

func brokerConfigs() {
	node := Must(admin.Metadata(ctx)).Brokers[0].NodeID
	described := Must(admin.DescribeBrokerConfigs(ctx, node))[0]
	Check(described.Err)
	values := map[string]string{}
	for _, entry := range described.Configs {
		values[entry.Key] = entry.MaybeValue()
	}
	Equal(values["message.max.bytes"], "1048588", "message.max.bytes")
	Equal(values["log.retention.hours"], "168", "log.retention.hours")
	Equal(values["node.id"], fmt.Sprint(node), "node.id")
}

func deleteRecords() {
	t := create(Topic("delete-records"), 1)
	rows := Rows(100, 7)
	Check(produce(records(t, rows), kgo.ProducerBatchMaxBytes(1500)))
	before := func(offset int64) (int64, error) {
		answer := Must(admin.DeleteRecords(ctx, kadm.Offsets{t: {0: {Topic: t, At: offset}}}))
		return answer[t][0].LowWatermark, answer[t][0].Err
	}
	Equal(Must(before(37)), int64(37), "low watermark")
	Equal(rowsOf(consume(t, beginning())), rows[37:], "records left")
	_, err := before(101)
	refused(err, kerr.OffsetOutOfRange)
	Equal(Must(before(-1)), int64(100), "low watermark after deleting all")
	Equal(len(consume(t, beginning())), 0, "records")
}

func listOffsets() {
	t := create(Topic("list-offsets"), 2)
	now := time.Now().Truncate(time.Millisecond)
	Check(produce([]*kgo.Record{
		{Topic: t, Value: []byte("v"), Timestamp: now},
		{Topic: t, Value: []byte("v"), Timestamp: now.Add(900 * time.Millisecond)},
		{Topic: t, Value: []byte("v"), Timestamp: now.Add(300 * time.Millisecond)},
	}))
	Equal(Must(admin.ListEndOffsets(ctx, t))[t][0].Offset, int64(3), "end")
	Equal(Must(admin.ListCommittedOffsets(ctx, t))[t][0].Offset, int64(3), "last stable offset")
	newest := Must(admin.ListMaxTimestampOffsets(ctx, t))[t]
	Equal(newest[0].Offset, int64(1), "offset of the greatest timestamp")
	Equal(newest[0].Timestamp, now.UnixMilli()+900, "the greatest timestamp")
	Equal(newest[1].Offset, int64(-1), "in an empty partition")
	Equal(newest[0].LeaderEpoch, int32(0), "leader epoch")
}

func leaderEpoch() {
	t := create(Topic("epochs"), 1)
	Check(produce(records(t, Rows(7, 1))))
	var request kadm.OffsetForLeaderEpochRequest
	request.Add(t, 0, 0)
	answer := Must(admin.OffsetForLeaderEpoch(ctx, request))[t][0]
	Check(answer.Err)
	Equal([]any{answer.LeaderEpoch, answer.EndOffset}, []any{int32(0), int64(7)}, "end of epoch 0")
}

func logDirs() {
	t := create(Topic("log-dirs"), 1)
	Check(produce(records(t, Rows(100, 8))))
	node := Must(admin.Metadata(ctx)).Brokers[0].NodeID
	found := false
	Must(admin.DescribeBrokerLogDirs(ctx, node, nil)).Each(func(dir kadm.DescribedLogDir) {
		Check(dir.Err)
		if partition, ok := dir.Topics.Lookup(t, 0); ok {
			found = partition.Size > 1000
		}
	})
	Equal(found, true, "a log of more than 1000 bytes")
}

func leaders() {
	t := create(Topic("leaders"), 1)
	node := Must(admin.Metadata(ctx)).Brokers[0].NodeID
	elected := Must(admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{t: {0: {}}}))
	refused(elected[t][0].Err, kerr.ElectionNotNeeded)
	Equal(len(Must(admin.ListPartitionReassignments(ctx, nil))), 0, "reassignments")
	var move kadm.AlterPartitionAssignmentsReq
	move.Assign(t, 0, []int32{node})
	Check(Must(admin.AlterPartitionAssignments(ctx, move)).Error())
	var bad kadm.AlterPartitionAssignmentsReq
	bad.Assign(t, 0, []int32{node + 77})
	refused(Must(admin.AlterPartitionAssignments(ctx, bad)).Error(), kerr.InvalidReplicaAssignment)
}

func describeProducers() {
	t := create(Topic("producers"), 1)
	Check(produce(records(t, Rows(10, 1))))
	described := Must(admin.DescribeProducers(ctx, kadm.TopicsSet{t: {0: {}}}))[t].Partitions[0]
	Check(described.Err)
	Equal(len(described.ActiveProducers), 1, "producers")
	for _, producer := range described.ActiveProducers {
		Equal([]any{producer.LastSequence, producer.ProducerEpoch}, []any{int32(9), int16(0)}, "last sequence and epoch")
	}
}

func acls() {
	request := kmsg.NewPtrDescribeACLsRequest()
	request.ResourceType, request.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	request.Operation, request.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	refused(kerr.ErrorForCode(Must(request.RequestWith(ctx, client)).ErrorCode), kerr.SecurityDisabled)
}

func apiVersions() {
	for _, broker := range Must(admin.ApiVersions(ctx)) {
		Check(broker.Err)
		versions := broker.Raw()
		ranges := map[int16][2]int16{}
		for _, key := range versions.ApiKeys {
			ranges[key.ApiKey] = [2]int16{key.MinVersion, key.MaxVersion}
		}
		Equal(ranges[0], [2]int16{0, 13}, "Produce")
		Equal(ranges[18][0], int16(0), "ApiVersions from")
		Equal(len(versions.FinalizedFeatures) > 0, true, "finalized features")
	}
}

func metadataVersions() {
	t := create(Topic("versions"), 1)
	var max int16
	for _, key := range Must(kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)).ApiKeys {
		if key.ApiKey == 3 {
			max = key.MaxVersion
		}
	}
	for version := int16(0); version <= max; version++ {
		versions := kversion.Stable()
		versions.SetMaxKeyVersion(3, version)
		limited := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.MaxVersions(versions)))
		request := kmsg.NewPtrMetadataRequest()
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &t
		request.Topics = append(request.Topics, topic)
		answer := Must(request.RequestWith(ctx, limited))
		Equal(answer.Version, version, "version")
		Equal(len(answer.Topics), 1, "topics")
		Equal(len(answer.Topics[0].Partitions), 1, "partitions")
		limited.Close()
	}
}
