// Command broker takes identities of processes over the SPIFFE Broker API, with the messages of go-spiffe and an X509-SVID of its
// own from the Workload API, and prints each message and how the call ended.
//
//	broker -socket PATH -provider ID -pid N [-type NAME] [-header VALUE] [-audience A] x509 | jwt | x509-bundles | jwt-bundles
package main

import (
	"context"
	"crypto/x509"
	"flag"
	"time"

	"assay-interop/internal/report"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/exp/proto/spiffe/broker"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

type caller struct {
	client    broker.APIClient
	reference *broker.WorkloadReference
	audience  []string
}

type identity struct {
	ID     string `json:"id"`
	Serial string `json:"serial,omitempty"`
}

type ending struct {
	Code   string `json:"code"`
	Reason string `json:"reason,omitempty"`
	Domain string `json:"domain,omitempty"`
}

func main() {
	socket := flag.String("socket", "", "path of the broker socket")
	provider := flag.String("provider", "", "SPIFFE ID that the agent must have")
	pid := flag.Int("pid", 0, "process of the workload")
	kind := flag.String("type", "", "another reference type")
	header := flag.String("header", "true", "value of the security header; empty for none")
	audience := flag.String("audience", "interop", "audience; empty for none")
	limit := flag.Duration("limit", time.Minute, "time limit for the whole")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	if *header != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "broker.spiffe.io", *header)
	}
	c := caller{reference: referenceTo(int32(*pid), *kind)}
	if *audience != "" {
		c.audience = []string{*audience}
	}
	report.Must("connected", func() (any, error) {
		source, err := workloadapi.NewX509Source(ctx)
		if err != nil {
			return nil, err
		}
		config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(spiffeid.RequireFromString(*provider)))
		connection, err := grpc.NewClient("unix:"+*socket, grpc.WithTransportCredentials(credentials.NewTLS(config)))
		if err != nil {
			return nil, err
		}
		c.client = broker.NewAPIClient(connection)
		return nil, nil
	})
	calls := map[string]func(context.Context) error{
		"x509": c.x509, "jwt": c.jwt, "x509-bundles": c.x509Bundles, "jwt-bundles": c.jwtBundles,
	}
	if err := calls[flag.Arg(0)](ctx); err != nil {
		report.Pass("ended", endingOf(err))
	}
	report.Exit()
}

func referenceTo(pid int32, kind string) *broker.WorkloadReference {
	if kind == "none" {
		return &broker.WorkloadReference{}
	}
	value, err := proto.Marshal(&broker.WorkloadPIDReference{Pid: pid})
	if err != nil {
		panic(err)
	}
	if kind == "" {
		kind = "spiffe.broker.WorkloadPIDReference"
	}
	return &broker.WorkloadReference{Reference: &anypb.Any{TypeUrl: "type.googleapis.com/" + kind, Value: value}}
}

func endingOf(err error) ending {
	end := ending{Code: status.Code(err).String()}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && end.Reason == "" {
			end.Reason, end.Domain = info.Reason, info.Domain
		}
	}
	return end
}

func (c caller) x509(ctx context.Context) error {
	stream, err := c.client.SubscribeToX509SVID(ctx, &broker.SubscribeToX509SVIDRequest{Reference: c.reference})
	for err == nil {
		var message *broker.SubscribeToX509SVIDResponse
		if message, err = stream.Recv(); err != nil {
			return err
		}
		report.Run("update", func() (any, error) {
			identities := []identity{}
			for _, each := range message.Svids {
				found, err := verify(each)
				if err != nil {
					return nil, err
				}
				identities = append(identities, found)
			}
			return identities, nil
		})
	}
	return err
}

func verify(each *broker.X509SVID) (identity, error) {
	svid, err := x509svid.ParseRaw(each.X509Svid, each.X509SvidKey)
	if err != nil {
		return identity{}, err
	}
	authorities, err := x509.ParseCertificates(each.Bundle)
	if err != nil {
		return identity{}, err
	}
	bundle := x509bundle.FromX509Authorities(svid.ID.TrustDomain(), authorities)
	id, _, err := x509svid.Verify(svid.Certificates, bundle)
	if err != nil {
		return identity{}, err
	}
	return identity{ID: id.String(), Serial: svid.Certificates[0].SerialNumber.Text(16)}, report.Expect(id.String() == each.SpiffeId, "%s is not %s", each.SpiffeId, id)
}

func (c caller) jwt(ctx context.Context) error {
	answer, err := c.client.FetchJWTSVID(ctx, &broker.FetchJWTSVIDRequest{Reference: c.reference, Audience: c.audience})
	if err != nil {
		return err
	}
	bundles, err := c.keys(ctx)
	if err != nil {
		return err
	}
	report.Run("tokens", func() (any, error) {
		identities := []identity{}
		for _, each := range answer.Svids {
			svid, err := jwtsvid.ParseAndValidate(each.Svid, bundles, c.audience)
			if err != nil {
				return nil, err
			}
			identities = append(identities, identity{ID: svid.ID.String()})
		}
		return identities, nil
	})
	return nil
}

func (c caller) keys(ctx context.Context) (*jwtbundle.Set, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.client.SubscribeToJWTBundles(ctx, &broker.SubscribeToJWTBundlesRequest{Reference: c.reference})
	if err != nil {
		return nil, err
	}
	message, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	set := jwtbundle.NewSet()
	for name, document := range message.Bundles {
		bundle, err := jwtbundle.Parse(spiffeid.RequireTrustDomainFromString(name), document)
		if err != nil {
			return nil, err
		}
		set.Add(bundle)
	}
	return set, nil
}

func (c caller) x509Bundles(ctx context.Context) error {
	stream, err := c.client.SubscribeToX509Bundles(ctx, &broker.SubscribeToX509BundlesRequest{Reference: c.reference})
	for err == nil {
		var message *broker.SubscribeToX509BundlesResponse
		if message, err = stream.Recv(); err == nil {
			report.Pass("update", report.Names(message.Bundles))
		}
	}
	return err
}

func (c caller) jwtBundles(ctx context.Context) error {
	stream, err := c.client.SubscribeToJWTBundles(ctx, &broker.SubscribeToJWTBundlesRequest{Reference: c.reference})
	for err == nil {
		var message *broker.SubscribeToJWTBundlesResponse
		if message, err = stream.Recv(); err == nil {
			report.Pass("update", report.Names(message.Bundles))
		}
	}
	return err
}
