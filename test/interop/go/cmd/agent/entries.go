package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"assay-interop/internal/keys"
	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
)

const (
	fewEntries  = 3
	manyEntries = 620
	// The most ids in one request of a stock agent.
	pageSize = 500
)

// What a stock agent asks for.
func agentMask() *types.EntryMask {
	return &types.EntryMask{
		SpiffeId: true, Selectors: true, FederatesWith: true, Admin: true, Downstream: true, RevisionNumber: true,
		StoreSvid: true, Hint: true, CreatedAt: true, AdditionalAttributes: true,
	}
}

// Registers workloads below a parent, numbered from "from" to "to".
func (s *scene) register(ctx context.Context, parent spiffeid.ID, from, to int) ([]*types.Entry, error) {
	request := &entryv1.BatchCreateEntryRequest{}
	for i := from; i < to; i++ {
		id := spiffeid.RequireFromSegments(parent.TrustDomain(), "interop", fmt.Sprintf("workload-%d", i))
		request.Entries = append(request.Entries, &types.Entry{
			SpiffeId: server.Message(id), ParentId: server.Message(parent),
			Selectors:   []*types.Selector{{Type: "unix", Value: fmt.Sprintf("uid:%d", 100_000+i)}},
			X509SvidTtl: 600, DnsNames: []string{fmt.Sprintf("workload-%d.test", i)},
		})
	}
	response, err := entryv1.NewEntryClient(s.admin).BatchCreateEntry(ctx, request)
	if err != nil {
		return nil, err
	}
	var entries []*types.Entry
	for i, result := range response.Results {
		if result.Status.GetCode() != int32(codes.OK) {
			return nil, fmt.Errorf("entry %d: %s", i, result.Status.GetMessage())
		}
		entries = append(entries, result.Entry)
	}
	return entries, nil
}

// Runs one synchronisation as a stock agent does, and gives all entries and whether the server answered with revisions first.
func synchronise(ctx context.Context, a *agent) (map[string]*types.Entry, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stream, err := entryv1.NewEntryClient(a.connection).SyncAuthorizedEntries(ctx)
	if err != nil {
		return nil, false, err
	}
	if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{OutputMask: agentMask()}); err != nil {
		return nil, false, err
	}
	entries := map[string]*types.Entry{}
	var ids []string
	for {
		response, err := stream.Recv()
		if err != nil {
			return nil, false, err
		}
		for _, entry := range response.Entries {
			entries[entry.Id] = entry
		}
		for _, revision := range response.EntryRevisions {
			ids = append(ids, revision.Id)
		}
		if !response.More {
			break
		}
	}
	if len(ids) == 0 {
		_, err := stream.Recv()
		if !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("the stream goes on after a whole answer: %v", err)
		}
		return entries, false, nil
	}
	slices.Sort(ids)
	for page := range slices.Chunk(ids, pageSize) {
		if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{Ids: page}); err != nil {
			return nil, true, err
		}
		for more := true; more; {
			response, err := stream.Recv()
			if err != nil {
				return nil, true, err
			}
			for _, entry := range response.Entries {
				entries[entry.Id] = entry
			}
			more = response.More
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, true, err
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return nil, true, fmt.Errorf("the stream did not end: %v", err)
	}
	return entries, true, nil
}

