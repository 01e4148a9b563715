package main

import (
	"context"
	"fmt"
	"slices"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func selectors(texts ...string) []*types.Selector {
	var list []*types.Selector
	for _, text := range texts {
		list = append(list, &types.Selector{Type: "interop", Value: text})
	}
	return list
}

func (a *administrator) entries(ctx context.Context) {
	client := entryv1.NewEntryClient(a.connection)
	parent := server.Message(a.id("interop", "node"))
	web := &types.Entry{
		SpiffeId: server.Message(a.id("interop", "web")), ParentId: parent, Selectors: selectors("b", "a"),
		X509SvidTtl: 600, JwtSvidTtl: 120, DnsNames: []string{"web.test", "www.web.test"}, Hint: "interop-web",
		ExpiresAt: 4_000_000_000, StoreSvid: true,
		AdditionalAttributes: &types.Entry_AdditionalAttributes{DisableX509SvidPrefetch: true, JwtSvidIncludeJti: true},
	}
	api := &types.Entry{Id: "interop-api", SpiffeId: server.Message(a.id("interop", "api")), ParentId: parent, Selectors: selectors("a")}
	db := &types.Entry{SpiffeId: server.Message(a.id("interop", "db")), ParentId: parent, Selectors: selectors("a", "b", "c"), Downstream: true}
	defer a.removeEntries(ctx, parent)

	create := func(output *types.EntryMask, entries ...*types.Entry) ([]*entryv1.BatchCreateEntryResponse_Result, error) {
		response, err := client.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: entries, OutputMask: output})
		if err != nil {
			return nil, err
		}
		return response.Results, report.Expect(len(response.Results) == len(entries), "%d results", len(response.Results))
	}

	report.Must("entries: created with all their fields", func() (any, error) {
		results, err := create(nil, web, api, db)
		if err != nil {
			return nil, err
		}
		for i, result := range results {
			if result.Status.GetCode() != 0 {
				return nil, fmt.Errorf("%d: %s", i, result.Status.GetMessage())
			}
		}
		got := results[0].Entry
		if got.Id == "" || got.CreatedAt == 0 || got.RevisionNumber != 0 {
			return nil, fmt.Errorf("id %q, created at %d, revision %d", got.Id, got.CreatedAt, got.RevisionNumber)
		}
		want := proto.Clone(web).(*types.Entry)
		want.Id, want.CreatedAt = got.Id, got.CreatedAt
		want.Selectors = selectors("a", "b")
		web.Id, db.Id = got.Id, results[2].Entry.GetId()
		if results[1].Entry.GetId() != "interop-api" {
			return nil, fmt.Errorf("the chosen ID became %q", results[1].Entry.GetId())
		}
		return nil, report.Expect(proto.Equal(got, want), "got %v, want %v", got, want)
	})
	report.Run("entries: a similar one is answered with the existing one", func() (any, error) {
		similar := &types.Entry{SpiffeId: web.SpiffeId, ParentId: web.ParentId, Selectors: selectors("a", "b"), X509SvidTtl: 5}
		results, err := create(nil, similar)
		if err != nil {
			return nil, err
		}
		result := results[0]
		return result.Status.GetMessage(), report.Expect(
			result.Status.GetCode() == int32(codes.AlreadyExists) && result.Entry.GetId() == web.Id && result.Entry.GetX509SvidTtl() == 600, "%v", result)
	})
	report.Run("entries: bad ones fail alone", func() (any, error) {
		good := &types.Entry{SpiffeId: server.Message(a.id("interop", "good")), ParentId: parent, Selectors: selectors("good")}
		foreign := proto.Clone(good).(*types.Entry)
		foreign.SpiffeId = &types.SPIFFEID{TrustDomain: "elsewhere.test", Path: "/x"}
		bare := proto.Clone(good).(*types.Entry)
		bare.Selectors = nil
		results, err := create(nil, foreign, good, bare)
		if err != nil {
			return nil, err
		}
		var got []string
		for _, result := range results {
			got = append(got, codes.Code(result.Status.GetCode()).String())
		}
		return results[0].Status.GetMessage(), report.Expect(slices.Equal(got, []string{"InvalidArgument", "OK", "InvalidArgument"}), "%v", got)
	})
	report.Run("entries: the answer to a creation keeps to its mask", func() (any, error) {
		entry := &types.Entry{SpiffeId: server.Message(a.id("interop", "masked")), ParentId: parent, Selectors: selectors("masked")}
		results, err := create(&types.EntryMask{SpiffeId: true}, entry)
		if err != nil {
			return nil, err
		}
		want := &types.Entry{Id: results[0].Entry.GetId(), SpiffeId: entry.SpiffeId}
		return nil, report.Expect(proto.Equal(results[0].Entry, want), "%v", results[0])
	})
	report.Run("entries: one by its ID, under a mask", func() (any, error) {
		got, err := client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: web.Id, OutputMask: &types.EntryMask{Hint: true, DnsNames: true}})
		if err != nil {
			return nil, err
		}
		want := &types.Entry{Id: web.Id, Hint: web.Hint, DnsNames: web.DnsNames}
		return nil, report.Expect(proto.Equal(got, want), "%v", got)
	})
	report.Run("entries: an unknown ID is not found", func() (any, error) {
		_, err := client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: "no-such-entry"})
		return server.Refused(err, codes.NotFound)
	})

	a.listEntries(ctx, client, parent, web, api, db)
	a.federateEntry(ctx, client, parent)
	a.changeEntries(ctx, client, web)
}

