// Command workload is a workload that uses go-spiffe. It finds the Workload API through SPIFFE_ENDPOINT_SOCKET.
//
//	workload fetch -id ID -audience AUDIENCE   every call once, and local verification of what they give
//	workload watch -updates N                  reports each X.509 update until there were N
//	workload refused                           the caller has no identity
//	workload serve -peer ID                    HTTPS with mutual TLS on a loopback port, until standard input ends
//	workload dial -peer ID -address ADDRESS    one request to such a service
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: workload fetch|watch|refused|serve|dial [flags]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet("workload", flag.ExitOnError)
	id := flags.String("id", "", "the SPIFFE ID that the caller should get")
	audience := flags.String("audience", "interop", "audience of JWT-SVIDs")
	peer := flags.String("peer", "", "the SPIFFE ID of the other side")
	address := flags.String("address", "", "address of the service")
	updates := flags.Int("updates", 2, "how many updates to wait for")
	limit := flags.Duration("limit", 30*time.Second, "time limit for the whole")
	_ = flags.Parse(os.Args[2:])

	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	switch os.Args[1] {
	case "fetch":
		fetch(ctx, spiffeid.RequireFromString(*id), *audience)
	case "watch":
		watch(ctx, *updates)
	case "refused":
		refused(ctx, *audience)
	case "serve":
		serve(ctx, spiffeid.RequireFromString(*peer))
	case "dial":
		dial(ctx, spiffeid.RequireFromString(*peer), *address)
	}
	report.Exit()
}

func fetch(ctx context.Context, id spiffeid.ID, audience string) {
	client, err := workloadapi.New(ctx)
	report.Must("client connects", func() (any, error) { return nil, err })
	defer client.Close()
	fetchX509(ctx, client, id)
	fetchJWT(ctx, client, id, audience)
	useSources(ctx, id, audience)
}

func fetchX509(ctx context.Context, client *workloadapi.Client, id spiffeid.ID) {
	var got *workloadapi.X509Context
	report.Run("X.509 context holds a verified SVID", func() (any, error) {
		var err error
		if got, err = client.FetchX509Context(ctx); err != nil {
			return nil, err
		}
		svid := got.DefaultSVID()
		verified, _, err := x509svid.Verify(svid.Certificates, got.Bundles)
		if err != nil {
			return nil, err
		}
		leaf := svid.Certificates[0]
		return map[string]any{"id": verified.String(), "serial": leaf.SerialNumber.Text(16), "notAfter": leaf.NotAfter, "hint": svid.Hint},
			report.Expect(verified == id, "got %s", verified)
	})
	report.Run("X509-SVID alone", func() (any, error) {
		svid, err := client.FetchX509SVID(ctx)
		if err != nil {
			return nil, err
		}
		return svid.ID.String(), report.Expect(svid.ID == id, "got %s", svid.ID)
	})
	report.Run("X509-SVIDs, all of them", func() (any, error) {
		svids, err := client.FetchX509SVIDs(ctx)
		if err != nil {
			return nil, err
		}
		names := []string{}
		for _, svid := range svids {
			names = append(names, svid.ID.String())
		}
		return names, report.Expect(svids[0].ID == id, "the first is %s", svids[0].ID)
	})
	report.Run("X.509 bundles", func() (any, error) {
		bundles, err := client.FetchX509Bundles(ctx)
		if err != nil {
			return nil, err
		}
		bundle, err := bundles.GetX509BundleForTrustDomain(id.TrustDomain())
		if err != nil {
			return nil, err
		}
		return len(bundle.X509Authorities()), report.Expect(len(bundle.X509Authorities()) > 0, "an empty bundle")
	})
}

func fetchJWT(ctx context.Context, client *workloadapi.Client, id spiffeid.ID, audience string) {
	var token *jwtsvid.SVID
	report.Run("JWT-SVID", func() (any, error) {
		var err error
		if token, err = client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience}); err != nil {
			return nil, err
		}
		_, hasID := token.Claims["jti"]
		return map[string]any{"id": token.ID.String(), "expiry": token.Expiry},
			report.Expect(token.ID == id && hasID, "got %s with a jti: %t", token.ID, hasID)
	})
	if token == nil {
		return
	}
	report.Run("JWT-SVID for two audiences and a named subject", func() (any, error) {
		svid, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Subject: id, Audience: audience, ExtraAudiences: []string{"other"}})
		if err != nil {
			return nil, err
		}
		return svid.Audience, report.Expect(len(svid.Audience) == 2, "audiences %v", svid.Audience)
	})
	report.Run("JWT-SVIDs, all of them", func() (any, error) {
		svids, err := client.FetchJWTSVIDs(ctx, jwtsvid.Params{Audience: audience})
		if err != nil {
			return nil, err
		}
		return len(svids), report.Expect(len(svids) > 0 && svids[0].ID == id, "%d SVIDs", len(svids))
	})
	report.Run("JWT-SVID of somebody else is refused", func() (any, error) {
		stranger := spiffeid.RequireFromSegments(id.TrustDomain(), "somebody", "else")
		_, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Subject: stranger, Audience: audience})
		return server.Refused(err, codes.PermissionDenied)
	})
	report.Run("JWT bundles verify the token locally", func() (any, error) {
		bundles, err := client.FetchJWTBundles(ctx)
		if err != nil {
			return nil, err
		}
		svid, err := jwtsvid.ParseAndValidate(token.Marshal(), bundles, []string{audience})
		if err != nil {
			return nil, err
		}
		return svid.ID.String(), nil
	})
	report.Run("the Workload API validates the token", func() (any, error) {
		svid, err := client.ValidateJWTSVID(ctx, token.Marshal(), audience)
		if err != nil {
			return nil, err
		}
		return svid.ID.String(), report.Expect(svid.ID == id, "got %s", svid.ID)
	})
	report.Run("the Workload API refuses the token for another audience", func() (any, error) {
		_, err := client.ValidateJWTSVID(ctx, token.Marshal(), "another")
		return server.Refused(err, codes.InvalidArgument)
	})
}