func (s *scene) follow(ctx context.Context, a *agent) {
	report.Must("a small set of entries comes whole", func() (any, error) {
		if _, err := s.register(ctx, a.id, 0, fewEntries); err != nil {
			return nil, err
		}
		entries, paged, err := synchronise(ctx, a)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.ParentId != nil || entry.X509SvidTtl != 0 || len(entry.DnsNames) != 0 {
				return nil, fmt.Errorf("the mask was not kept: %v", entry)
			}
			if len(entry.Selectors) != 1 || entry.SpiffeId == nil || entry.CreatedAt == 0 {
				return nil, fmt.Errorf("fields are missing: %v", entry)
			}
		}
		return len(entries), report.Expect(len(entries) == fewEntries && !paged, "%d entries, paged: %t", len(entries), paged)
	})
	report.Run("a large set comes as revisions, then by id", func() (any, error) {
		for from := fewEntries; from < manyEntries; from += 200 {
			if _, err := s.register(ctx, a.id, from, min(from+200, manyEntries)); err != nil {
				return nil, err
			}
		}
		entries, paged, err := synchronise(ctx, a)
		if err != nil {
			return nil, err
		}
		return len(entries), report.Expect(len(entries) == manyEntries && paged, "%d entries, paged: %t", len(entries), paged)
	})
	report.Run("all entries come in one call", func() (any, error) {
		response, err := entryv1.NewEntryClient(a.connection).GetAuthorizedEntries(ctx, &entryv1.GetAuthorizedEntriesRequest{OutputMask: agentMask()})
		if err != nil {
			return nil, err
		}
		return len(response.Entries), report.Expect(len(response.Entries) == manyEntries, "%d entries", len(response.Entries))
	})
	report.Run("synchronising without a mask of revisions is refused", func() (any, error) {
		stream, err := entryv1.NewEntryClient(a.connection).SyncAuthorizedEntries(ctx)
		if err != nil {
			return nil, err
		}
		if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{OutputMask: &types.EntryMask{SpiffeId: true}}); err != nil {
			return nil, err
		}
		_, err = stream.Recv()
		return server.Refused(err, codes.InvalidArgument)
	})
	report.Run("an agent may not administer", func() (any, error) {
		_, err := entryv1.NewEntryClient(a.connection).ListEntries(ctx, &entryv1.ListEntriesRequest{})
		return server.Refused(err, codes.PermissionDenied)
	})
}

func (s *scene) order(ctx context.Context, a *agent) {
	issuer := svidv1.NewSVIDClient(a.connection)
	var entries []*types.Entry
	report.Must("the agent knows its entries", func() (any, error) {
		response, err := entryv1.NewEntryClient(a.connection).GetAuthorizedEntries(ctx, &entryv1.GetAuthorizedEntriesRequest{})
		if err != nil {
			return nil, err
		}
		entries = response.Entries
		return len(entries), report.Expect(len(entries) >= 2, "%d entries", len(entries))
	})
	report.Run("a batch of X509-SVIDs, one of them for an unknown entry", func() (any, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		var params []*svidv1.NewX509SVIDParams
		for _, entry := range []*types.Entry{entries[0], entries[1], {Id: "no-such-entry", SpiffeId: entries[0].SpiffeId}} {
			request, err := keys.Request(key, server.Name(entry.SpiffeId))
			if err != nil {
				return nil, err
			}
			params = append(params, &svidv1.NewX509SVIDParams{EntryId: entry.Id, Csr: request})
		}
		response, err := issuer.BatchNewX509SVID(ctx, &svidv1.BatchNewX509SVIDRequest{Params: params})
		if err != nil {
			return nil, err
		}
		if len(response.Results) != 3 {
			return nil, fmt.Errorf("%d results", len(response.Results))
		}
		for i, result := range response.Results[:2] {
			svid, err := server.ParseSVID(result.Svid, key, s.bundle)
			if err != nil {
				return nil, fmt.Errorf("%d: %s: %w", i, result.Status.GetMessage(), err)
			}
			leaf := svid.Certificates[0]
			life := leaf.NotAfter.Sub(leaf.NotBefore)
			if svid.ID.String() != server.Name(entries[i].SpiffeId) || !slices.Equal(leaf.DNSNames, entries[i].DnsNames) || life > 11*time.Minute {
				return nil, fmt.Errorf("%s, DNS names %v, life %s", svid.ID, leaf.DNSNames, life)
			}
		}
		unknown := response.Results[2].Status
		return unknown.GetMessage(), report.Expect(unknown.GetCode() == int32(codes.NotFound), "%v", unknown)
	})
	report.Run("a request that is not one is refused alone", func() (any, error) {
		response, err := issuer.BatchNewX509SVID(ctx, &svidv1.BatchNewX509SVIDRequest{
			Params: []*svidv1.NewX509SVIDParams{{EntryId: entries[0].Id, Csr: []byte("nonsense")}},
		})
		if err != nil {
			return nil, err
		}
		got := response.Results[0].Status
		return got.GetMessage(), report.Expect(got.GetCode() == int32(codes.InvalidArgument), "%v", got)
	})
	report.Run("a JWT-SVID that the bundle verifies", func() (any, error) {
		response, err := issuer.NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: entries[0].Id, Audience: []string{"interop"}})
		if err != nil {
			return nil, err
		}
		bundle, err := server.GetBundle(ctx, a.connection)
		if err != nil {
			return nil, err
		}
		svid, err := jwtsvid.ParseAndValidate(response.Svid.GetToken(), bundle, []string{"interop"})
		if err != nil {
			return nil, err
		}
		return svid.ID.String(), report.Expect(svid.ID.String() == server.Name(entries[0].SpiffeId) && svid.Expiry.Unix() == response.Svid.ExpiresAt,
			"%s until %s", svid.ID, svid.Expiry)
	})
	report.Run("a JWT-SVID for an unknown entry is refused", func() (any, error) {
		_, err := issuer.NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: "no-such-entry", Audience: []string{"interop"}})
		return server.Refused(err, codes.NotFound)
	})
	report.Run("a JWT-SVID for nobody is refused", func() (any, error) {
		_, err := issuer.NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: entries[0].Id})
		return server.Refused(err, codes.InvalidArgument)
	})
}

