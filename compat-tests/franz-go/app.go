package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// app is a transactional application; ../transactions/apps/app.py describes what it does and writes down.
type app struct {
	name, txid string
	inputs     []place
	events     *os.File
	dice       *rand.Rand
	number     int
	running    context.Context
}

type place struct {
	topic     string
	partition int32
}

// runApp runs until SIGTERM, or until it is fenced.
func runApp() {
	running, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	seed := fnv.New64()
	seed.Write([]byte(os.Getenv("NAME")))
	a := &app{
		name: os.Getenv("NAME"), txid: os.Getenv("TXID"), inputs: placesOf(os.Getenv("INPUTS")), running: running,
		dice: rand.New(rand.NewSource(int64(seed.Sum64()))),
	}
	var err error
	if a.events, err = os.OpenFile(os.Getenv("EVENTS"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644); err != nil {
		panic(err)
	}
	for running.Err() == nil {
		if os.Getenv("ROLE") == "copy" {
			err = a.copy()
		} else {
			err = a.write()
		}
		if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
			a.event("fenced")
			return
		}
		if err != nil {
			a.event("anew " + err.Error())
			time.Sleep(200 * time.Millisecond)
		}
	}
}

func placesOf(text string) (places []place) {
	for _, topic := range strings.Split(text, ",") {
		name, count, _ := strings.Cut(topic, ":")
		partitions, err := strconv.Atoi(count)
		if err != nil {
			panic(err)
		}
		for n := range partitions {
			places = append(places, place{name, int32(n)})
		}
	}
	return places
}

func (a *app) event(line string) {
	if _, err := a.events.WriteString(a.name + " " + strings.ReplaceAll(line, "\n", " ") + "\n"); err != nil {
		panic(err)
	}
}

func (a *app) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.ClientID(a.name), kgo.TransactionalID(a.txid),
		kgo.TransactionTimeout(10 * time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
}

func (a *app) begin(client *kgo.Client) error {
	within, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, _, err := client.ProducerID(within); err != nil {
		return err
	}
	a.event("init " + a.txid)
	return nil
}

// transaction numbers the records and writes down where they go.
func (a *app) transaction(records []*kgo.Record, sources []string) int {
	a.number++
	line := fmt.Sprintf("sends %d", a.number)
	for n, record := range records {
		line += fmt.Sprintf(" %s/%d", record.Topic, record.Partition)
		record.Value = fmt.Appendf(nil, "%s/%d %d %s", a.name, a.number, n, sources[n])
	}
	a.event(line)
	return a.number
}

func (a *app) shallCommit() bool { return a.dice.Intn(5) > 0 }

func (a *app) ending(number int, commit bool) {
	if commit {
		a.event(fmt.Sprintf("ending %d commit", number))
	} else {
		a.event(fmt.Sprintf("ending %d abort", number))
	}
}

func (a *app) ended(number int, committed bool) {
	if committed {
		a.event(fmt.Sprintf("ended %d committed", number))
	} else {
		a.event(fmt.Sprintf("ended %d aborted", number))
	}
}

func (a *app) write() error {
	client, err := kgo.NewClient(a.options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := a.begin(client); err != nil {
		return err
	}
	for a.running.Err() == nil {
		if err := a.writeOne(client); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

func (a *app) writeOne(client *kgo.Client) error {
	count := 1 + a.dice.Intn(6)
	if a.dice.Intn(20) == 0 {
		count = 60
	}
	var records []*kgo.Record
	for range count {
		at := a.inputs[a.dice.Intn(len(a.inputs))]
		records = append(records, &kgo.Record{Topic: at.topic, Partition: at.partition})
	}
	sources := slices.Repeat([]string{"-"}, count)
	number := a.transaction(records, sources)
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	promise := kgo.AbortingFirstErrPromise(client)
	for _, record := range records {
		client.Produce(context.Background(), record, promise.Promise())
	}
	commit := a.shallCommit()
	if commit || a.dice.Intn(2) == 0 {
		if err := client.Flush(context.Background()); err != nil {
			return err
		}
	} else if err := client.AbortBufferedRecords(context.Background()); err != nil {
		return err
	}
	produced := promise.Err()
	if errors.Is(produced, kgo.ErrAborting) {
		produced = nil
	}
	commit = commit && produced == nil
	a.ending(number, commit)
	if err := client.EndTransaction(context.Background(), kgo.TransactionEndTry(commit)); err != nil {
		return err
	}
	a.ended(number, commit)
	return produced
}

func (a *app) copy() error {
	var topics []string
	for _, at := range a.inputs {
		topics = append(topics, at.topic)
	}
	session, err := kgo.NewGroupTransactSession(append(a.options(),
		kgo.ConsumerGroup(os.Getenv("GROUP")), kgo.ConsumeTopics(slices.Compact(topics)...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets(),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(200*time.Millisecond),
	)...)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := a.begin(session.Client()); err != nil {
		return err
	}
	for a.running.Err() == nil {
		polled, cancel := context.WithTimeout(a.running, time.Second)
		fetches := session.PollRecords(polled, 40)
		cancel()
		if fetches.NumRecords() > 0 {
			if err := a.copyOne(session, fetches.Records()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) copyOne(session *kgo.GroupTransactSession, read []*kgo.Record) error {
	var records []*kgo.Record
	var sources []string
	for _, record := range read {
		index := slices.Index(a.inputs, place{record.Topic, record.Partition})
		records = append(records, &kgo.Record{Topic: os.Getenv("OUTPUT"), Partition: int32(index)})
		sources = append(sources, fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset))
	}
	number := a.transaction(records, sources)
	if err := session.Begin(); err != nil {
		return err
	}
	promise := kgo.AbortingFirstErrPromise(session.Client())
	for _, record := range records {
		session.Produce(context.Background(), record, promise.Promise())
	}
	if err := session.Client().Flush(context.Background()); err != nil {
		return err
	}
	commit := promise.Err() == nil && a.shallCommit()
	a.ending(number, commit)
	committed, err := session.End(context.Background(), kgo.TransactionEndTry(commit))
	if err != nil {
		return err
	}
	a.ended(number, committed)
	return promise.Err()
}
