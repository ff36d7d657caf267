package gotest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Member is one member of a group; groups/hosts/host.py describes commands and events.
type Member struct {
	Name, Topic string
	events      *os.File
}

// HostMembers starts and ends members as standard input says; each runs until its context is done.
func HostMembers(run func(context.Context, *Member)) {
	events := Must(os.OpenFile(os.Getenv("EVENTS"), os.O_APPEND|os.O_WRONLY, 0))
	stops := map[string]context.CancelFunc{}
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		command, name, _ := strings.Cut(commands.Text(), " ")
		if command == "close" {
			stops[name]()
			continue
		}
		running, stop := context.WithCancel(context.Background())
		stops[name] = stop
		go run(running, &Member{Name: name, Topic: os.Getenv("TOPIC"), events: events})
	}
}

// Event appends one line in one write.
func (m *Member) Event(words ...any) { fmt.Fprint(m.events, m.Name+" "+fmt.Sprintln(words...)) }

// Partitions notes which partitions the member has now, or no more.
func (m *Member) Partitions(verb string, all map[string][]int32) {
	if partitions := slices.Sorted(slices.Values(all[m.Topic])); len(partitions) > 0 {
		m.Event(verb, strings.Trim(fmt.Sprint(partitions), "[]"))
	}
}