func (s *scene) renew(ctx context.Context, a *agent) {
	old := *a
	old.connection = nil
	report.Run("the agent renews with a new key, and the older SVID still works", func() (any, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		request, err := keys.Request(key, "")
		if err != nil {
			return nil, err
		}
		response, err := agentv1.NewAgentClient(a.connection).RenewAgent(ctx, &agentv1.RenewAgentRequest{Params: &agentv1.AgentX509SVIDParams{Csr: request}})
		if err != nil {
			return nil, err
		}
		svid, err := server.ParseSVID(response.Svid, key, s.bundle)
		if err != nil {
			return nil, err
		}
		if svid.ID != a.id {
			return nil, fmt.Errorf("%s became %s", a.id, svid.ID)
		}
		if _, err := agentv1.NewAgentClient(a.connection).PostStatus(ctx, &agentv1.PostStatusRequest{}); err != nil {
			return nil, fmt.Errorf("with the older SVID: %w", err)
		}
		a.key, a.svid = key, svid
		return nil, nil
	})
	report.Run("the first use of the newer SVID ends the older", func() (any, error) {
		if err := s.connect(&old); err != nil {
			return nil, err
		}
		defer old.connection.Close()
		if err := s.connect(a); err != nil {
			return nil, err
		}
		if _, err := agentv1.NewAgentClient(a.connection).PostStatus(ctx, &agentv1.PostStatusRequest{}); err != nil {
			return nil, err
		}
		return s.denial(ctx, &old, types.PermissionDeniedDetails_AGENT_NOT_ACTIVE)
	})
}

func (s *scene) ban(ctx context.Context, a *agent) {
	report.Run("a banned agent is told so", func() (any, error) {
		if _, err := agentv1.NewAgentClient(s.admin).BanAgent(ctx, &agentv1.BanAgentRequest{Id: server.Message(a.id)}); err != nil {
			return nil, err
		}
		return s.denial(ctx, a, types.PermissionDeniedDetails_AGENT_BANNED)
	})
	report.Run("the administrator sees the ban", func() (any, error) {
		seen, err := agentv1.NewAgentClient(s.admin).GetAgent(ctx, &agentv1.GetAgentRequest{Id: server.Message(a.id)})
		if err != nil {
			return nil, err
		}
		return nil, report.Expect(seen.Banned && seen.X509SvidSerialNumber == "", "%v", seen)
	})
}
