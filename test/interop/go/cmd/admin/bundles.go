package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const foreign = "interop.elsewhere.test"

// A CA certificate of a foreign trust domain.
func foreignAuthority() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "interop"}, URIs: []*url.URL{{Scheme: "spiffe", Host: foreign}},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

func (a *administrator) bundles(ctx context.Context) {
	client := bundlev1.NewBundleClient(a.connection)
	report.Run("bundle: under a mask", func() (any, error) {
		got, err := client.GetBundle(ctx, &bundlev1.GetBundleRequest{OutputMask: &types.BundleMask{SequenceNumber: true}})
		if err != nil {
			return nil, err
		}
		want := &types.Bundle{TrustDomain: a.bundle.TrustDomain().Name(), SequenceNumber: got.SequenceNumber}
		return got.SequenceNumber, report.Expect(proto.Equal(got, want), "%v", got)
	})
	var authority []byte
	report.Must("bundle: an authority of another trust domain is made", func() (any, error) {
		var err error
		authority, err = foreignAuthority()
		return nil, err
	})
	bundle := &types.Bundle{TrustDomain: foreign, X509Authorities: []*types.X509Certificate{{Asn1: authority}}, RefreshHint: 60, SequenceNumber: 7}
	report.Run("federated bundles: created once", func() (any, error) {
		request := &bundlev1.BatchCreateFederatedBundleRequest{Bundle: []*types.Bundle{bundle}}
		for _, want := range []codes.Code{codes.OK, codes.AlreadyExists} {
			response, err := client.BatchCreateFederatedBundle(ctx, request)
			if err != nil {
				return nil, err
			}
			if got := response.Results[0].Status; got.GetCode() != int32(want) {
				return nil, fmt.Errorf("%v, expected %s", got, want)
			}
		}
		return nil, nil
	})
	report.Run("federated bundles: read, listed and counted", func() (any, error) {
		got, err := client.GetFederatedBundle(ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: foreign})
		if err != nil {
			return nil, err
		}
		if _, err := server.ParseBundle(got); err != nil {
			return nil, err
		}
		if got.RefreshHint != 60 || len(got.X509Authorities) != 1 {
			return nil, fmt.Errorf("%v", got)
		}
		listed, err := client.ListFederatedBundles(ctx, &bundlev1.ListFederatedBundlesRequest{OutputMask: &types.BundleMask{}})
		if err != nil {
			return nil, err
		}
		count, err := client.CountBundles(ctx, &bundlev1.CountBundlesRequest{})
		if err != nil {
			return nil, err
		}
		return count.Count, report.Expect(int(count.Count) == len(listed.Bundles)+1, "%d listed, %d counted", len(listed.Bundles), count.Count)
	})
	report.Run("federated bundles: updated under a mask", func() (any, error) {
		response, err := client.BatchUpdateFederatedBundle(ctx, &bundlev1.BatchUpdateFederatedBundleRequest{
			Bundle: []*types.Bundle{{TrustDomain: foreign, RefreshHint: 90}}, InputMask: &types.BundleMask{RefreshHint: true},
		})
		if err != nil {
			return nil, err
		}
		got := response.Results[0]
		return nil, report.Expect(got.Status.GetCode() == 0 && got.Bundle.GetRefreshHint() == 90 && len(got.Bundle.GetX509Authorities()) == 1, "%v", got)
	})
	report.Run("federated bundles: set, whether there or not", func() (any, error) {
		response, err := client.BatchSetFederatedBundle(ctx, &bundlev1.BatchSetFederatedBundleRequest{Bundle: []*types.Bundle{bundle}, OutputMask: &types.BundleMask{RefreshHint: true}})
		if err != nil {
			return nil, err
		}
		got := response.Results[0]
		return nil, report.Expect(got.Status.GetCode() == 0 && got.Bundle.GetRefreshHint() == 60 && len(got.Bundle.GetX509Authorities()) == 0, "%v", got)
	})
	report.Run("federated bundles: the server's own trust domain is refused", func() (any, error) {
		own := proto.Clone(bundle).(*types.Bundle)
		own.TrustDomain = a.bundle.TrustDomain().Name()
		response, err := client.BatchCreateFederatedBundle(ctx, &bundlev1.BatchCreateFederatedBundleRequest{Bundle: []*types.Bundle{own}})
		if err != nil {
			return nil, err
		}
		got := response.Results[0].Status
		return got.GetMessage(), report.Expect(got.GetCode() == int32(codes.InvalidArgument), "%v", got)
	})
	report.Run("federated bundles: deleted, and gone", func() (any, error) {
		response, err := client.BatchDeleteFederatedBundle(ctx, &bundlev1.BatchDeleteFederatedBundleRequest{TrustDomains: []string{foreign, "unknown.test"}})
		if err != nil {
			return nil, err
		}
		if one, two := response.Results[0].Status, response.Results[1].Status; one.GetCode() != 0 || two.GetCode() != int32(codes.NotFound) {
			return nil, fmt.Errorf("%v, %v", one, two)
		}
		_, err = client.GetFederatedBundle(ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: foreign})
		return server.Refused(err, codes.NotFound)
	})
}