func useSources(ctx context.Context, id spiffeid.ID, audience string) {
	report.Run("X509Source", func() (any, error) {
		source, err := workloadapi.NewX509Source(ctx)
		if err != nil {
			return nil, err
		}
		defer source.Close()
		svid, err := source.GetX509SVID()
		if err != nil {
			return nil, err
		}
		if _, err := source.GetX509BundleForTrustDomain(id.TrustDomain()); err != nil {
			return nil, err
		}
		return svid.ID.String(), report.Expect(svid.ID == id, "got %s", svid.ID)
	})
	report.Run("JWTSource", func() (any, error) {
		source, err := workloadapi.NewJWTSource(ctx)
		if err != nil {
			return nil, err
		}
		defer source.Close()
		svid, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
		if err != nil {
			return nil, err
		}
		_, err = jwtsvid.ParseAndValidate(svid.Marshal(), source, []string{audience})
		return svid.ID.String(), err
	})
	report.Run("BundleSource", func() (any, error) {
		source, err := workloadapi.NewBundleSource(ctx)
		if err != nil {
			return nil, err
		}
		defer source.Close()
		bundle, err := source.GetBundleForTrustDomain(id.TrustDomain())
		if err != nil {
			return nil, err
		}
		return len(bundle.JWTAuthorities()), report.Expect(!bundle.Empty() && len(bundle.JWTAuthorities()) > 0, "an incomplete bundle")
	})
}

// watcher reports updates until there were enough of them.
type watcher struct {
	left atomic.Int64
	done context.CancelFunc
}

func (w *watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	left := w.left.Add(-1)
	if left < 0 {
		return
	}
	svids := []map[string]any{}
	for _, svid := range update.SVIDs {
		leaf := svid.Certificates[0]
		svids = append(svids, map[string]any{"id": svid.ID.String(), "serial": leaf.SerialNumber.Text(16), "notAfter": leaf.NotAfter})
	}
	report.Pass("update", svids)
	if left == 0 {
		w.done()
	}
}

func (w *watcher) OnX509ContextWatchError(err error) {
	// The library tries again by itself; the reader decides what an interruption means.
	if status.Code(err) != codes.Canceled {
		fmt.Fprintln(os.Stderr, err)
	}
}

func watch(ctx context.Context, updates int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{done: cancel}
	w.left.Store(int64(updates))
	_ = workloadapi.WatchX509Context(ctx, w)
	report.Run("all updates came", func() (any, error) {
		return updates, report.Expect(w.left.Load() <= 0, "%d did not", w.left.Load())
	})
}

func refused(ctx context.Context, audience string) {
	client, err := workloadapi.New(ctx)
	report.Must("client connects", func() (any, error) { return nil, err })
	defer client.Close()
	report.Run("no X509-SVID", func() (any, error) {
		_, err := client.FetchX509SVID(ctx)
		return server.Refused(err, codes.PermissionDenied)
	})
	report.Run("no JWT-SVID", func() (any, error) {
		_, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
		return server.Refused(err, codes.PermissionDenied)
	})
}

func serve(ctx context.Context, peer spiffeid.ID) {
	source, err := workloadapi.NewX509Source(ctx)
	report.Must("X509Source", func() (any, error) { return nil, err })
	defer source.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	report.Must("listening", func() (any, error) {
		if err != nil {
			return nil, err
		}
		return listener.Addr().String(), nil
	})
	service := &http.Server{
		TLSConfig:         tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(peer)),
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := x509svid.IDFromCert(r.TLS.PeerCertificates[0])
			report.Run("request", func() (any, error) { return id.String(), err })
			fmt.Fprintf(w, "hello %s", id)
		}),
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = service.Close()
	}()
	if err := service.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		report.Fail("serving", "%v", err)
	}
}

func dial(ctx context.Context, peer spiffeid.ID, address string) {
	source, err := workloadapi.NewX509Source(ctx)
	report.Must("X509Source", func() (any, error) { return nil, err })
	defer source.Close()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(peer)),
	}}
	report.Run("request", func() (any, error) {
		response, err := client.Get("https://" + address + "/")
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		return string(body), report.Expect(response.StatusCode == http.StatusOK, "status %s", response.Status)
	})
	report.Run("another peer is not accepted", func() (any, error) {
		stranger := spiffeid.RequireFromSegments(peer.TrustDomain(), "somebody", "else")
		config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(stranger))
		response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config}}).Get("https://" + address + "/")
		if err == nil {
			response.Body.Close()
			return nil, errors.New("accepted")
		}
		return err.Error(), nil
	})
}
