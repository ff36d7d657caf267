// sarama: produces, consumes partitions, administers.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand"
	"os"
	"slices"
	"time"

	"github.com/IBM/sarama"
	. "ottla.compat/gotest"
)

// versions are sarama's `Version` settings: its default, an old one with fixed request versions, the newest it knows.
var versions = []sarama.KafkaVersion{sarama.DefaultVersion, sarama.V2_1_0_0, sarama.MaxVersion}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

var admin sarama.ClusterAdmin

func main() {
	if len(os.Args) > 1 && os.Args[1] == "host" {
		HostMembers(runMember)
		return
	}
	sarama.Logger = log.New(io.Discard, "", 0)
	if os.Getenv("SARAMA_LOG") != "" {
		sarama.Logger = log.New(os.Stderr, "", log.Ltime)
	}
	admin = Must(sarama.NewClusterAdmin([]string{Bootstrap}, config()))
	for _, version := range versions {
		for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
			Test(fmt.Sprintf("codec-%s-%s", codec, version), func() { codecTest(codec, version) })
		}
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		Test("large-records-"+codec, func() { largeRecords(codec) })
	}
	Test("acks-0", func() { acks("acks-0", sarama.NoResponse) })
	Test("acks-1", func() { acks("acks-1", sarama.WaitForLocal) })
	Test("acks-all", func() { acks("acks-all", sarama.WaitForAll) })
	Test("idempotent", idempotent)
	for _, version := range versions[1:] {
		Test(fmt.Sprintf("transactions-%s", version), func() { transactions(version) })
	}
	Test("headers", headers)
	Test("tombstones", tombstones)
	Test("refused-records", refusedRecords)
	Test("topic-is-created-by-the-first-record", autoCreation)
	Test("timestamps", timestamps)
	Test("empty-topic", emptyTopic)
	Test("consume-from-each-place", places)
	Test("offset-out-of-range", outOfRange)
	Test("waiting-consumer-gets-new-records", waitingConsumer)
	Test("many-partitions", manyPartitions)
	Test("describe-cluster", describeCluster)
	Test("describe-topics", describeTopics)
	Test("create-topic-refusals", createTopicRefusals)
	Test("delete-topics", deleteTopics)
	Test("add-partitions", addPartitions)
	Test("configs", configs)
	Test("delete-records", deleteRecords)
	Test("log-dirs", logDirs)
	Test("reassignments", reassignments)
	Test("acls-are-disabled", acls)
	Main()
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.MaxMessageBytes = 2_000_000
	c.Producer.Retry.Backoff = 100 * time.Millisecond
	c.Producer.Retry.Max = 20
	c.Metadata.Retry.Backoff = 100 * time.Millisecond
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Consumer.Return.Errors = true
	return c
}

// produce sends in order, as one call; the messages carry partition and offset afterwards.
func produce(messages []*sarama.ProducerMessage, change func(*sarama.Config)) error {
	c := config()
	if change != nil {
		change(c)
	}
	producer := Must(sarama.NewSyncProducer([]string{Bootstrap}, c))
	defer producer.Close()
	err := producer.SendMessages(messages)
	var all sarama.ProducerErrors
	if errors.As(err, &all) {
		return all[0].Err
	}
	return err
}

func messages(topic string, rows []Row) []*sarama.ProducerMessage {
	out := make([]*sarama.ProducerMessage, len(rows))
	for n, row := range rows {
		out[n] = &sarama.ProducerMessage{Topic: topic}
		if row.Key != nil {
			out[n].Key = sarama.ByteEncoder(row.Key)
		}
		if row.Value != nil {
			out[n].Value = sarama.ByteEncoder(row.Value)
		}
	}
	return out
}

