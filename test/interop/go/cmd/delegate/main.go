// Command delegate acts for workloads with the client of spire-api-sdk: it takes their identities over the Delegated Identity
// API, verifies them with go-spiffe, and prints each message and how the call ended.
//
//	delegate -socket PATH [-selectors TYPE:VALUE,...] [-pid N] x509 | jwt | x509-bundles | jwt-bundles
package main

import (
	"context"
	"crypto/x509"
	"flag"
	"strings"
	"time"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	delegatedidentityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/agent/delegatedidentity/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/status"
)

const audience = "interop"

type delegate struct {
	client    delegatedidentityv1.DelegatedIdentityClient
	selectors []*types.Selector
	pid       int32
}

// What is told of an identity.
type identity struct {
	ID     string `json:"id"`
	Serial string `json:"serial,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

func main() {
	socket := flag.String("socket", "", "path of the agent's admin socket")
	selectors := flag.String("selectors", "", "selectors of the workload")
	pid := flag.Int("pid", 0, "process of the workload")
	limit := flag.Duration("limit", time.Minute, "time limit for the whole")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	d := delegate{pid: int32(*pid)}
	for _, text := range strings.FieldsFunc(*selectors, func(r rune) bool { return r == ',' }) {
		kind, value, _ := strings.Cut(text, ":")
		d.selectors = append(d.selectors, &types.Selector{Type: kind, Value: value})
	}
	report.Must("connected", func() (any, error) {
		connection, err := server.DialLocal(*socket)
		if err != nil {
			return nil, err
		}
		d.client = delegatedidentityv1.NewDelegatedIdentityClient(connection)
		return nil, nil
	})
	calls := map[string]func(context.Context) error{
		"x509": d.x509, "jwt": d.jwt, "x509-bundles": d.x509Bundles, "jwt-bundles": d.jwtBundles,
	}
	if err := calls[flag.Arg(0)](ctx); err != nil {
		report.Pass("ended", map[string]string{"code": status.Code(err).String(), "message": status.Convert(err).Message()})
	}
	report.Exit()
}

func (d delegate) x509(ctx context.Context) error {
	authorities, err := d.authorities(ctx)
	if err != nil {
		return err
	}
	stream, err := d.client.SubscribeToX509SVIDs(ctx, &delegatedidentityv1.SubscribeToX509SVIDsRequest{Selectors: d.selectors, Pid: d.pid})
	if err != nil {
		return err
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return err
		}
		report.Run("update", func() (any, error) {
			identities := []identity{}
			for _, each := range message.X509Svids {
				found, err := verify(each, authorities)
				if err != nil {
					return nil, err
				}
				identities = append(identities, found)
			}
			return identities, nil
		})
	}
}

// The key belongs to the certificate, and the chain leads to the bundle of the trust domain that the ID names.
func verify(each *delegatedidentityv1.X509SVIDWithKey, authorities *x509bundle.Set) (identity, error) {
	var chain []byte
	for _, certificate := range each.X509Svid.CertChain {
		chain = append(chain, certificate...)
	}
	svid, err := x509svid.ParseRaw(chain, each.X509SvidKey)
	if err != nil {
		return identity{}, err
	}
	id, _, err := x509svid.Verify(svid.Certificates, authorities)
	if err != nil {
		return identity{}, err
	}
	told := "spiffe://" + each.X509Svid.Id.TrustDomain + each.X509Svid.Id.Path
	leaf := svid.Certificates[0]
	if err := report.Expect(id.String() == told && each.X509Svid.ExpiresAt == leaf.NotAfter.Unix(), "%s is not %s", told, id); err != nil {
		return identity{}, err
	}
	return identity{ID: told, Serial: leaf.SerialNumber.Text(16), Hint: each.X509Svid.Hint}, nil
}

func (d delegate) authorities(ctx context.Context) (*x509bundle.Set, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.client.SubscribeToX509Bundles(ctx, &delegatedidentityv1.SubscribeToX509BundlesRequest{})
	if err != nil {
		return nil, err
	}
	message, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	return bundlesOf(message)
}

func bundlesOf(message *delegatedidentityv1.SubscribeToX509BundlesResponse) (*x509bundle.Set, error) {
	set := x509bundle.NewSet()
	for name, der := range message.CaCertificates {
		trustDomain, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, err
		}
		certificates, err := x509.ParseCertificates(der)
		if err != nil {
			return nil, err
		}
		set.Add(x509bundle.FromX509Authorities(trustDomain, certificates))
	}
	return set, nil
}

func (d delegate) jwt(ctx context.Context) error {
	keys, err := d.keys(ctx)
	if err != nil {
		return err
	}
	answer, err := d.client.FetchJWTSVIDs(ctx, &delegatedidentityv1.FetchJWTSVIDsRequest{
		Audience: []string{audience}, Selectors: d.selectors, Pid: d.pid,
	})
	if err != nil {
		return err
	}
	report.Run("tokens", func() (any, error) {
		identities := []identity{}
		for _, each := range answer.Svids {
			svid, err := jwtsvid.ParseAndValidate(each.Token, keys, []string{audience})
			if err != nil {
				return nil, err
			}
			if err := report.Expect(svid.Expiry.Unix() == each.ExpiresAt, "expires_at is not the token's"); err != nil {
				return nil, err
			}
			identities = append(identities, identity{ID: svid.ID.String(), Hint: each.Hint})
		}
		return identities, nil
	})
	return nil
}

func (d delegate) keys(ctx context.Context) (*jwtbundle.Set, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.client.SubscribeToJWTBundles(ctx, &delegatedidentityv1.SubscribeToJWTBundlesRequest{})
	if err != nil {
		return nil, err
	}
	message, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	set := jwtbundle.NewSet()
	for name, document := range message.Bundles {
		trustDomain, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, err
		}
		bundle, err := jwtbundle.Parse(trustDomain, document)
		if err != nil {
			return nil, err
		}
		set.Add(bundle)
	}
	return set, nil
}

func (d delegate) x509Bundles(ctx context.Context) error {
	stream, err := d.client.SubscribeToX509Bundles(ctx, &delegatedidentityv1.SubscribeToX509BundlesRequest{})
	for err == nil {
		var message *delegatedidentityv1.SubscribeToX509BundlesResponse
		if message, err = stream.Recv(); err == nil {
			report.Run("update", func() (any, error) {
				_, err := bundlesOf(message)
				return report.Names(message.CaCertificates), err
			})
		}
	}
	return err
}

func (d delegate) jwtBundles(ctx context.Context) error {
	stream, err := d.client.SubscribeToJWTBundles(ctx, &delegatedidentityv1.SubscribeToJWTBundlesRequest{})
	for err == nil {
		var message *delegatedidentityv1.SubscribeToJWTBundlesResponse
		if message, err = stream.Recv(); err == nil {
			report.Pass("update", report.Names(message.Bundles))
		}
	}
	return err
}
