package main

import (
	"context"
	"os"
	"time"

	"github.com/IBM/sarama"
	. "ottla.compat/gotest"
)

type member struct{ *Member }

// runMember takes part in the group until its context is done.
func runMember(running context.Context, m *Member) { member{m}.run(running) }

func (m member) run(running context.Context) {
	settings := sarama.NewConfig()
	settings.Version = sarama.V2_8_0_0
	settings.ClientID = m.Name
	settings.Metadata.RefreshFrequency = time.Second
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Consumer.Offsets.AutoCommit.Enable = false
	settings.Consumer.Group.Session.Timeout = 6 * time.Second
	settings.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	settings.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	settings.Consumer.MaxWaitTime = 200 * time.Millisecond
	var group sarama.ConsumerGroup
	for group == nil {
		var err error
		if group, err = sarama.NewConsumerGroup([]string{os.Getenv("BOOTSTRAP")}, os.Getenv("GROUP"), settings); err != nil {
			time.Sleep(200 * time.Millisecond)
		}
	}
	for running.Err() == nil {
		if err := group.Consume(running, []string{m.Topic}, m); err != nil {
			time.Sleep(200 * time.Millisecond)
		}
	}
	if err := group.Close(); err != nil {
		m.Event("error", err)
		return
	}
	m.Event("closed")
}

// Setup starts a generation.
func (m member) Setup(session sarama.ConsumerGroupSession) error {
	m.Partitions("own", session.Claims())
	return nil
}

// Cleanup ends it, when every claim was left.
func (m member) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	m.Partitions("give", session.Claims())
	return nil
}

// ConsumeClaim reads one partition. A commit here has no answer, so only what the group shows is checked.
func (m member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.Event("read", message.Partition, message.Offset, string(message.Value))
			session.MarkMessage(message, "")
			if len(claim.Messages()) == 0 {
				session.Commit()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}