// consume reads one partition from offset (or sarama.OffsetOldest, OffsetNewest) up to its end, asked for beforehand.
func consume(topic string, partition int32, offset int64, change func(*sarama.Config)) []*sarama.ConsumerMessage {
	c := config()
	if change != nil {
		change(c)
	}
	client := Must(sarama.NewClient([]string{Bootstrap}, c))
	defer client.Close()
	end := Must(client.GetOffset(topic, partition, sarama.OffsetNewest))
	start := offset
	if offset < 0 {
		start = Must(client.GetOffset(topic, partition, offset))
	}
	if start >= end {
		return nil
	}
	consumer := Must(sarama.NewConsumerFromClient(client))
	defer consumer.Close()
	reader := Must(consumer.ConsumePartition(topic, partition, offset))
	defer reader.Close()
	var out []*sarama.ConsumerMessage
	late := time.After(40 * time.Second)
	for {
		select {
		case message := <-reader.Messages():
			out = append(out, message)
			if message.Offset >= end-1 {
				return out
			}
		case err := <-reader.Errors():
			panic(err)
		case <-late:
			panic(fmt.Sprintf("timed out with %d messages", len(out)))
		}
	}
}

func all(topic string) []*sarama.ConsumerMessage { return consume(topic, 0, sarama.OffsetOldest, nil) }

func rowsOf(messages []*sarama.ConsumerMessage) []Row {
	out := make([]Row, len(messages))
	for n, message := range messages {
		out[n] = Row{Key: message.Key, Value: message.Value}
	}
	return out
}

func create(name string, partitions int32, configs ...string) string {
	Check(tryCreate(name, partitions, 1, configs...))
	Eventually("partitions of "+name, func() bool { return partitionCount(name) == int(partitions) })
	return name
}

func tryCreate(name string, partitions int32, replication int16, configs ...string) error {
	entries := map[string]*string{}
	for n := 0; n < len(configs); n += 2 {
		entries[configs[n]] = &configs[n+1]
	}
	return admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replication, ConfigEntries: entries}, false)
}

func partitionCount(name string) int {
	return len(Must(admin.DescribeTopics([]string{name}))[0].Partitions)
}

func refused(err, want error) {
	if !errors.Is(err, want) {
		panic(fmt.Sprintf("want %v, got %v", want, err))
	}
}

// --- produce and consume

func codecTest(codec string, version sarama.KafkaVersion) {
	t := create(Topic(fmt.Sprintf("codec-%s-%s", codec, version)), 1)
	rows := Rows(1500, 1)
	Check(produce(messages(t, rows), func(c *sarama.Config) {
		c.Version = version
		c.Producer.Compression = codecs[codec]
		c.Producer.Flush.MaxMessages = 100
	}))
	Equal(rowsOf(consume(t, 0, sarama.OffsetOldest, func(c *sarama.Config) { c.Version = version })), rows, "records")
}

func largeRecords(codec string) {
	t := create(Topic("large-"+codec), 1)
	text := make([]byte, 1_000_000)
	for n := range text {
		text[n] = "0123456789abcdef"[n%16]
	}
	rows := []Row{
		{Key: []byte("random"), Value: Random(rand.New(rand.NewSource(5)), 1_000_000)},
		{Key: []byte("text"), Value: text},
		{Key: []byte("last"), Value: []byte("x")},
	}
	// sarama batches by its own MaxMessageBytes: one message per request keeps each under the broker's limit.
	Check(produce(messages(t, rows), func(c *sarama.Config) {
		c.Producer.Compression = codecs[codec]
		c.Producer.Flush.MaxMessages = 1
		c.Producer.MaxMessageBytes = 1_040_000
	}))
	Equal(rowsOf(all(t)), rows, "records")
	Equal(rowsOf(consume(t, 0, sarama.OffsetOldest, func(c *sarama.Config) { c.Consumer.Fetch.Default = 1000 })), rows, "fetched in small steps")
}

func acks(name string, level sarama.RequiredAcks) {
	t := create(Topic(name), 1)
	rows := Rows(300, 3)
	Check(produce(messages(t, rows), func(c *sarama.Config) { c.Producer.RequiredAcks = level }))
	Eventually("300 records", func() bool { return len(all(t)) == 300 })
	Equal(rowsOf(all(t)), rows, "records")
}

