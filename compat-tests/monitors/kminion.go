package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	. "ottla.compat/gotest"
)

// sound panics on the error code of an answer.
func sound(code int16, what string) {
	if err := kerr.ErrorForCode(code); err != nil {
		panic(what + ": " + err.Error())
	}
}

// versionOf is what kversion, which both of franz-go's users show to people, takes the broker for.
func versionOf(asking *kgo.Client, software string) (*kversion.Versions, string) {
	request := kmsg.NewApiVersionsRequest()
	request.ClientSoftwareName, request.ClientSoftwareVersion = software, "v2"
	answer := Must(request.RequestWith(ctx, asking))
	sound(answer.ErrorCode, "ApiVersions")
	versions := kversion.FromApiVersionsResponse(answer)
	return versions, versions.VersionGuess()
}

// kminion: what it asks at its start and on each scrape, with the offsets of groups from OffsetFetch.
func kminion() {
	asking := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.ClientID("kminion")))
	defer asking.Close()
	request := kmsg.NewMetadataRequest()
	metadata := Must(request.RequestWith(ctx, asking))
	Equal(len(metadata.Brokers), 1, "brokers")
	Equal(metadata.ControllerID, metadata.Brokers[0].NodeID, "the controller")
	if metadata.ClusterID == nil || *metadata.ClusterID == "" {
		panic("no cluster id")
	}
	versionOf(asking, "kminion")
	kminionTopics(asking, metadata)
	kminionGroups(asking)
}

func kminionTopics(asking *kgo.Client, metadata *kmsg.MetadataResponse) {
	configs := kmsg.NewDescribeConfigsRequest()
	low, high := kmsg.NewListOffsetsRequest(), kmsg.NewListOffsetsRequest()
	for _, topic := range metadata.Topics {
		sound(topic.ErrorCode, "Metadata of "+*topic.Topic)
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, *topic.Topic
		configs.Resources = append(configs.Resources, resource)
		low.Topics = append(low.Topics, offsetsOf(topic, -2))
		high.Topics = append(high.Topics, offsetsOf(topic, -1))
	}
	policy := ""
	for _, resource := range Must(configs.RequestWith(ctx, asking)).Resources {
		sound(resource.ErrorCode, "DescribeConfigs of "+resource.ResourceName)
		for _, entry := range resource.Configs {
			if resource.ResourceName == orders && entry.Name == "cleanup.policy" {
				policy = *entry.Value
			}
		}
	}
	Equal(policy, "delete", "cleanup.policy")
	Equal(offsetsIn(Must(low.RequestWith(ctx, asking))), []int64{deleted, 0, 0}, "low water marks")
	Equal(offsetsIn(Must(high.RequestWith(ctx, asking))), []int64{produced, produced, produced}, "high water marks")
	directories := kmsg.NewDescribeLogDirsRequest()
	directories.Topics = nil
	size := int64(0)
	for _, shard := range asking.RequestSharded(ctx, &directories) {
		Check(shard.Err)
		for _, directory := range shard.Resp.(*kmsg.DescribeLogDirsResponse).Dirs {
			sound(directory.ErrorCode, "DescribeLogDirs")
			for _, topic := range directory.Topics {
				for _, partition := range topic.Partitions {
					size += partition.Size * one(topic.Topic == orders)
				}
			}
		}
	}
	if size <= 0 {
		panic(fmt.Sprintf("the topic has %d bytes in log directories", size))
	}
}

func offsetsOf(topic kmsg.MetadataResponseTopic, timestamp int64) kmsg.ListOffsetsRequestTopic {
	out := kmsg.NewListOffsetsRequestTopic()
	out.Topic = *topic.Topic
	for _, partition := range topic.Partitions {
		asked := kmsg.NewListOffsetsRequestTopicPartition()
		asked.Partition, asked.Timestamp = partition.Partition, timestamp
		out.Partitions = append(out.Partitions, asked)
	}
	return out
}

// offsetsIn are those of the topic, by partition.
func offsetsIn(answer *kmsg.ListOffsetsResponse) []int64 {
	out := make([]int64, partitions)
	for _, topic := range answer.Topics {
		for _, partition := range topic.Partitions {
			sound(partition.ErrorCode, "ListOffsets of "+topic.Topic)
			if topic.Topic == orders {
				out[partition.Partition] = partition.Offset
			}
		}
	}
	return out
}

