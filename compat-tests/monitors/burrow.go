package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
	. "ottla.compat/gotest"
)

// burrow: Burrow 1.9 asks the leaders for the ends of partitions, follows the topic of offsets, and tells the lag of what is
// committed while it runs.
func burrow() {
	config := sarama.NewConfig()
	config.ClientID, config.Version, config.Consumer.Return.Errors = "burrow-lagchecker", sarama.V2_8_0_0, true
	client := Must(sarama.NewClient([]string{Bootstrap}, config))
	defer client.Close()
	ends := burrowEnds(client)
	consumer := Must(sarama.NewConsumerFromClient(client))
	defer consumer.Close()
	const topic = "__consumer_offsets"
	messages, wrong := make(chan *sarama.ConsumerMessage), make(chan error)
	for _, partition := range Must(client.Partitions(topic)) {
		following := Must(consumer.ConsumePartition(topic, partition, sarama.OffsetNewest))
		defer following.AsyncClose()
		go func() {
			for message := range following.Messages() {
				messages <- message
			}
		}()
		go func() {
			for err := range following.Errors() {
				wrong <- err
			}
		}()
	}
	lags := map[int32]int64{}
	deadline, again := time.After(40*time.Second), time.NewTicker(200*time.Millisecond)
	defer again.Stop()
	for len(lags) < partitions {
		select {
		case message := <-messages:
			noteLag(message, ends, lags)
		case <-again.C:
			// It is not told when the partitions are followed.
			commit(biller, billed)
		case err := <-wrong:
			panic(err)
		case <-deadline:
			panic(fmt.Sprintf("what is committed does not come, so far %v", lags))
		}
	}
	for partition, lag := range lags {
		Equal(lag, int64(produced-billed), fmt.Sprintf("lag of partition %d", partition))
	}
}

// burrowEnds asks the leader of each partition itself, all of a leader's at once.
func burrowEnds(client sarama.Client) map[int32]int64 {
	Check(client.RefreshMetadata())
	request := &sarama.OffsetRequest{Version: 4}
	var leader *sarama.Broker
	for _, partition := range Must(client.Partitions(orders)) {
		leader = Must(client.Leader(orders, partition))
		request.AddBlock(orders, partition, sarama.OffsetNewest, 1)
	}
	ends := map[int32]int64{}
	for partition, block := range Must(leader.GetAvailableOffsets(request)).Blocks[orders] {
		Equal(block.Err, sarama.ErrNoError, "the end of a partition")
		ends[partition] = block.Offset
	}
	Equal(ends, map[int32]int64{0: produced, 1: produced, 2: produced}, "the ends of the partitions")
	return ends
}

func noteLag(message *sarama.ConsumerMessage, ends, lags map[int32]int64) {
	var key kmsg.OffsetCommitKey
	if key.ReadFrom(message.Key) != nil || key.Version > 1 || key.Group != billing || message.Value == nil {
		return
	}
	value := kmsg.NewOffsetCommitValue()
	Check(value.ReadFrom(message.Value))
	lags[key.Partition] = ends[key.Partition] - value.Offset
}