func idempotent() {
	t := create(Topic("idempotent"), 1)
	rows := Rows(1000, 2)
	sent := messages(t, rows)
	Check(produce(sent, func(c *sarama.Config) {
		c.Producer.Idempotent = true
		c.Producer.RequiredAcks = sarama.WaitForAll
		c.Net.MaxOpenRequests = 1
		c.Producer.Flush.MaxMessages = 50
	}))
	for n, message := range sent {
		Equal(message.Offset, int64(n), "offset")
	}
	Equal(rowsOf(all(t)), rows, "records")
}

// transactions commits records and offsets, aborts, and is fenced by another producer with its id.
func transactions(version sarama.KafkaVersion) {
	t, group := create(Topic("transactions-"+version.String()), 1), Topic("transactions-group-"+version.String())
	start := func() sarama.SyncProducer {
		c := config()
		c.Version = version
		c.Producer.Idempotent = true
		c.Producer.RequiredAcks = sarama.WaitForAll
		c.Net.MaxOpenRequests = 1
		c.Producer.Transaction.ID = t
		return Must(sarama.NewSyncProducer([]string{Bootstrap}, c))
	}
	rows, producer := Rows(30, 4), start()
	defer producer.Close()
	for n, end := range []func() error{producer.CommitTxn, producer.AbortTxn, producer.CommitTxn} {
		Check(producer.BeginTxn())
		Check(producer.SendMessages(messages(t, rows[10*n:10*n+10])))
		offset := &sarama.PartitionOffsetMetadata{Partition: 0, Offset: int64(10*n + 7)}
		Check(producer.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{t: {offset}}, group))
		Check(end())
		Eventually("the group's offset", func() bool {
			committed := Must(admin.ListConsumerGroupOffsets(group, map[string][]int32{t: {0}})).GetBlock(t, 0)
			return committed.Offset == []int64{7, 7, 27}[n]
		})
	}
	// What ends each topic is no record.
	Check(produce(messages(t, rows[:1]), nil))
	Equal(rowsOf(all(t)), append(slices.Clone(rows), rows[0]), "uncommitted records")
	committed := consume(t, 0, sarama.OffsetOldest, func(c *sarama.Config) { c.Consumer.IsolationLevel = sarama.ReadCommitted })
	Equal(rowsOf(committed), slices.Concat(rows[:10], rows[20:], rows[:1]), "committed records")

	Check(producer.BeginTxn())
	Check(producer.SendMessages(messages(t, rows[:1])))
	second := start()
	defer second.Close()
	if err := producer.CommitTxn(); err == nil {
		panic("the first producer commits after the second began")
	}
}

func headers() {
	t := create(Topic("headers"), 1)
	sent := []sarama.RecordHeader{
		{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte{}}, {Key: []byte("a"), Value: []byte("2")},
		{Key: []byte("ключ-鍵"), Value: EveryByte()}, {Key: []byte{}, Value: []byte("empty key")},
	}
	Check(produce([]*sarama.ProducerMessage{
		{Topic: t, Value: sarama.StringEncoder("v"), Headers: sent}, {Topic: t, Value: sarama.StringEncoder("none")},
	}, nil))
	got := all(t)
	Equal(len(got[0].Headers), len(sent), "headers")
	for n, header := range got[0].Headers {
		Equal([]string{string(header.Key), string(header.Value)}, []string{string(sent[n].Key), string(sent[n].Value)}, "header")
	}
	Equal(len(got[1].Headers), 0, "headers of the second record")
}

