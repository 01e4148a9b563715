package main

import (
	"context"
	"fmt"

	"assay-interop/internal/keys"
	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	debugv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/debug/v1"
	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	loggerv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/logger/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
)

func (a *administrator) mint(ctx context.Context) {
	client := svidv1.NewSVIDClient(a.connection)
	id := a.id("interop", "minted")
	report.Run("mint: an X509-SVID", func() (any, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		request, err := keys.Request(key, id.String())
		if err != nil {
			return nil, err
		}
		response, err := client.MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: request, Ttl: 120})
		if err != nil {
			return nil, err
		}
		svid, err := server.ParseSVID(response.Svid, key, a.bundle)
		if err != nil {
			return nil, err
		}
		leaf := svid.Certificates[0]
		return leaf.NotAfter, report.Expect(svid.ID == id && leaf.NotAfter.Sub(leaf.NotBefore).Seconds() <= 120+60, "%s from %s until %s", svid.ID, leaf.NotBefore, leaf.NotAfter)
	})
	report.Run("mint: an X509-SVID without an ID is refused", func() (any, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		request, err := keys.Request(key, "")
		if err != nil {
			return nil, err
		}
		_, err = client.MintX509SVID(ctx, &svidv1.MintX509SVIDRequest{Csr: request})
		return server.Refused(err, codes.InvalidArgument)
	})
	report.Run("mint: a JWT-SVID that the bundle verifies", func() (any, error) {
		response, err := client.MintJWTSVID(ctx, &svidv1.MintJWTSVIDRequest{Id: server.Message(id), Audience: []string{"interop"}, Ttl: 60})
		if err != nil {
			return nil, err
		}
		svid, err := jwtsvid.ParseAndValidate(response.Svid.GetToken(), a.bundle, []string{"interop"})
		if err != nil {
			return nil, err
		}
		return svid.Expiry, report.Expect(svid.ID == id && response.Svid.ExpiresAt-response.Svid.IssuedAt == 60, "%s until %s", svid.ID, svid.Expiry)
	})
	report.Run("mint: a JWT-SVID for nobody is refused", func() (any, error) {
		_, err := client.MintJWTSVID(ctx, &svidv1.MintJWTSVIDRequest{Id: server.Message(id)})
		return server.Refused(err, codes.InvalidArgument)
	})
}

// The calls of one kind of authority, in words that hold for each.
type authorityKind struct {
	name     string
	state    func() (active, prepared, old *localauthorityv1.AuthorityState, err error)
	prepare  func() (*localauthorityv1.AuthorityState, error)
	activate func(id string) error
	taint    func(id string) error
	revoke   func(id string) error
}

// Must be the last that happens to a server under test: what its authorities had signed no longer verifies.
func (a *administrator) authorities(ctx context.Context) {
	client := localauthorityv1.NewLocalAuthorityClient(a.connection)
	a.rotate(authorityKind{
		name: "JWT",
		state: func() (_, _, _ *localauthorityv1.AuthorityState, err error) {
			r, err := client.GetJWTAuthorityState(ctx, &localauthorityv1.GetJWTAuthorityStateRequest{})
			return r.GetActive(), r.GetPrepared(), r.GetOld(), err
		},
		prepare: func() (*localauthorityv1.AuthorityState, error) {
			r, err := client.PrepareJWTAuthority(ctx, &localauthorityv1.PrepareJWTAuthorityRequest{})
			return r.GetPreparedAuthority(), err
		},
		activate: func(id string) error {
			_, err := client.ActivateJWTAuthority(ctx, &localauthorityv1.ActivateJWTAuthorityRequest{AuthorityId: id})
			return err
		},
		taint: func(id string) error {
			_, err := client.TaintJWTAuthority(ctx, &localauthorityv1.TaintJWTAuthorityRequest{AuthorityId: id})
			return err
		},
		revoke: func(id string) error {
			_, err := client.RevokeJWTAuthority(ctx, &localauthorityv1.RevokeJWTAuthorityRequest{AuthorityId: id})
			return err
		},
	})
	a.rotate(authorityKind{
		name: "X.509",
		state: func() (_, _, _ *localauthorityv1.AuthorityState, err error) {
			r, err := client.GetX509AuthorityState(ctx, &localauthorityv1.GetX509AuthorityStateRequest{})
			return r.GetActive(), r.GetPrepared(), r.GetOld(), err
		},
		prepare: func() (*localauthorityv1.AuthorityState, error) {
			r, err := client.PrepareX509Authority(ctx, &localauthorityv1.PrepareX509AuthorityRequest{})
			return r.GetPreparedAuthority(), err
		},
		activate: func(id string) error {
			_, err := client.ActivateX509Authority(ctx, &localauthorityv1.ActivateX509AuthorityRequest{AuthorityId: id})
			return err
		},
		taint: func(id string) error {
			_, err := client.TaintX509Authority(ctx, &localauthorityv1.TaintX509AuthorityRequest{AuthorityId: id})
			return err
		},
		revoke: func(id string) error {
			_, err := client.RevokeX509Authority(ctx, &localauthorityv1.RevokeX509AuthorityRequest{AuthorityId: id})
			return err
		},
	})
}

