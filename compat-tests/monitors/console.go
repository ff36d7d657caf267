package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	. "ottla.compat/gotest"
)

// consoleOptions are those that Redpanda Console 3 gives its client.
func consoleOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(Bootstrap), kgo.ClientID("redpanda-console"), kgo.FetchMaxBytes(5_000_000), kgo.MaxConcurrentFetches(12),
		kgo.KeepControlRecords(), kgo.MetadataMinAge(10 * time.Millisecond),
	}
}

func console() (*kgo.Client, *kadm.Client) {
	asking := Must(kgo.NewClient(consoleOptions()...))
	return asking, kadm.NewClient(asking)
}

// consoleStart: the check of the connection, the version it shows, and the pages it offers.
func consoleStart() {
	asking, _ := console()
	defer asking.Close()
	request := kmsg.NewMetadataRequest()
	Equal(len(Must(request.RequestWith(ctx, asking)).Brokers), 1, "brokers")
	versions, _ := versionOf(asking, "RPConsole")
	for _, needed := range []kmsg.Request{
		&kmsg.DescribeConfigsRequest{}, &kmsg.DescribeGroupsRequest{}, &kmsg.ListGroupsRequest{}, &kmsg.DeleteRecordsRequest{},
		&kmsg.OffsetCommitRequest{}, &kmsg.DeleteGroupsRequest{}, &kmsg.OffsetDeleteRequest{}, &kmsg.ListPartitionReassignmentsRequest{},
		&kmsg.IncrementalAlterConfigsRequest{}, &kmsg.AlterPartitionAssignmentsRequest{}, &kmsg.DescribeClientQuotasRequest{},
	} {
		if _, offered := versions.LookupMaxKeyVersion(needed.Key()); !offered {
			panic(kmsg.NameForKey(needed.Key()) + " is not offered: its page is switched off")
		}
	}
	configs := kmsg.NewDescribeConfigsRequest()
	broker, id := kmsg.NewDescribeConfigsRequestResource(), "1"
	broker.ResourceType, broker.ResourceName = kmsg.ConfigResourceTypeBroker, id
	configs.Resources, configs.IncludeSynonyms = append(configs.Resources, broker), true
	described := Must(configs.RequestWith(ctx, asking)).Resources[0]
	sound(described.ErrorCode, "DescribeConfigs of the broker")
	listed := slices.ContainsFunc(described.Configs, func(entry kmsg.DescribeConfigsResponseResourceConfig) bool {
		return entry.Name == "log.dirs" && entry.Value != nil && entry.ReadOnly
	})
	Equal(listed, true, "the log directories are among the broker's configuration")
}

// consoleVersion: what is shown as the version of Kafka.
func consoleVersion() {
	asking, _ := console()
	defer asking.Close()
	if _, version := versionOf(asking, "RPConsole"); !strings.HasPrefix(version, "v4.") {
		panic("the broker is taken for " + version)
	}
}

// consoleUsers: its page of users with SCRAM credentials.
func consoleUsers() {
	asking, admin := console()
	defer asking.Close()
	Equal(len(Must(admin.DescribeUserSCRAMs(ctx))), 0, "users")
}

// consoleTopics: the list of topics, and the page of one.
func consoleTopics() {
	asking, admin := console()
	defer asking.Close()
	metadata := Must(admin.Metadata(ctx))
	for _, topic := range metadata.Topics {
		Check(topic.Err)
	}
	Equal(len(metadata.Topics[orders].Partitions), partitions, "partitions")
	Equal(metadata.Topics["__consumer_offsets"].IsInternal, true, "the topic of offsets is internal")
	request := kmsg.NewDescribeConfigsRequest()
	for _, name := range metadata.Topics.Names() {
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, name
		resource.ConfigNames = []string{"cleanup.policy"}
		request.Resources = append(request.Resources, resource)
	}
	request.IncludeSynonyms, request.IncludeDocumentation = true, true
	policies := map[string]string{}
	for _, resource := range Must(request.RequestWith(ctx, asking)).Resources {
		sound(resource.ErrorCode, "DescribeConfigs of "+resource.ResourceName)
		Equal(len(resource.Configs), 1, "entries of "+resource.ResourceName)
		policies[resource.ResourceName] = *resource.Configs[0].Value
	}
	Equal(policies[orders], "delete", "cleanup.policy of the topic")
	Equal(policies["__consumer_offsets"], "compact", "cleanup.policy of the topic of offsets")
	replicas := 0
	for _, directories := range Must(admin.DescribeAllLogDirs(ctx, nil)) {
		Check(directories.Error())
		directories.EachPartition(func(partition kadm.DescribedLogDirPartition) {
			if partition.Topic == orders && partition.Size > 0 {
				replicas++
			}
		})
	}
	Equal(replicas, partitions, "replicas in log directories")
}

