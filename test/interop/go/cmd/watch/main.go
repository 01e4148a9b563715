// Command watch is a workload that runs until it is killed: it keeps an X.509 stream open with go-spiffe's own
// back-off and prints a JSON line for all that happens, with the time at which it did.
//
//	{"at": milliseconds, "event": "start" | "identity" | "refused", ...}
//
// On SIGUSR1 it starts itself anew in place: a new program in a pod that is known already.
package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/status"
)

type line struct {
	At     float64  `json:"at"`
	Event  string   `json:"event"`
	IDs    []string `json:"ids,omitempty"`
	Serial string   `json:"serial,omitempty"`
	DNS    []string `json:"dns,omitempty"`
	Code   string   `json:"code,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

type watcher struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (w *watcher) print(l line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.At = float64(time.Now().UnixMicro()) / 1000
	_ = w.out.Encode(l)
}

func (w *watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	ids := []string{}
	for _, svid := range update.SVIDs {
		ids = append(ids, svid.ID.String())
	}
	leaf := update.DefaultSVID().Certificates[0]
	w.print(line{Event: "identity", IDs: ids, Serial: leaf.SerialNumber.Text(16), DNS: leaf.DNSNames})
}

func (w *watcher) OnX509ContextWatchError(err error) {
	w.print(line{Event: "refused", Code: status.Code(err).String(), Reason: status.Convert(err).Message()})
}

func (w *watcher) startAnewOnSignal() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	<-asked
	err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	w.print(line{Event: "refused", Code: "Exec", Reason: err.Error()})
}

func main() {
	w := &watcher{out: json.NewEncoder(os.Stdout)}
	w.print(line{Event: "start"})
	go w.startAnewOnSignal()
	if err := workloadapi.WatchX509Context(context.Background(), w); err != nil {
		w.print(line{Event: "refused", Code: "End", Reason: err.Error()})
		os.Exit(1)
	}
}
