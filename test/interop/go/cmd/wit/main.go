// Command wit uses WIT-SVIDs with go-spiffe's experimental packages, and the WIT calls of the server with spire-api-sdk.
//
//	wit fetch                       a WIT-SVID, verified with the bundles, whose key makes proofs
//	wit watch                       the same at each change, until it is stopped
//	wit -admin SOCKET -id ID mint   a WIT-SVID for a key of its own, and the states of the authorities
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"flag"
	"time"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/exp/bundle/witbundle"
	"github.com/spiffe/go-spiffe/v2/exp/svid/witsvid"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	localauthorityv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/status"
)

type identity struct {
	ID    string `json:"id"`
	KeyID string `json:"serial"`
	Key   string `json:"key"`
}

func main() {
	admin := flag.String("admin", "", "path of the server's local socket")
	id := flag.String("id", "", "SPIFFE ID to be minted")
	limit := flag.Duration("limit", time.Minute, "time limit for the whole")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	var err error
	switch flag.Arg(0) {
	case "fetch":
		err = fetch(ctx)
	case "watch":
		err = watch(ctx)
	case "mint":
		err = mint(ctx, *admin, spiffeid.RequireFromString(*id))
	}
	if err != nil {
		report.Pass("ended", map[string]string{"code": status.Code(err).String(), "message": status.Convert(err).Message()})
	}
	report.Exit()
}

func fetch(ctx context.Context) error {
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	svids, err := client.FetchWITSVIDs(ctx, "")
	if err != nil {
		return err
	}
	bundles, err := client.FetchWITBundles(ctx)
	if err != nil {
		return err
	}
	report.Run("update", func() (any, error) { return verifyAll(svids, bundles) })
	return nil
}

func verifyAll(svids []*witsvid.SVID, bundles witbundle.Source) ([]identity, error) {
	identities := []identity{}
	for _, svid := range svids {
		verified, err := witsvid.ParseAndValidate(svid.Marshal(), bundles)
		if err != nil {
			return nil, err
		}
		if err := report.Expect(verified.ID == svid.ID, "%s is not %s", svid.ID, verified.ID); err != nil {
			return nil, err
		}
		if err := prove(svid.PrivateKey, verified.PublicKey); err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKIXPublicKey(verified.PublicKey)
		if err != nil {
			return nil, err
		}
		identities = append(identities, identity{svid.ID.String(), verified.KeyID, string(digest(der))})
	}
	return identities, nil
}

func digest(data []byte) string {
	const digits = "0123456789abcdef"
	sum := sha256.Sum256(data)
	text := make([]byte, 0, 16)
	for _, b := range sum[:8] {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}

// The key that came along is the one that the token confirms.
func prove(private crypto.PrivateKey, public crypto.PublicKey) error {
	key, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("no ECDSA key came along")
	}
	sum := sha256.Sum256([]byte("proof"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return err
	}
	confirmed, ok := public.(*ecdsa.PublicKey)
	return report.Expect(ok && ecdsa.VerifyASN1(confirmed, sum[:], signature), "the key is not the confirmed one")
}

type watcher struct {
	client *workloadapi.Client
}

func (w watcher) OnWITSVIDsUpdate(svids []*witsvid.SVID) {
	report.Run("update", func() (any, error) {
		bundles, err := w.client.FetchWITBundles(context.Background())
		if err != nil {
			return nil, err
		}
		return verifyAll(svids, bundles)
	})
}

func (w watcher) OnWITSVIDsWatchError(err error) {
	report.Pass("problem", map[string]string{"code": status.Code(err).String(), "message": status.Convert(err).Message()})
}

func watch(ctx context.Context) error {
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.WatchWITSVIDs(ctx, watcher{client}, "")
}

func mint(ctx context.Context, admin string, id spiffeid.ID) error {
	connection, err := server.DialLocal(admin)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	answer, err := svidv1.NewSVIDClient(connection).MintWITSVID(ctx, &svidv1.MintWITSVIDRequest{
		Id:        &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()},
		PublicKey: der, SigningAlgorithm: "ES256", Ttl: 60,
	})
	if err != nil {
		return err
	}
	authorities := localauthorityv1.NewLocalAuthorityClient(connection)
	states, err := authorities.GetWITAuthorityState(ctx, &localauthorityv1.GetWITAuthorityStateRequest{})
	if err != nil {
		return err
	}
	bundle, err := bundlev1.NewBundleClient(connection).GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		return err
	}
	report.Run("minted", func() (any, error) {
		set := witbundle.New(id.TrustDomain())
		for _, authority := range bundle.WitAuthorities {
			public, err := x509.ParsePKIXPublicKey(authority.PublicKey)
			if err != nil {
				return nil, err
			}
			if err := set.AddWITAuthority(authority.KeyId, public); err != nil {
				return nil, err
			}
		}
		svid, err := witsvid.ParseAndValidate(answer.Svid.Token, set)
		if err != nil {
			return nil, err
		}
		if err := prove(key, svid.PublicKey); err != nil {
			return nil, err
		}
		left := time.Until(svid.Expiry)
		return svid.ID.String(), report.Expect(left > 50*time.Second && left <= 61*time.Second && svid.KeyID == states.Active.AuthorityId,
			"%s left, signed by %s, active is %s", left, svid.KeyID, states.Active.AuthorityId)
	})
	return nil
}
