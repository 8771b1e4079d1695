package modelserver

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkPropose compares proposals of potts-q10 on 16x16 by REST and gRPC with the same call in
// this process, in turn. It reports the median of each, in ms, and that of the calls in this process
// divided by it: the share of its throughput.
func BenchmarkPropose(b *testing.B) {
	for _, rows := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			p := open(b, func(o *Options) { o.Rows = 128 }, nil)
			p.addPretrained("potts-q10")
			p.load("potts-q10")
			h := p.acquire("potts-q10")
			defer h.Release()
			in := moves(h, rows, 1)
			request := proposeTensors(in)
			ways := []string{"process", "binary", "grpc"}
			call := func(way string) {
				var err error
				if way == "process" {
					_, _, err = h.Propose(context.Background(), in)
				} else {
					_, err = p.infer(way, "potts-q10.propose", request)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			for range 5 {
				for _, way := range ways {
					call(way)
				}
			}
			times := map[string][]time.Duration{}
			for i := 0; b.Loop(); i++ {
				for k := range ways {
					way := ways[(i+k)%len(ways)]
					began := time.Now()
					call(way)
					times[way] = append(times[way], time.Since(began))
				}
			}
			median := func(way string) float64 {
				slices.Sort(times[way])
				return times[way][len(times[way])/2].Seconds()
			}
			for _, way := range ways {
				b.ReportMetric(1e3*median(way), way+"-ms")
			}
			b.ReportMetric(median("process")/median("binary"), "binary-share")
			b.ReportMetric(median("process")/median("grpc"), "grpc-share")
		})
	}
}

// BenchmarkClients has clients ask for one proposal of potts-q10 at a time by gRPC, one after the
// other, each as fast as it can. It reports the proposals per second of all together.
func BenchmarkClients(b *testing.B) {
	for _, clients := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			p := open(b, func(o *Options) { o.Rows = 128 }, nil)
			p.addPretrained("potts-q10")
			p.load("potts-q10")
			h := p.acquire("potts-q10")
			request := proposeTensors(moves(h, 1, 1))
			h.Release()
			began, n := time.Now(), 0
			for b.Loop() {
				var wait sync.WaitGroup
				for range clients {
					wait.Go(func() {
						for range 10 {
							if _, err := p.infer("grpc", "potts-q10.propose", request); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wait.Wait()
				n += 10 * clients
			}
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "proposals/s")
		})
	}
}
