package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// hostMembers runs members of one group; groups/hosts/host.py describes commands and events.
func hostMembers() {
	events, err := os.OpenFile(os.Getenv("EVENTS"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	stops := map[string]context.CancelFunc{}
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		command, name, _ := strings.Cut(commands.Text(), " ")
		if command == "close" {
			stops[name]()
			continue
		}
		running, stop := context.WithCancel(context.Background())
		stops[name] = stop
		go (&member{name: name, topic: os.Getenv("TOPIC"), events: events}).run(running)
	}
}

type member struct {
	name, topic string
	events      *os.File
}

func (m *member) event(words ...any) { fmt.Fprint(m.events, m.name+" "+fmt.Sprintln(words...)) }

func (m *member) partitions(verb string, session sarama.ConsumerGroupSession) {
	if partitions := slices.Sorted(slices.Values(session.Claims()[m.topic])); len(partitions) > 0 {
		m.event(verb, strings.Trim(fmt.Sprint(partitions), "[]"))
	}
}

func (m *member) run(running context.Context) {
	settings := sarama.NewConfig()
	settings.Version = sarama.V2_8_0_0
	settings.ClientID = m.name
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
		if err := group.Consume(running, []string{m.topic}, m); err != nil {
			time.Sleep(200 * time.Millisecond)
		}
	}
	if err := group.Close(); err != nil {
		m.event("error", err)
		return
	}
	m.event("closed")
}

// Setup starts a generation.
func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.partitions("own", session)
	return nil
}

// Cleanup ends it, when every claim was left.
func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	m.partitions("give", session)
	return nil
}

// ConsumeClaim reads one partition. A commit here has no answer, so only what the group shows is checked.
func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			m.event("read", message.Partition, message.Offset, string(message.Value))
			session.MarkMessage(message, "")
			if len(claim.Messages()) == 0 {
				session.Commit()
			}
		case <-session.Context().Done():
			return nil
		}
	}
}
