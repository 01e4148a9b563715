// Command admin administers a server through spire-api-sdk, over the server's local socket: every call with its masks,
// filters and pages. It registers things of its own and leaves the server's other things alone.
//
//	admin -admin SOCKET [-only GROUP,...]
//
// Groups: health, entries, agents, bundles, mint, authorities, logger, debug.
package main

import (
	"context"
	"flag"
	"strings"
	"time"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// An administrator: the local socket, and the trust domain behind it.
type administrator struct {
	connection *grpc.ClientConn
	bundle     *spiffebundle.Bundle
}

func (a *administrator) id(path ...string) spiffeid.ID {
	return spiffeid.RequireFromSegments(a.bundle.TrustDomain(), path...)
}

func main() {
	socket := flag.String("admin", "", "path of the server's local socket")
	only := flag.String("only", "health,entries,agents,bundles,mint,authorities,logger,debug", "groups of checks")
	limit := flag.Duration("limit", 2*time.Minute, "time limit for the whole")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	a := &administrator{}
	report.Must("the local socket gives the bundle", func() (any, error) {
		var err error
		if a.connection, err = server.DialLocal(*socket); err != nil {
			return nil, err
		}
		a.bundle, err = server.GetBundle(ctx, a.connection)
		return nil, err
	})
	groups := map[string]func(context.Context){
		"health": a.health, "entries": a.entries, "agents": a.agents, "bundles": a.bundles, "mint": a.mint,
		"authorities": a.authorities, "logger": a.logger, "debug": a.debug,
	}
	for _, name := range strings.Split(*only, ",") {
		if group, ok := groups[name]; ok {
			group(ctx)
		} else {
			report.Fail(name, "no such group of checks")
		}
	}
	report.Exit()
}

func (a *administrator) health(ctx context.Context) {
	report.Run("health: the server serves", func() (any, error) {
		response, err := grpc_health_v1.NewHealthClient(a.connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			return nil, err
		}
		return response.Status.String(), report.Expect(response.Status == grpc_health_v1.HealthCheckResponse_SERVING, "%s", response.Status)
	})
}