func tombstones() {
	t := create(Topic("tombstones"), 1, "cleanup.policy", "compact")
	rows := []Row{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a")}, {Key: []byte{}}}
	Check(produce(messages(t, rows), nil))
	Equal(rowsOf(all(t)), rows, "records")
}

func refusedRecords() {
	compacted := create(Topic("compacted"), 1, "cleanup.policy", "compact")
	refused(produce(messages(compacted, []Row{{Value: []byte("v")}}), nil), sarama.ErrInvalidRecord)
	small := create(Topic("small"), 1, "max.message.bytes", "1000")
	large := Random(rand.New(rand.NewSource(1)), 2000)
	refused(produce(messages(small, []Row{{Value: large}}), nil), sarama.ErrMessageSizeTooLarge)
	Equal(len(all(small)), 0, "records")
}

func autoCreation() {
	t := Topic("auto")
	Check(produce(messages(t, Rows(3, 1)), nil))
	Equal(rowsOf(all(t)), Rows(3, 1), "records")
}

func timestamps() {
	now := time.Now().Truncate(time.Millisecond)
	t := create(Topic("create-time"), 1)
	stamps := []time.Time{now.Add(-5 * time.Second), now, now.Add(-9 * time.Second)}
	var out []*sarama.ProducerMessage
	for _, stamp := range stamps {
		out = append(out, &sarama.ProducerMessage{Topic: t, Value: sarama.StringEncoder("v"), Timestamp: stamp})
	}
	Check(produce(out, nil))
	for n, message := range all(t) {
		Equal(message.Timestamp.UnixMilli(), stamps[n].UnixMilli(), "timestamp")
	}
	t = create(Topic("append-time"), 1, "message.timestamp.type", "LogAppendTime")
	old := &sarama.ProducerMessage{Topic: t, Value: sarama.StringEncoder("v"), Timestamp: now.Add(-time.Hour)}
	Check(produce([]*sarama.ProducerMessage{old}, nil))
	Equal(all(t)[0].Timestamp.Sub(now).Abs() < time.Minute, true, "broker's own time")
}

func emptyTopic() {
	t := create(Topic("empty"), 2)
	client := Must(sarama.NewClient([]string{Bootstrap}, config()))
	defer client.Close()
	// Kafka shows a new topic in Metadata a moment before it leads its partitions.
	Eventually("a leader that answers", func() bool {
		_, err := client.GetOffset(t, 1, sarama.OffsetNewest)
		return err == nil
	})
	for _, which := range []int64{sarama.OffsetOldest, sarama.OffsetNewest} {
		Equal(Must(client.GetOffset(t, 1, which)), int64(0), "offset")
	}
	Equal(Must(client.Partitions(t)), []int32{0, 1}, "partitions")
	consumer := Must(sarama.NewConsumerFromClient(client))
	defer consumer.Close()
	reader := Must(consumer.ConsumePartition(t, 0, sarama.OffsetOldest))
	defer reader.Close()
	select {
	case message := <-reader.Messages():
		panic(fmt.Sprint("a message: ", message))
	case <-time.After(700 * time.Millisecond):
	}
}

func places() {
	t := create(Topic("places"), 1)
	start := time.Now().Add(-100 * time.Second).Truncate(time.Millisecond)
	rows := Rows(300, 5)
	out := messages(t, rows)
	for n, message := range out {
		message.Timestamp = start.Add(time.Duration(n) * 10 * time.Millisecond)
	}
	Check(produce(out, func(c *sarama.Config) {
		c.Producer.Compression = sarama.CompressionLZ4
		c.Producer.Flush.MaxMessages = 17
	}))
	Equal(rowsOf(all(t)), rows, "from the beginning")
	Equal(len(consume(t, 0, sarama.OffsetNewest, nil)), 0, "from the end")
	for _, offset := range []int64{0, 1, 17, 64, 299} {
		got := consume(t, 0, offset, nil)
		Equal(got[0].Offset, offset, "first offset")
		Equal(rowsOf(got), rows[offset:], fmt.Sprint("from ", offset))
	}
	client := Must(sarama.NewClient([]string{Bootstrap}, config()))
	defer client.Close()
	for _, pair := range [][2]int64{{-1, 0}, {0, 0}, {1, 1}, {640, 64}, {2990, 299}, {2991, -1}} {
		Equal(Must(client.GetOffset(t, 0, start.UnixMilli()+pair[0])), pair[1], fmt.Sprint("offset at ", pair[0]))
	}
}

func outOfRange() {
	t := create(Topic("range"), 1)
	Check(produce(messages(t, Rows(10, 1)), nil))
	consumer := Must(sarama.NewConsumer([]string{Bootstrap}, config()))
	defer consumer.Close()
	_, err := consumer.ConsumePartition(t, 0, 50)
	refused(err, sarama.ErrOffsetOutOfRange)
}

func waitingConsumer() {
	t := create(Topic("tail"), 1)
	c := config()
	c.Consumer.MaxWaitTime = 5 * time.Second
	consumer := Must(sarama.NewConsumer([]string{Bootstrap}, c))
	defer consumer.Close()
	reader := Must(consumer.ConsumePartition(t, 0, sarama.OffsetOldest))
	defer reader.Close()
	time.Sleep(time.Second)
	started := time.Now()
	Check(produce(messages(t, Rows(1, 1)), nil))
	<-reader.Messages()
	Equal(time.Since(started) < 3*time.Second, true, "woken before the wait was over")
}

func manyPartitions() {
	t := create(Topic("many"), 6)
	rows := Rows(60, 6)
	var out []*sarama.ProducerMessage
	for p := range int32(6) {
		for _, message := range messages(t, rows) {
			message.Partition = p
			out = append(out, message)
		}
	}
	Check(produce(out, nil))
	for p := range int32(6) {
		Equal(rowsOf(consume(t, p, sarama.OffsetOldest, func(c *sarama.Config) { c.Consumer.Fetch.Default = 1500 })), rows, fmt.Sprint("partition ", p))
	}
}

// --- administration

func describeCluster() {
	brokers, controller, err := admin.DescribeCluster()
	Check(err)
	Equal(len(brokers), 1, "brokers")
	Equal(brokers[0].Addr(), Bootstrap, "address")
	Equal(brokers[0].ID(), controller, "controller")
}

func describeTopics() {
	t := create(Topic("described"), 3, "retention.ms", "777")
	described := Must(admin.DescribeTopics([]string{t}))[0]
	Equal(len(described.Partitions), 3, "partitions")
	Equal(described.IsInternal, false, "internal")
	listed := Must(admin.ListTopics())[t]
	Equal(listed.NumPartitions, int32(3), "partitions listed")
	Equal(*listed.ConfigEntries["retention.ms"], "777", "override listed")
	missing := Must(admin.DescribeTopics([]string{Topic("missing")}))[0]
	refused(missing.Err, sarama.ErrUnknownTopicOrPartition)
}

func createTopicRefusals() {
	t := create(Topic("exists"), 1)
	bad := Topic("bad")
	refused(tryCreate(t, 1, 1), sarama.ErrTopicAlreadyExists)
	refused(tryCreate(bad, 0, 1), sarama.ErrInvalidPartitions)
	refused(tryCreate(bad, 1, 3), sarama.ErrInvalidReplicationFactor)
	refused(tryCreate("bad name!", 1, 1), sarama.ErrInvalidTopic)
	refused(tryCreate(bad, 1, 1, "no.such.key", "1"), sarama.ErrInvalidConfig)
	refused(tryCreate(bad, 1, 1, "retention.ms", "soon"), sarama.ErrInvalidConfig)
	Check(admin.CreateTopic(Topic("dry"), &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, true))
	topics := Must(admin.ListTopics())
	_, there := topics[bad]
	Equal(there, false, "a refused topic exists")
	_, there = topics[Topic("dry")]
	Equal(there, false, "a validated topic exists")
}

func deleteTopics() {
	t := create(Topic("gone"), 1)
	Check(admin.DeleteTopic(t))
	Eventually("gone", func() bool { return partitionCount(t) == 0 })
	refused(admin.DeleteTopic(Topic("never")), sarama.ErrUnknownTopicOrPartition)
}

func addPartitions() {
	t := create(Topic("grow"), 1)
	Check(admin.CreatePartitions(t, 4, nil, false))
	Eventually("four partitions", func() bool { return partitionCount(t) == 4 })
	Check(produce([]*sarama.ProducerMessage{{Topic: t, Partition: 3, Value: sarama.StringEncoder("v")}}, nil))
	Equal(len(consume(t, 3, sarama.OffsetOldest, nil)), 1, "records")
	refused(admin.CreatePartitions(t, 2, nil, false), sarama.ErrInvalidPartitions)
	refused(admin.CreatePartitions(Topic("nope"), 4, nil, false), sarama.ErrUnknownTopicOrPartition)
}

func value(kind sarama.ConfigResourceType, name, key string) string {
	for _, entry := range Must(admin.DescribeConfig(sarama.ConfigResource{Type: kind, Name: name})) {
		if entry.Name == key {
			return entry.Value
		}
	}
	return "missing"
}

func configs() {
	t := create(Topic("configs"), 1, "retention.ms", "12345")
	is := func(key, want string) {
		Eventually(key+" is "+want, func() bool { return value(sarama.TopicResource, t, key) == want })
	}
	is("retention.ms", "12345")
	is("max.message.bytes", "1048588")
	size, policy, bad := "5000", "compact", "x"
	Check(admin.IncrementalAlterConfig(sarama.TopicResource, t, map[string]sarama.IncrementalAlterConfigsEntry{
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &size},
		"cleanup.policy":    {Operation: sarama.IncrementalAlterConfigsOperationAppend, Value: &policy},
	}, false))
	is("max.message.bytes", "5000")
	is("cleanup.policy", "delete,compact")
	is("retention.ms", "12345")
	Check(admin.AlterConfig(sarama.TopicResource, t, map[string]*string{"cleanup.policy": &policy}, false))
	is("cleanup.policy", "compact")
	is("retention.ms", "604800000")
	refused(admin.AlterConfig(sarama.TopicResource, t, map[string]*string{"retention.ms": &bad}, false), sarama.ErrInvalidConfig)
	brokers, _, err := admin.DescribeCluster()
	Check(err)
	Equal(value(sarama.BrokerResource, fmt.Sprint(brokers[0].ID()), "message.max.bytes"), "1048588", "message.max.bytes")
}