func kminionGroups(asking *kgo.Client) {
	list := kmsg.NewListGroupsRequest()
	listed := Must(list.RequestWith(ctx, asking))
	sound(listed.ErrorCode, "ListGroups")
	describe := kmsg.NewDescribeGroupsRequest()
	for _, group := range listed.Groups {
		describe.Groups = append(describe.Groups, group.Group)
	}
	states := map[string]string{}
	for _, shard := range asking.RequestSharded(ctx, &describe) {
		Check(shard.Err)
		for _, group := range shard.Resp.(*kmsg.DescribeGroupsResponse).Groups {
			states[group.Group] = fmt.Sprintf("%s %s %d", group.State, group.ProtocolType, len(group.Members))
		}
	}
	Equal(states[billing], "Stable consumer 1", "state, type and members of the classic group")
	Equal(states[archive], "Empty  0", "state, type and members of the group that has only committed")
	for group, want := range map[string][]int64{
		billing: {billed, billed, billed}, shipping: {shipped, shipped, shipped}, archive: {-1, produced, -1},
	} {
		request := kmsg.NewOffsetFetchRequest()
		request.Group, request.Topics = group, nil
		answer := Must(request.RequestWith(ctx, asking))
		got := []int64{-1, -1, -1}
		sound(answer.ErrorCode, "OffsetFetch of "+group)
		for _, topic := range answer.Topics {
			for _, partition := range topic.Partitions {
				sound(partition.ErrorCode, "OffsetFetch of "+group)
				got[partition.Partition] = partition.Offset
			}
		}
		Equal(got, want, "committed offsets of "+group)
	}
}

// kminionOffsetsTopic: its other mode, which reads what the groups have committed from their topic.
func kminionOffsetsTopic() {
	const topic = "__consumer_offsets"
	reader := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.ClientID("kminion"), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond)))
	defer reader.Close()
	ends := Must(admin.ListEndOffsets(ctx, topic))
	Check(ends.Error())
	left := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			left[end.Partition] = end.Offset
		}
	})
	got, last := map[string]int64{}, kmsg.NewGroupMetadataValue()
	within, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	for len(left) > 0 {
		fetches := reader.PollFetches(within)
		Check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
			decode(record, got, &last)
		})
	}
	want := map[string]int64{archive + " 1": produced}
	for partition := range partitions {
		want[fmt.Sprintf("%s %d", billing, partition)] = billed
		want[fmt.Sprintf("%s %d", shipping, partition)] = shipped
	}
	Equal(got, want, "offsets in the topic")
	Equal([]any{last.ProtocolType, len(last.Members)}, []any{"consumer", 1}, "protocol type and members of the classic group in the topic")
}

// decode notes an offset that was committed of the topic, or the classic group as it is now.
func decode(record *kgo.Record, offsets map[string]int64, group *kmsg.GroupMetadataValue) {
	var commit kmsg.OffsetCommitKey
	if commit.ReadFrom(record.Key) == nil && commit.Version <= 1 {
		if commit.Topic == orders && record.Value != nil {
			value := kmsg.NewOffsetCommitValue()
			Check(value.ReadFrom(record.Value))
			offsets[fmt.Sprintf("%s %d", commit.Group, commit.Partition)] = value.Offset
		}
		return
	}
	var key kmsg.GroupMetadataKey
	if key.ReadFrom(record.Key) == nil && key.Version == 2 && key.Group == billing && record.Value != nil {
		*group = kmsg.NewGroupMetadataValue()
		Check(group.ReadFrom(record.Value))
	}
}

// kminionEndToEnd: a topic of its own, and messages that it times from end to end.
func kminionEndToEnd() {
	topic, group := Topic("kminion-end-to-end"), Topic("kminion-end-to-end-1")
	create := kmsg.NewCreateTopicsRequest()
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 1, 1
	for name, text := range map[string]string{"cleanup.policy": "delete", "segment.ms": "7200000", "retention.ms": "7200000"} {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &text
		wanted.Configs = append(wanted.Configs, config)
	}
	create.Topics = append(create.Topics, wanted)
	client := Must(kgo.NewClient(kgo.SeedBrokers(Bootstrap), kgo.ClientID("kminion"), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProduceRequestTimeout(5*time.Second), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond)))
	sound(Must(create.RequestWith(ctx, client)).Topics[0].ErrorCode, "CreateTopics")
	more := kmsg.NewCreatePartitionsRequest()
	grown := kmsg.NewCreatePartitionsRequestTopic()
	grown.Topic, grown.Count = topic, 2
	grown.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}
	more.Topics = append(more.Topics, grown)
	sound(Must(more.RequestWith(ctx, client)).Topics[0].ErrorCode, "CreatePartitions")
	within, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	Check(client.ProduceSync(within, &kgo.Record{Topic: topic, Partition: 0, Value: []byte("there")}).FirstErr())
	for seen := 0; seen == 0; {
		fetches := client.PollFetches(within)
		Check(within.Err())
		seen += fetches.NumRecords()
	}
	failed := fmt.Errorf("no answer")
	client.CommitOffsetsSync(within, client.UncommittedOffsets(), committed(&failed))
	Check(failed)
	client.Close()
	Eventually("the group can be deleted", func() bool { return Must(admin.DeleteGroups(ctx, group))[group].Err == nil })
}

// committed notes how a commit went.
func committed(failed *error) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		*failed = err
		if answer == nil {
			return
		}
		for _, topic := range answer.Topics {
			for _, partition := range topic.Partitions {
				if *failed == nil {
					*failed = kerr.ErrorForCode(partition.ErrorCode)
				}
			}
		}
	}
}
