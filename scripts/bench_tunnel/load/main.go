// The load of `deno task bench:tunnel`, and the target behind the tunnels.
//
//	load target
//	load run -at HOST:PORT -target HOST:PORT [-socks] -work connect|echo|down|up -n 16 -seconds 2 -pids 1,2
//
// The target tells its address and ends with its stdin; a run tells one line of JSON.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"os"
	"strings"
	"time"
)

// Result of one run: what was done within its seconds, and the CPU that the processes took for it.
type Result struct {
	Operations float64 `json:"operations"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
	P50Us      float64 `json:"p50Us"`
	P99Us      float64 `json:"p99Us"`
	Errors     int64   `json:"errors"`
	Error      string  `json:"error"`
}

// Before it counts: the runtimes of both ends have compiled what they use by then.
const warmUp = 700 * time.Millisecond

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("load target|run ...")
	}
	if os.Args[1] == "target" {
		go serveTarget()
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	way := Way{}
	flags.StringVar(&way.at, "at", "", "where the tunnel begins")
	flags.StringVar(&way.target, "target", "", "the target's address")
	flags.BoolVar(&way.socks, "socks", false, "ask for the target by SOCKS5")
	work := flags.String("work", "echo", "what each connection does")
	count := flags.Int("n", 16, "connections at once")
	seconds := flags.Float64("seconds", 2, "how long it is counted")
	pids := flags.String("pids", "", "processes whose CPU is counted")
	_ = flags.Parse(os.Args[2:])
	load := NewLoad(way, *work)
	load.start(*count)
	time.Sleep(warmUp)
	result := load.measure(time.Duration(*seconds*float64(time.Second)), strings.Split(*pids, ","))
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