func deleteRecords() {
	t := create(Topic("delete-records"), 1)
	rows := Rows(100, 7)
	Check(produce(messages(t, rows), func(c *sarama.Config) { c.Producer.Flush.MaxMessages = 10 }))
	Check(admin.DeleteRecords(t, map[int32]int64{0: 37}))
	got := all(t)
	Equal(got[0].Offset, int64(37), "first offset")
	Equal(rowsOf(got), rows[37:], "records left")
	Equal(admin.DeleteRecords(t, map[int32]int64{0: 101}) != nil, true, "deleting beyond the end is refused")
}

func logDirs() {
	t := create(Topic("log-dirs"), 1)
	Check(produce(messages(t, Rows(100, 8)), nil))
	brokers, _, err := admin.DescribeCluster()
	Check(err)
	found := false
	for _, dirs := range Must(admin.DescribeLogDirs([]int32{brokers[0].ID()})) {
		for _, dir := range dirs {
			for _, topic := range dir.Topics {
				if topic.Topic == t {
					found = topic.Partitions[0].Size > 1000
				}
			}
		}
	}
	Equal(found, true, "a log of more than 1000 bytes")
}

func reassignments() {
	t := create(Topic("reassign"), 1)
	brokers, _, err := admin.DescribeCluster()
	Check(err)
	Check(admin.AlterPartitionReassignments(t, [][]int32{{brokers[0].ID()}}))
	Equal(len(Must(admin.ListPartitionReassignments(t, []int32{0}))), 0, "reassignments")
	Equal(admin.AlterPartitionReassignments(t, [][]int32{{77}}) != nil, true, "an unknown broker is refused")
}

func acls() {
	// sarama hands the error code over inside the answer of the broker's call only.
	client := Must(sarama.NewClient([]string{Bootstrap}, config()))
	defer client.Close()
	broker := Must(client.Controller())
	answer := Must(broker.DescribeAcls(&sarama.DescribeAclsRequest{Version: 1, AclFilter: sarama.AclFilter{
		Version: 1, ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny,
		Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny,
	}}))
	refused(answer.Err, sarama.ErrSecurityDisabled)
}