func (a *administrator) rotate(kind authorityKind) {
	check := func(name string, f func() (any, error)) bool {
		return report.Run("authorities: "+kind.name+": "+name, f)
	}
	var first, next *localauthorityv1.AuthorityState
	if !check("one is active", func() (any, error) {
		active, _, _, err := kind.state()
		if err != nil {
			return nil, err
		}
		first = active
		return active, report.Expect(active.GetAuthorityId() != "" && active.GetExpiresAt() > 0, "%v", active)
	}) {
		return
	}
	if !check("the next is prepared and published", func() (any, error) {
		prepared, err := kind.prepare()
		if err != nil {
			return nil, err
		}
		next = prepared
		_, seen, _, err := kind.state()
		if err != nil {
			return nil, err
		}
		return prepared, report.Expect(seen.GetAuthorityId() == prepared.AuthorityId && prepared.AuthorityId != first.AuthorityId, "%v, state %v", prepared, seen)
	}) {
		return
	}
	check("the active one cannot be tainted or revoked", func() (any, error) {
		if err := kind.taint(first.AuthorityId); err == nil {
			return nil, fmt.Errorf("tainted")
		}
		if err := kind.revoke(first.AuthorityId); err == nil {
			return nil, fmt.Errorf("revoked")
		}
		return nil, nil
	})
	check("an unknown one cannot be activated", func() (any, error) {
		if err := kind.activate("unknown"); err == nil {
			return nil, fmt.Errorf("activated")
		}
		return nil, nil
	})
	if !check("the prepared one becomes active, and the first old", func() (any, error) {
		if err := kind.activate(next.AuthorityId); err != nil {
			return nil, err
		}
		active, _, old, err := kind.state()
		if err != nil {
			return nil, err
		}
		return nil, report.Expect(active.GetAuthorityId() == next.AuthorityId && old.GetAuthorityId() == first.AuthorityId, "active %v, old %v", active, old)
	}) {
		return
	}
	check("the old one is tainted, then revoked", func() (any, error) {
		if err := kind.taint(first.AuthorityId); err != nil {
			return nil, fmt.Errorf("taint: %w", err)
		}
		return nil, kind.revoke(first.AuthorityId)
	})
}

func (a *administrator) logger(ctx context.Context) {
	client := loggerv1.NewLoggerClient(a.connection)
	report.Run("logger: set, read and reset", func() (any, error) {
		before, err := client.GetLogger(ctx, &loggerv1.GetLoggerRequest{})
		if err != nil {
			return nil, err
		}
		set, err := client.SetLogLevel(ctx, &loggerv1.SetLogLevelRequest{NewLevel: types.LogLevel_DEBUG})
		if err != nil {
			return nil, err
		}
		reset, err := client.ResetLogLevel(ctx, &loggerv1.ResetLogLevelRequest{})
		if err != nil {
			return nil, err
		}
		return before, report.Expect(set.CurrentLevel == types.LogLevel_DEBUG && set.LaunchLevel == before.LaunchLevel && reset.CurrentLevel == before.LaunchLevel, "%v, %v, %v", before, set, reset)
	})
	report.Run("logger: a level that is none is refused", func() (any, error) {
		_, err := client.SetLogLevel(ctx, &loggerv1.SetLogLevelRequest{NewLevel: types.LogLevel_UNSPECIFIED})
		return server.Refused(err, codes.InvalidArgument)
	})
}

func (a *administrator) debug(ctx context.Context) {
	report.Run("debug: what the server holds", func() (any, error) {
		info, err := debugv1.NewDebugClient(a.connection).GetInfo(ctx, &debugv1.GetInfoRequest{})
		if err != nil {
			return nil, err
		}
		if len(info.SvidChain) == 0 {
			return nil, fmt.Errorf("no chain")
		}
		return info, report.Expect(server.Name(info.SvidChain[0].Id) == server.ID(a.bundle.TrustDomain()).String(), "%v", info)
	})
}
