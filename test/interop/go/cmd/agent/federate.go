package main

import (
	"context"
	"fmt"
	"strings"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	"google.golang.org/grpc/codes"
)

// Asks for the bundles of other trust domains as a stock agent does, which knows of no limits and hands on what it gets.
func (s *scene) federate(ctx context.Context, a *agent, given, withheld []string) {
	client := bundlev1.NewBundleClient(a.connection)
	for _, name := range given {
		report.Run(fmt.Sprintf("the bundle of %s is given", name), func() (any, error) {
			bundle, err := client.GetFederatedBundle(ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: name})
			if err != nil {
				return nil, err
			}
			count := len(bundle.X509Authorities)
			return count, report.Expect(bundle.TrustDomain == name && count > 0, "%d authorities of %q", count, bundle.TrustDomain)
		})
	}
	for _, name := range withheld {
		report.Run(fmt.Sprintf("the bundle of %s is withheld", name), func() (any, error) {
			_, err := client.GetFederatedBundle(ctx, &bundlev1.GetFederatedBundleRequest{TrustDomain: name})
			return server.Refused(err, codes.NotFound)
		})
	}
}

func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}