func (a *administrator) listEntries(ctx context.Context, client entryv1.EntryClient, parent *types.SPIFFEID, web, api, db *types.Entry) {
	match := func(how types.SelectorMatch_MatchBehavior, texts ...string) *entryv1.ListEntriesRequest_Filter {
		return &entryv1.ListEntriesRequest_Filter{ByParentId: parent, BySelectors: &types.SelectorMatch{Selectors: selectors(texts...), Match: how}}
	}
	filters := []struct {
		name   string
		filter *entryv1.ListEntriesRequest_Filter
		want   []*types.Entry
	}{
		{"SPIFFE ID", &entryv1.ListEntriesRequest_Filter{BySpiffeId: web.SpiffeId}, []*types.Entry{web}},
		{"exact selectors", match(types.SelectorMatch_MATCH_EXACT, "b", "a"), []*types.Entry{web}},
		{"subset of selectors", match(types.SelectorMatch_MATCH_SUBSET, "a", "b"), []*types.Entry{web, api}},
		{"superset of selectors", match(types.SelectorMatch_MATCH_SUPERSET, "a", "b"), []*types.Entry{web, db}},
		{"any of the selectors", match(types.SelectorMatch_MATCH_ANY, "b", "x"), []*types.Entry{web, db}},
		{"hint", &entryv1.ListEntriesRequest_Filter{ByHint: wrapperspb.String("interop-web")}, []*types.Entry{web}},
		{"downstream", &entryv1.ListEntriesRequest_Filter{ByParentId: parent, ByDownstream: wrapperspb.Bool(true)}, []*types.Entry{db}},
		{"nothing that exists", match(types.SelectorMatch_MATCH_EXACT, "nothing"), nil},
	}
	for _, row := range filters {
		report.Run("entries: filtered by "+row.name, func() (any, error) {
			response, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: row.filter, OutputMask: &types.EntryMask{}})
			if err != nil {
				return nil, err
			}
			var got, want []string
			for _, entry := range response.Entries {
				got = append(got, entry.Id)
			}
			for _, entry := range row.want {
				want = append(want, entry.Id)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				return nil, fmt.Errorf("got %v, want %v", got, want)
			}
			count, err := client.CountEntries(ctx, &entryv1.CountEntriesRequest{Filter: &entryv1.CountEntriesRequest_Filter{
				BySpiffeId: row.filter.BySpiffeId, ByParentId: row.filter.ByParentId, BySelectors: row.filter.BySelectors,
				ByHint: row.filter.ByHint, ByDownstream: row.filter.ByDownstream,
			}})
			if err != nil {
				return nil, err
			}
			return got, report.Expect(int(count.Count) == len(want), "counted %d", count.Count)
		})
	}
	report.Run("entries: page by page, each once", func() (any, error) {
		count, err := client.CountEntries(ctx, &entryv1.CountEntriesRequest{Filter: &entryv1.CountEntriesRequest_Filter{ByParentId: parent}})
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		pages, token := 0, ""
		for {
			response, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{
				Filter: &entryv1.ListEntriesRequest_Filter{ByParentId: parent}, PageSize: 2, PageToken: token,
			})
			if err != nil {
				return nil, err
			}
			if len(response.Entries) > 2 || pages > 100 {
				return nil, fmt.Errorf("page %d has %d entries", pages, len(response.Entries))
			}
			pages++
			for _, entry := range response.Entries {
				if seen[entry.Id] {
					return nil, fmt.Errorf("%s came twice", entry.Id)
				}
				seen[entry.Id] = true
			}
			if token = response.NextPageToken; token == "" {
				return map[string]int{"pages": pages, "entries": len(seen)}, report.Expect(len(seen) == int(count.Count), "%d of %d entries", len(seen), count.Count)
			}
		}
	})
	report.Run("entries: a page token that is none is refused", func() (any, error) {
		_, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{PageSize: 2, PageToken: "\x7fnonsense"})
		return server.Refused(err, codes.InvalidArgument)
	})
	report.Run("entries: a filter without selectors is refused", func() (any, error) {
		_, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: match(types.SelectorMatch_MATCH_ANY)})
		return server.Refused(err, codes.InvalidArgument)
	})
}

