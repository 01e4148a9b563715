package main

import (
	"context"
	"encoding/json"
	"strings"

	"assay-interop/internal/keys"
	"assay-interop/internal/report"
	"assay-interop/internal/server"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
)

// The payload as a stock agent on Kubernetes makes it.
func podTokenPayload(cluster, token string) ([]byte, error) {
	return json.Marshal(struct {
		Cluster string `json:"cluster"`
		Token   string `json:"token"`
	}{cluster, token})
}

// Attests as an agent in a pod does, and is not let in with another token.
func (s *scene) joinByPodToken(ctx context.Context, cluster, token string) {
	join := func(token string) (*agent, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		payload, err := podTokenPayload(cluster, token)
		if err != nil {
			return nil, err
		}
		return s.attest(ctx, key, "k8s_psat", payload, nil)
	}
	var first *agent
	report.Must("k8s_psat: proves the node by the token of its pod", func() (any, error) {
		var err error
		if first, err = join(token); err != nil {
			return nil, err
		}
		prefix := "/spire/agent/k8s_psat/" + cluster + "/"
		return first.id.String(), report.Expect(strings.HasPrefix(first.id.Path(), prefix) && first.reattestable,
			"%s, reattestable: %t", first.id, first.reattestable)
	})
	report.Run("k8s_psat: a token that the cluster does not accept is refused", func() (any, error) {
		_, err := join(token + "x")
		return server.Refused(err, codes.PermissionDenied)
	})
	report.Run("k8s_psat: is told to attest again instead of renewing, and may", func() (any, error) {
		request, err := keys.Request(first.key, "")
		if err != nil {
			return nil, err
		}
		_, err = agentv1.NewAgentClient(first.connection).RenewAgent(ctx, &agentv1.RenewAgentRequest{Params: &agentv1.AgentX509SVIDParams{Csr: request}})
		reason, ok := server.DenialReason(err)
		if wrong := report.Expect(ok && reason == types.PermissionDeniedDetails_AGENT_MUST_REATTEST, "%v", err); wrong != nil {
			return nil, wrong
		}
		again, err := join(token)
		if err != nil {
			return nil, err
		}
		return reason.String(), report.Expect(again.id == first.id, "%s became %s", first.id, again.id)
	})
}
