package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Ticks of proc(5) are hundredths of a second, wherever Linux runs.
const ticksPerSecond = 100

// Load is what all connections of a run do together.
type Load struct {
	way      Way
	work     string
	counting atomic.Bool
	stopped  atomic.Bool
	done     atomic.Int64
	errors   atomic.Int64
	mutex    sync.Mutex
	tookUs   []float64
	failure  string
}

func NewLoad(way Way, work string) *Load {
	return &Load{way: way, work: work}
}

func (l *Load) start(count int) {
	for i := 0; i < count; i++ {
		go l.run()
	}
}

// run begins again where a connection fails, for as long as the run lasts.
func (l *Load) run() {
	for !l.stopped.Load() {
		if err := l.connection(); err != nil && !l.stopped.Load() {
			l.errors.Add(1)
			l.mutex.Lock()
			l.failure = err.Error()
			l.mutex.Unlock()
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (l *Load) connection() error {
	began := time.Now()
	conn, err := l.way.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	switch l.work {
	case "connect":
		if _, err := conn.Write([]byte{asksForEcho}); err != nil {
			return err
		}
		if err := echo(conn, make([]byte, messageBytes)); err != nil {
			return err
		}
		l.did(1, time.Since(began))
		return nil
	case "echo":
		return l.echoes(conn)
	case "down":
		return l.pour(conn, asksForMore, conn.Read)
	case "up":
		return l.pour(conn, sendsMore, conn.Write)
	}
	return fmt.Errorf("no such work: %s", l.work)
}

func echo(conn net.Conn, message []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, message)
	return err
}

func (l *Load) echoes(conn net.Conn) error {
	if _, err := conn.Write([]byte{asksForEcho}); err != nil {
		return err
	}
	message := make([]byte, messageBytes)
	for !l.stopped.Load() {
		began := time.Now()
		if err := echo(conn, message); err != nil {
			return err
		}
		l.did(1, time.Since(began))
	}
	return nil
}

func (l *Load) pour(conn net.Conn, asks byte, piece func([]byte) (int, error)) error {
	if _, err := conn.Write([]byte{asks}); err != nil {
		return err
	}
	bytes := make([]byte, pieceBytes)
	for !l.stopped.Load() {
		count, err := piece(bytes)
		if err != nil {
			return err
		}
		l.did(int64(count), 0)
	}
	return nil
}

func (l *Load) did(count int64, took time.Duration) {
	if !l.counting.Load() {
		return
	}
	l.done.Add(count)
	if took == 0 {
		return
	}
	l.mutex.Lock()
	l.tookUs = append(l.tookUs, float64(took.Nanoseconds())/1000)
	l.mutex.Unlock()
}

// measure counts for so long, and ends the run.
func (l *Load) measure(wait time.Duration, pids []string) Result {
	spent := cpuSeconds(pids)
	began := time.Now()
	l.counting.Store(true)
	time.Sleep(wait)
	l.counting.Store(false)
	seconds := time.Since(began).Seconds()
	spent = cpuSeconds(pids) - spent
	l.stopped.Store(true)
	operations := float64(l.done.Load())
	if l.work == "down" || l.work == "up" {
		operations /= 1 << 20
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	sort.Float64s(l.tookUs)
	return Result{
		Operations: operations, Seconds: seconds, CPUSeconds: spent,
		P50Us: l.quantile(0.5), P99Us: l.quantile(0.99),
		Errors: l.errors.Load(), Error: l.failure,
	}
}

func (l *Load) quantile(of float64) float64 {
	if len(l.tookUs) == 0 {
		return 0
	}
	return l.tookUs[int(of*float64(len(l.tookUs)-1))]
}

// proc(5): utime and stime of /proc/PID/stat, the 14th and 15th field; the 2nd may have spaces.
func cpuSeconds(pids []string) float64 {
	ticks := 0
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			log.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		ticks += user + system
	}
	return float64(ticks) / ticksPerSecond
}