func (a *administrator) federateEntry(ctx context.Context, client entryv1.EntryClient, parent *types.SPIFFEID) {
	report.Run("entries: filtered by the trust domains they federate with", func() (any, error) {
		authority, err := foreignAuthority()
		if err != nil {
			return nil, err
		}
		bundles := bundlev1.NewBundleClient(a.connection)
		bundle := &types.Bundle{TrustDomain: foreign, X509Authorities: []*types.X509Certificate{{Asn1: authority}}}
		if _, err := bundles.BatchSetFederatedBundle(ctx, &bundlev1.BatchSetFederatedBundleRequest{Bundle: []*types.Bundle{bundle}}); err != nil {
			return nil, err
		}
		federated := &types.Entry{SpiffeId: server.Message(a.id("interop", "federated")), ParentId: parent, Selectors: selectors("federated"), FederatesWith: []string{foreign}}
		created, err := client.BatchCreateEntry(ctx, &entryv1.BatchCreateEntryRequest{Entries: []*types.Entry{federated}})
		if err != nil {
			return nil, err
		}
		if status := created.Results[0].Status; status.GetCode() != 0 {
			return nil, fmt.Errorf("%v", status)
		}
		for match, want := range map[types.FederatesWithMatch_MatchBehavior]int{
			types.FederatesWithMatch_MATCH_EXACT: 0, types.FederatesWithMatch_MATCH_SUBSET: 1,
			types.FederatesWithMatch_MATCH_SUPERSET: 0, types.FederatesWithMatch_MATCH_ANY: 1,
		} {
			response, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: &entryv1.ListEntriesRequest_Filter{
				ByParentId:      parent,
				ByFederatesWith: &types.FederatesWithMatch{TrustDomains: []string{foreign, "another.test"}, Match: match},
			}})
			if err != nil {
				return nil, err
			}
			if len(response.Entries) != want {
				return nil, fmt.Errorf("%s: %d entries", match, len(response.Entries))
			}
		}
		_, err = bundles.BatchDeleteFederatedBundle(ctx, &bundlev1.BatchDeleteFederatedBundleRequest{
			TrustDomains: []string{foreign}, Mode: bundlev1.BatchDeleteFederatedBundleRequest_DISSOCIATE,
		})
		if err != nil {
			return nil, err
		}
		got, err := client.GetEntry(ctx, &entryv1.GetEntryRequest{Id: created.Results[0].Entry.Id})
		if err != nil {
			return nil, err
		}
		return nil, report.Expect(len(got.FederatesWith) == 0, "after dissociating: %v", got.FederatesWith)
	})
}

