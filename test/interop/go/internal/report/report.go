// Package report prints what an interoperability program found: one JSON line per check on standard output.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

type line struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail any    `json:"detail,omitempty"`
}

var (
	mu     sync.Mutex
	out    = json.NewEncoder(os.Stdout)
	failed bool
)

func write(l line) {
	mu.Lock()
	defer mu.Unlock()
	if !l.OK {
		failed = true
	}
	if err := out.Encode(l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// Pass reports a check that held, with facts for the reader.
func Pass(check string, detail any) { write(line{check, true, detail}) }

// Fail reports a check that did not hold.
func Fail(check, format string, args ...any) {
	write(line{check, false, fmt.Sprintf(format, args...)})
}

// Run performs a check: its detail when it held, its error when not. The program goes on either way.
func Run(check string, f func() (any, error)) bool {
	detail, err := f()
	if err != nil {
		Fail(check, "%v", err)
		return false
	}
	Pass(check, detail)
	return true
}

// Must performs a check that all later ones depend on, and ends the program when it does not hold.
func Must(check string, f func() (any, error)) {
	if !Run(check, f) {
		Exit()
	}
}

// Expect turns a comparison into an error.
func Expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// Exit ends the program with the line "complete", by which the reader knows that nothing was cut off. The status is 1 when a check failed.
func Exit() {
	mu.Lock()
	code := 0
	if failed {
		code = 1
	}
	mu.Unlock()
	write(line{"complete", code == 0, nil})
	os.Exit(code)
}

// Names returns the keys of a message's map of bundles, in no order.
func Names(bundles map[string][]byte) []string {
	names := []string{}
	for name := range bundles {
		names = append(names, name)
	}
	return names
}
