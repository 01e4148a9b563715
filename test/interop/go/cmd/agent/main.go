// Command agent is a stock agent to the server, through spire-api-sdk: it attests, follows its entries, orders SVIDs,
// renews, and is banned. It administers the server through the local socket to set each scene.
//
//	agent -server ADDRESS -admin SOCKET [-pop-chain FILE -pop-key FILE [-given NAME,... -withheld NAME,...]]
//	      [-psat-cluster NAME -psat-token TOKEN]
//
// The chain and key (PEM) let it attest by x509pop; the server must trust the chain's authority. Of the trust domains
// that are given it has to get the bundle then, of those that are withheld not. The
// cluster and token let it attest by k8s_psat.
package main

import (
	"context"
	"crypto"
	"flag"
	"time"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// A scene is what the stories share: the server, seen by an administrator and by whoever has no certificate yet.
type scene struct {
	address   string
	admin     *grpc.ClientConn
	anonymous *grpc.ClientConn
	bundle    *spiffebundle.Bundle
}

// An agent that has attested.
type agent struct {
	id           spiffeid.ID
	key          crypto.Signer
	svid         *x509svid.SVID
	connection   *grpc.ClientConn
	reattestable bool
}

func main() {
	address := flag.String("server", "", "address of the server's TLS port")
	admin := flag.String("admin", "", "path of the server's local socket")
	popChain := flag.String("pop-chain", "", "certificate chain for x509pop")
	popKey := flag.String("pop-key", "", "key for x509pop")
	given := flag.String("given", "", "trust domains whose bundles the agent of x509pop may have")
	withheld := flag.String("withheld", "", "trust domains whose bundles are withheld from it")
	psatCluster := flag.String("psat-cluster", "", "name of the cluster for k8s_psat")
	psatToken := flag.String("psat-token", "", "token of the agent's pod for k8s_psat")
	limit := flag.Duration("limit", 2*time.Minute, "time limit for the whole")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	s := &scene{address: *address}
	report.Must("the local socket gives the bundle", func() (any, error) {
		var err error
		if s.admin, err = server.DialLocal(*admin); err != nil {
			return nil, err
		}
		s.bundle, err = server.GetBundle(ctx, s.admin)
		return nil, err
	})
	report.Must("the TLS port gives the same bundle to anybody", func() (any, error) {
		var err error
		if s.anonymous, err = server.DialAnonymous(s.address, s.bundle); err != nil {
			return nil, err
		}
		bundle, err := server.GetBundle(ctx, s.anonymous)
		if err != nil {
			return nil, err
		}
		return nil, report.Expect(bundle.Equal(s.bundle), "another bundle")
	})
	report.Run("the TLS port gives nothing else to anybody", func() (any, error) {
		_, err := agentv1.NewAgentClient(s.anonymous).ListAgents(ctx, &agentv1.ListAgentsRequest{})
		if _, wrong := server.Refused(err, codes.Unauthenticated); wrong == nil {
			return "Unauthenticated", nil
		}
		return server.Refused(err, codes.PermissionDenied)
	})

	joined := s.joinByToken(ctx)
	s.follow(ctx, joined)
	s.order(ctx, joined)
	s.renew(ctx, joined)
	s.ban(ctx, joined)
	s.joinUnderTwoNames(ctx)
	if *popChain != "" {
		s.joinByPossession(ctx, *popChain, *popKey, func(a *agent) {
			s.federate(ctx, a, names(*given), names(*withheld))
		})
	}
	if *psatCluster != "" {
		s.joinByPodToken(ctx, *psatCluster, *psatToken)
	}
	report.Exit()
}

// Connects with the agent's newest SVID.
func (s *scene) connect(a *agent) error {
	connection, err := server.DialAs(s.address, s.bundle, a.svid)
	if err != nil {
		return err
	}
	if a.connection != nil {
		_ = a.connection.Close()
	}
	a.connection = connection
	return nil
}

// Asks for something that only an agent in good standing gets, until the server says no: it may first end the connection,
// which the client library takes for a reason to connect again.
func (s *scene) denial(ctx context.Context, a *agent, want types.PermissionDeniedDetails_Reason) (any, error) {
	var err error
	for range 20 {
		_, err = agentv1.NewAgentClient(a.connection).PostStatus(ctx, &agentv1.PostStatusRequest{}, grpc.WaitForReady(true))
		if reason, ok := server.DenialReason(err); ok {
			return reason.String(), report.Expect(reason == want, "%s, expected %s", reason, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return server.Refused(err, codes.PermissionDenied)
}