func (a *administrator) changeEntries(ctx context.Context, client entryv1.EntryClient, web *types.Entry) {
	update := func(input, output *types.EntryMask, entry *types.Entry) (*entryv1.BatchUpdateEntryResponse_Result, error) {
		response, err := client.BatchUpdateEntry(ctx, &entryv1.BatchUpdateEntryRequest{Entries: []*types.Entry{entry}, InputMask: input, OutputMask: output})
		if err != nil {
			return nil, err
		}
		return response.Results[0], nil
	}
	report.Run("entries: an update writes what its mask names, and nothing else", func() (any, error) {
		result, err := update(&types.EntryMask{X509SvidTtl: true, Hint: true}, nil, &types.Entry{Id: web.Id, X509SvidTtl: 900})
		if err != nil {
			return nil, err
		}
		got := result.Entry
		return result.Status.GetMessage(), report.Expect(
			result.Status.GetCode() == 0 && got.X509SvidTtl == 900 && got.Hint == "" && got.JwtSvidTtl == 120 && len(got.DnsNames) == 2 && got.RevisionNumber == 1, "%v", result)
	})
	report.Run("entries: an update without a mask writes everything", func() (any, error) {
		result, err := update(nil, &types.EntryMask{RevisionNumber: true, DnsNames: true, Selectors: true},
			&types.Entry{Id: web.Id, SpiffeId: web.SpiffeId, ParentId: web.ParentId, Selectors: selectors("z")})
		if err != nil {
			return nil, err
		}
		want := &types.Entry{Id: web.Id, Selectors: selectors("z"), RevisionNumber: 2}
		return nil, report.Expect(proto.Equal(result.Entry, want), "%v", result)
	})
	report.Run("entries: an update of an unknown one is not found", func() (any, error) {
		result, err := update(&types.EntryMask{Hint: true}, nil, &types.Entry{Id: "no-such-entry", Hint: "x"})
		if err != nil {
			return nil, err
		}
		return result.Status.GetMessage(), report.Expect(result.Status.GetCode() == int32(codes.NotFound), "%v", result)
	})
	report.Run("entries: deleted, and an unknown one not found", func() (any, error) {
		response, err := client.BatchDeleteEntry(ctx, &entryv1.BatchDeleteEntryRequest{Ids: []string{web.Id, "no-such-entry"}})
		if err != nil {
			return nil, err
		}
		var got []string
		for _, result := range response.Results {
			got = append(got, result.Id+" "+codes.Code(result.Status.GetCode()).String())
		}
		return got, report.Expect(slices.Equal(got, []string{web.Id + " OK", "no-such-entry NotFound"}), "%v", got)
	})
}

func (a *administrator) removeEntries(ctx context.Context, parent *types.SPIFFEID) {
	client := entryv1.NewEntryClient(a.connection)
	report.Run("entries: all of these checks removed", func() (any, error) {
		response, err := client.ListEntries(ctx, &entryv1.ListEntriesRequest{Filter: &entryv1.ListEntriesRequest_Filter{ByParentId: parent}})
		if err != nil {
			return nil, err
		}
		request := &entryv1.BatchDeleteEntryRequest{}
		for _, entry := range response.Entries {
			request.Ids = append(request.Ids, entry.Id)
		}
		_, err = client.BatchDeleteEntry(ctx, request)
		return len(request.Ids), err
	})
}
