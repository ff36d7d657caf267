// kafka-go's balanced reader: prints what it reads, as many records as it is told, and commits them.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(topic, group, wanted string) error {
	count, err := strconv.Atoi(wanted)
	if err != nil {
		return err
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{os.Getenv("BOOTSTRAP")}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset,
		MaxWait: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, HeartbeatInterval: 500 * time.Millisecond,
	})
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for range count {
		message, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		fmt.Println(string(message.Value))
		if err := reader.CommitMessages(ctx, message); err != nil {
			return err
		}
	}
	return reader.Close()
}