// consoleMessages: the newest messages of each partition, and those since a time.
func consoleMessages() {
	asking, admin := console()
	defer asking.Close()
	starts, ends := Must(admin.ListStartOffsets(ctx, orders)), Must(admin.ListEndOffsets(ctx, orders))
	from := map[int32]kgo.Offset{}
	var want, all []string
	for partition := range int32(partitions) {
		start, _ := starts.Lookup(orders, partition)
		end, _ := ends.Lookup(orders, partition)
		Equal([]int64{start.Offset, end.Offset}, []int64{oldest(partition), produced}, "offsets")
		from[partition] = kgo.NewOffset().At(end.Offset - 10)
		for n := range produced {
			all = append(all, string(value(partition, n)))
			if n >= produced-10 {
				want = append(want, all[len(all)-1])
			}
		}
	}
	Equal(messages(from, len(want)), want, "the newest messages")

	request := kmsg.NewListOffsetsRequest()
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = orders
	for partition := range int32(partitions) {
		since := kmsg.NewListOffsetsRequestTopicPartition()
		since.Partition, since.Timestamp = partition, time.Now().Add(-time.Hour).UnixMilli()
		topic.Partitions = append(topic.Partitions, since)
	}
	request.Topics = append(request.Topics, topic)
	for partition, offset := range offsetsIn(Must(request.RequestWith(ctx, asking))) {
		from[int32(partition)] = kgo.NewOffset().At(offset)
	}
	all = slices.Delete(all, 0, deleted)
	Equal(messages(from, len(all)), all, "the messages since an hour ago")
}

// messages are the values of this many records from these offsets on, in order.
func messages(from map[int32]kgo.Offset, count int) []string {
	reader := Must(kgo.NewClient(append(consoleOptions(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{orders: from}))...))
	defer reader.Close()
	within, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < count {
		fetches := reader.PollFetches(within)
		Check(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int {
		return int(a.Partition-b.Partition)*produced + int(a.Offset-b.Offset)
	})
	var out []string
	for _, record := range records {
		out = append(out, string(record.Value))
	}
	return out
}

// consoleGroups: the list of groups with their members and lag.
func consoleGroups() {
	asking, admin := console()
	defer asking.Close()
	listed := Must(admin.ListGroups(ctx))
	for group, state := range map[string]string{billing: "Stable", archive: "Empty", shipping: "Stable"} {
		Equal(listed[group].State, state, "state of "+group+" in the list")
	}
	described := Must(admin.DescribeGroups(ctx, listed.Groups()...))
	classic := described[billing]
	Check(classic.Err)
	Equal([]any{classic.State, classic.Protocol, len(classic.Members), classic.Coordinator.NodeID}, []any{"Stable", "range", 1, int32(1)}, "the group")
	assigned, decoded := classic.Members[0].Assigned.AsConsumer()
	Equal(decoded, true, "the assignment is told")
	Equal([]any{assigned.Topics[0].Topic, len(assigned.Topics[0].Partitions)}, []any{orders, partitions}, "what the member has")
	// The page of a topic asks for every group there is.
	offsets := admin.FetchManyOffsets(ctx, listed.Groups()...)
	offsets.EachError(func(failed kadm.FetchOffsetsResponse) { panic(failed.Group + ": " + failed.Err.Error()) })
	ends := Must(admin.ListEndOffsets(ctx, Must(admin.Metadata(ctx, offsets.CommittedPartitions().Topics()...)).Topics.Names()...))
	for group, want := range map[string]int64{
		billing: partitions * (produced - billed), shipping: partitions * (produced - shipped), archive: 0,
	} {
		lag := int64(0)
		offsets[group].Fetched.Each(func(offset kadm.OffsetResponse) {
			Check(offset.Err)
			end, _ := ends.Lookup(offset.Topic, offset.Partition)
			lag += end.Offset - offset.At
		})
		Equal(lag, want, "lag of "+group)
	}
}

// consoleOperations: the pages of ACLs, quotas and reassignments.
func consoleOperations() {
	asking, _ := console()
	defer asking.Close()
	acls := kmsg.NewDescribeACLsRequest()
	acls.ResourceType, acls.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	acls.Operation, acls.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	refusal := kerr.ErrorForCode(Must(acls.RequestWith(ctx, asking)).ErrorCode)
	Equal(errors.Is(refusal, kerr.SecurityDisabled), true, "ACLs are said to be switched off")
	quotas := kmsg.NewDescribeClientQuotasRequest()
	told := Must(quotas.RequestWith(ctx, asking))
	sound(told.ErrorCode, "DescribeClientQuotas")
	reassignments := kmsg.NewListPartitionReassignmentsRequest()
	moving := Must(reassignments.RequestWith(ctx, asking))
	sound(moving.ErrorCode, "ListPartitionReassignments")
	Equal(len(moving.Topics), 0, "topics that move")
}
