package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// copyInTransactions copies INPUT to OUTPUT; every ABORT_EVERY-th transaction is aborted and done again.
func copyInTransactions() {
	running, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	every, err := strconv.Atoi(os.Getenv("ABORT_EVERY"))
	if err != nil {
		panic(err)
	}
	for running.Err() == nil {
		if err := copyUntil(running, every); err != nil {
			fmt.Println("starts anew after", err)
		}
	}
}

func copyUntil(running context.Context, every int) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.TransactionalID(os.Getenv("TXID")), kgo.TransactionTimeout(10*time.Second),
		kgo.ConsumerGroup(os.Getenv("GROUP")), kgo.ConsumeTopics(os.Getenv("INPUT")), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets(),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.DefaultProduceTopic(os.Getenv("OUTPUT")),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	for turn := 1; running.Err() == nil; turn++ {
		polled, cancel := context.WithTimeout(running, time.Second)
		fetches := session.PollRecords(polled, 20)
		cancel()
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := session.Begin(); err != nil {
			return err
		}
		promise := kgo.AbortingFirstErrPromise(session.Client())
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(context.Background(), &kgo.Record{Key: record.Key, Value: record.Value}, promise.Promise())
		})
		if err := session.Client().Flush(context.Background()); err != nil {
			return err
		}
		wanted := kgo.TransactionEndTry(promise.Err() == nil && turn%every != 0)
		committed, err := session.End(context.Background(), wanted)
		if err != nil {
			return err
		}
		if committed {
			fmt.Println("committed", fetches.NumRecords())
		} else {
			fmt.Println("aborted", fetches.NumRecords())
		}
	}
	return nil
}
