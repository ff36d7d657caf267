package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	. "ottla.compat/gotest"
)

type member struct {
	*Member
	client  *kgo.Client
	lock    sync.Mutex
	unsaved map[int32]kgo.EpochOffset
}

// runMember takes part in the group until its context is done.
func runMember(running context.Context, m *Member) {
	(&member{Member: m, unsaved: map[int32]kgo.EpochOffset{}}).run(running)
}

func (m *member) run(running context.Context) {
	balancer, ctx := kgo.GroupBalancer(kgo.RangeBalancer()), context.Background()
	switch os.Getenv("PROTOCOL") {
	case "cooperative":
		balancer = kgo.CooperativeStickyBalancer()
	case "consumer":
		ctx = context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.ClientID(m.Name), kgo.WithContext(ctx),
		kgo.ConsumerGroup(os.Getenv("GROUP")), kgo.ConsumeTopics(m.Topic), kgo.Balancers(balancer),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(250*time.Millisecond), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { m.Partitions("own", taken) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
			m.save()
			m.Partitions("give", given)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, given map[string][]int32) { m.Partitions("give", given) }),
	)
	if err != nil {
		m.Event("error", err)
		return
	}
	m.client = client
	for running.Err() == nil {
		fetches := client.PollRecords(running, 50)
		fetches.EachRecord(func(record *kgo.Record) {
			m.Event("read", record.Partition, record.Offset, string(record.Value))
			m.unsaved[record.Partition] = kgo.EpochOffset{Epoch: record.LeaderEpoch, Offset: record.Offset + 1}
		})
		m.save()
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	m.Event("closed")
}

// save commits what was read; what it cannot commit is read again by the next owner.
func (m *member) save() {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.client == nil || len(m.unsaved) == 0 {
		return
	}
	wanted := m.unsaved
	m.unsaved = map[int32]kgo.EpochOffset{}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	failed := false
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.Topic: wanted}, failedCommit(&failed))
	if !failed {
		for partition, offset := range wanted {
			m.Event("commit", partition, offset.Offset)
		}
	}
}

// failedCommit notes whether any partition was refused.
func failedCommit(failed *bool) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		*failed = err != nil
		if answer == nil {
			return
		}
		for _, topic := range answer.Topics {
			for _, partition := range topic.Partitions {
				*failed = *failed || partition.ErrorCode != 0
			}
		}
	}
}
