package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	. "ottla.compat/gotest"
)

// program runs a server for the time of a body, with an address and a folder of its own; where the body fails its last words are
// told.
func program(command func(address, folder string) []string, body func(address string)) {
	probe := Must(net.Listen("tcp", "127.0.0.1:0"))
	address := probe.Addr().String()
	Check(probe.Close())
	folder := Must(os.MkdirTemp("", "monitors"))
	defer os.RemoveAll(folder)
	log := Must(os.Create(filepath.Join(folder, "log")))
	words := command(address, folder)
	running := exec.Command(words[0], words[1:]...)
	running.Dir, running.Stdout, running.Stderr = folder, log, log
	defer endsWithThis(running)()
	Check(running.Start())
	defer func() {
		failure := recover()
		running.Process.Kill()
		running.Wait()
		if failure != nil {
			text := string(Must(os.ReadFile(log.Name())))
			panic(fmt.Sprintf("%v; %s said: %s", failure, filepath.Base(words[0]), text[max(0, len(text)-600):]))
		}
	}()
	body(address)
}

// endsWithThis lets the system end a program that is not started yet when this one ends, however it does. That is tied to the thread
// that starts it, which is kept until the returned function is called.
func endsWithThis(program *exec.Cmd) func() {
	runtime.LockOSThread()
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return runtime.UnlockOSThread
}

func write(path, text string) { Check(os.WriteFile(path, []byte(text), 0o644)) }

// asked is a JSON answer; nil where there is none.
func asked(url string) map[string]any {
	var out map[string]any
	if json.Unmarshal([]byte(get(url)), &out) != nil {
		return nil
	}
	return out
}

// What Strimzi's dashboards, those of kafka_exporter and those of any process ask Prometheus for.
func queries() map[string]float64 {
	return map[string]float64{
		`up{job="ottla"}`: 1,
		`sum(kafka_consumergroup_lag{consumergroup="` + billing + `"}) by (consumergroup, topic)`:   partitions * (produced - billed),
		`sum(kafka_topic_partition_current_offset{topic="` + orders + `"})`:                         partitions * produced,
		`sum(kafka_topic_partitions{topic="` + orders + `"})`:                                       partitions,
		`sum(kafka_server_replicamanager_underreplicatedpartitions)`:                                0,
		`sum(kafka_controller_kafkacontroller_activecontrollercount)`:                               1,
		`count(kafka_server_replicamanager_leadercount)`:                                            1,
		`sum(kafka_server_brokertopicmetrics_messagesin_total{topic="` + orders + `"})`:             partitions * produced,
		`count(process_resident_memory_bytes{job="ottla"})`:                                         1,
		`count(histogram_quantile(0.99, ottla_request_duration_seconds_bucket{request="Produce"}))`: 1,
	}
}

// prometheus: Debian's Prometheus scrapes the broker, and answers what dashboards ask.
func prometheus() {
	program(func(address, folder string) []string {
		write(filepath.Join(folder, "prometheus.yml"), "scrape_configs:\n- job_name: ottla\n  scrape_interval: 1s\n"+
			"  static_configs:\n  - targets: ['"+metricsAddress()+"']\n")
		return []string{
			os.Getenv("PROMETHEUS"), "--config.file=" + folder + "/prometheus.yml", "--web.listen-address=" + address,
			"--storage.tsdb.path=" + folder + "/data", "--log.level=warn",
		}
	}, func(address string) {
		for query, want := range queries() {
			Eventually(query, func() bool {
				data, _ := asked("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))["data"].(map[string]any)
				rows, _ := data["result"].([]any)
				if len(rows) != 1 {
					return false
				}
				pair, _ := rows[0].(map[string]any)["value"].([]any)
				return len(pair) == 2 && pair[1] == fmt.Sprint(want)
			})
		}
	})
}
