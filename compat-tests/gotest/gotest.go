// Package gotest has what the Go suites share: inputs, and a runner that prints the lines which tally.py reads.
package gotest

import (
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Bootstrap is the address of the broker under test.
var Bootstrap = os.Getenv("BOOTSTRAP")

const caseTime = 60 * time.Second

var (
	run   = fmt.Sprintf("%s-%d-%d", os.Getenv("SUITE"), time.Now().Unix(), os.Getpid())
	tests []test
)

type test struct {
	name string
	body func()
}

// Row is one record: a key and a value, nil meaning null.
type Row struct{ Key, Value []byte }

// Test registers a test; it fails by panicking.
func Test(name string, body func()) { tests = append(tests, test{name, body}) }

// Topic is a topic name that no other run uses.
func Topic(name string) string { return run + "-" + name }

// Main runs every test, or those named on the command line.
func Main() {
	wanted := os.Args[1:]
	for _, t := range tests {
		if len(wanted) > 0 && !slices.Contains(wanted, t.name) {
			continue
		}
		done := make(chan string, 1)
		go func() {
			defer func() {
				if failure := recover(); failure != nil {
					done <- where() + fmt.Sprint(failure)
				}
			}()
			t.body()
			done <- ""
		}()
		var failure string
		select {
		case failure = <-done:
		case <-time.After(caseTime):
			failure = fmt.Sprintf("more than %v", caseTime)
		}
		if failure == "" {
			fmt.Printf("ok %s\n", t.name)
		} else {
			fmt.Printf("not ok %s: %s\n", t.name, strings.ReplaceAll(failure, "\n", " "))
		}
	}
	fmt.Println("end")
}

// where is the line of the suite that failed.
func where() string {
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		if at := strings.Index(line, "main.go:"); at >= 0 {
			return strings.Fields(line[at:])[0] + ": "
		}
	}
	return ""
}

// Check panics on an error.
func Check(err error) {
	if err != nil {
		panic(err)
	}
}

// Must returns the value or panics on the error.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// Equal panics unless both are deeply equal.
func Equal(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("%s: want %s, got %s", what, short(want), short(got)))
	}
}

// Eventually polls until check holds, for 20 seconds at most.
func Eventually(what string, check func() bool) {
	for deadline := time.Now().Add(20 * time.Second); !check(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("never: " + what)
		}
	}
}

// Rows are text, random bytes and every byte value; some keys null, some values empty.
func Rows(count int, seed int64) []Row {
	random := rand.New(rand.NewSource(seed))
	rows := make([]Row, count)
	for n := range rows {
		switch n % 4 {
		case 0:
			rows[n].Key = []byte(fmt.Sprintf("ключ-%d-鍵-🔑", n))
		case 1:
			rows[n].Key = Random(random, 1+random.Intn(30))
		case 3:
			rows[n].Key = EveryByte()
		}
		switch n % 3 {
		case 0:
			rows[n].Value = Random(random, 1+random.Intn(300))
		case 1:
			rows[n].Value = []byte{}
		case 2:
			rows[n].Value = []byte(fmt.Sprintf("строка repeats and repeats %d", n))
		}
	}
	return rows
}

// Random is count random bytes.
func Random(random *rand.Rand, count int) []byte {
	out := make([]byte, count)
	random.Read(out)
	return out
}

// EveryByte is 0 to 255.
func EveryByte() []byte {
	out := make([]byte, 256)
	for n := range out {
		out[n] = byte(n)
	}
	return out
}

func short(value any) string {
	text := fmt.Sprintf("%#v", value)
	if len(text) > 300 {
		return fmt.Sprintf("%s... (%d characters)", text[:200], len(text))
	}
	return text
}
