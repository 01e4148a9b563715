package main

import (
	"context"
	"fmt"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func (a *administrator) agents(ctx context.Context) {
	client := agentv1.NewAgentClient(a.connection)
	report.Run("agents: listed, counted, and each found by its ID", func() (any, error) {
		listed, err := listAgents(ctx, client, nil, 0)
		if err != nil {
			return nil, err
		}
		count, err := client.CountAgents(ctx, &agentv1.CountAgentsRequest{})
		if err != nil {
			return nil, err
		}
		for _, agent := range listed {
			got, err := client.GetAgent(ctx, &agentv1.GetAgentRequest{Id: agent.Id, OutputMask: &types.AgentMask{AttestationType: true}})
			if err != nil {
				return nil, err
			}
			if got.AttestationType != agent.AttestationType || got.X509SvidSerialNumber != "" || len(got.Selectors) != 0 {
				return nil, fmt.Errorf("the mask was not kept: %v", got)
			}
		}
		return len(listed), report.Expect(len(listed) == int(count.Count), "listed %d, counted %d", len(listed), count.Count)
	})
	report.Run("agents: page by page, the same", func() (any, error) {
		whole, err := listAgents(ctx, client, nil, 0)
		if err != nil {
			return nil, err
		}
		paged, err := listAgents(ctx, client, nil, 1)
		if err != nil {
			return nil, err
		}
		return len(paged), report.Expect(len(whole) == len(paged), "%d at once, %d by pages", len(whole), len(paged))
	})
	report.Run("agents: filtered into parts that make up the whole", func() (any, error) {
		whole, err := listAgents(ctx, client, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, value := range []bool{true, false} {
			for name, filter := range map[string]*agentv1.ListAgentsRequest_Filter{
				"banned":       {ByBanned: wrapperspb.Bool(value)},
				"can reattest": {ByCanReattest: wrapperspb.Bool(value)},
			} {
				part, err := listAgents(ctx, client, filter, 0)
				if err != nil {
					return nil, err
				}
				matching := 0
				for _, agent := range whole {
					if (name == "banned" && agent.Banned == value) || (name != "banned" && agent.CanReattest == value) {
						matching++
					}
				}
				if len(part) != matching {
					return nil, fmt.Errorf("%s = %t: %d of %d", name, value, len(part), matching)
				}
			}
		}
		return len(whole), nil
	})
	report.Run("agents: filtered by attestation type", func() (any, error) {
		tokens, err := listAgents(ctx, client, &agentv1.ListAgentsRequest_Filter{ByAttestationType: "join_token"}, 0)
		if err != nil {
			return nil, err
		}
		none, err := listAgents(ctx, client, &agentv1.ListAgentsRequest_Filter{ByAttestationType: "no_such_attestor"}, 0)
		if err != nil {
			return nil, err
		}
		for _, agent := range tokens {
			if agent.AttestationType != "join_token" {
				return nil, fmt.Errorf("%v", agent)
			}
		}
		return len(tokens), report.Expect(len(none) == 0, "%d agents of no attestor", len(none))
	})
	report.Run("agents: filtered by end of validity", func() (any, error) {
		before, err := listAgents(ctx, client, &agentv1.ListAgentsRequest_Filter{ByExpiresBefore: "2000-01-01 00:00:00 +0000 +00"}, 0)
		if err != nil {
			return nil, err
		}
		if _, err := listAgents(ctx, client, &agentv1.ListAgentsRequest_Filter{ByExpiresBefore: "soon"}, 0); err == nil {
			return nil, fmt.Errorf("a time that is none was accepted")
		}
		return nil, report.Expect(len(before) == 0, "%d agents", len(before))
	})
	report.Run("agents: an unknown one is not found", func() (any, error) {
		unknown := server.Message(a.id("spire", "agent", "join_token", "unknown"))
		if _, err := client.GetAgent(ctx, &agentv1.GetAgentRequest{Id: unknown}); err == nil {
			return nil, fmt.Errorf("GetAgent accepted it")
		}
		if _, err := client.BanAgent(ctx, &agentv1.BanAgentRequest{Id: unknown}); err == nil {
			return nil, fmt.Errorf("BanAgent accepted it")
		}
		_, err := client.DeleteAgent(ctx, &agentv1.DeleteAgentRequest{Id: unknown})
		return server.Refused(err, codes.NotFound)
	})
	report.Run("agents: an ID that is no agent's is refused", func() (any, error) {
		_, err := client.GetAgent(ctx, &agentv1.GetAgentRequest{Id: server.Message(a.id("interop", "web"))})
		return server.Refused(err, codes.InvalidArgument)
	})
	a.joinTokens(ctx, client)
}

func (a *administrator) joinTokens(ctx context.Context, client agentv1.AgentClient) {
	report.Run("join tokens: made by the server, or chosen", func() (any, error) {
		made, err := client.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 60})
		if err != nil {
			return nil, err
		}
		chosen := "interop-" + made.Value
		echoed, err := client.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 60, Token: chosen})
		if err != nil {
			return nil, err
		}
		return nil, report.Expect(len(made.Value) >= 32 && made.ExpiresAt > 0 && echoed.Value == chosen, "an unusable token")
	})
	report.Run("join tokens: one that never lives is refused", func() (any, error) {
		_, err := client.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 0})
		return server.Refused(err, codes.InvalidArgument)
	})
}

func listAgents(ctx context.Context, client agentv1.AgentClient, filter *agentv1.ListAgentsRequest_Filter, pageSize int32) ([]*types.Agent, error) {
	var agents []*types.Agent
	token := ""
	for {
		response, err := client.ListAgents(ctx, &agentv1.ListAgentsRequest{Filter: filter, PageSize: pageSize, PageToken: token})
		if err != nil {
			return nil, err
		}
		agents = append(agents, response.Agents...)
		if token = response.NextPageToken; token == "" {
			return agents, nil
		}
	}
}
