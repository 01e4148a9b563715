// Command federation is the other side of a federation, made of go-spiffe.
//
//	federation serve -trust-domain NAME       a trust domain of its own with a bundle endpoint (https_spiffe), until standard
//	                                          input ends; each line on it replaces the authorities
//	federation fetch -trust-domain NAME -url URL -endpoint-id ID -bundle FILE
//	                                          fetches our bundle, and refuses an endpoint that is somebody else
//	federation watch -trust-domain NAME -url URL -endpoint-id ID -bundle FILE
//	                                          the same once a second, until it is killed; tells of each bundle that is new
//	federation dial -peer ID -address ADDRESS one request to a service of a foreign trust domain
//	federation refused -peer ID -address ADDRESS
//	                                          the same, for a peer that this workload is given no bundle for
package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"assay-interop/internal/keys"
	"assay-interop/internal/report"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: federation serve|fetch|watch|dial|refused [flags]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet("federation", flag.ExitOnError)
	name := flags.String("trust-domain", "", "a trust domain's name")
	address := flags.String("url", "", "a bundle endpoint")
	endpointID := flags.String("endpoint-id", "", "its SPIFFE ID")
	file := flags.String("bundle", "", "the bundle to authenticate it by")
	peer := flags.String("peer", "", "the SPIFFE ID of the other side")
	service := flags.String("address", "", "address of a service")
	_ = flags.Parse(os.Args[2:])

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	switch os.Args[1] {
	case "serve":
		serve(spiffeid.RequireTrustDomainFromString(*name))
	case "fetch":
		fetch(ctx, spiffeid.RequireTrustDomainFromString(*name), *address, spiffeid.RequireFromString(*endpointID), *file)
	case "watch":
		watch(ctx, spiffeid.RequireTrustDomainFromString(*name), *address, spiffeid.RequireFromString(*endpointID), *file)
	case "dial":
		dial(ctx, spiffeid.RequireFromString(*peer), *service, true)
	case "refused":
		dial(ctx, spiffeid.RequireFromString(*peer), *service, false)
	}
	report.Exit()
}

// domain is a trust domain without a server: its authorities, and the endpoint's SVID.
type domain struct {
	bundle *spiffebundle.Bundle
	svid   tls.Certificate
	key    crypto.Signer
	serial int64
}

func (d *domain) rotate(name spiffeid.TrustDomain) error {
	d.serial++
	root, err := keys.New()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(d.serial),
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		URIs:                  []*url.URL{name.ID().URL()},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, root.Public(), root)
	if err != nil {
		return err
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	key, err := keys.New()
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber:          big.NewInt(d.serial + 1000),
		NotBefore:             template.NotBefore,
		NotAfter:              template.NotAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:                  []*url.URL{spiffeid.RequireFromPath(name, "/endpoint").URL()},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), root)
	if err != nil {
		return err
	}
	d.key = key
	d.svid = tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
	d.bundle.AddX509Authority(authority)
	if err := d.bundle.AddJWTAuthority(fmt.Sprintf("k%d", d.serial), key.Public()); err != nil {
		return err
	}
	d.bundle.SetSequenceNumber(uint64(d.serial))
	d.bundle.SetRefreshHint(time.Minute)
	return nil
}

func (d *domain) token(id spiffeid.ID, audience string) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: d.key, KeyID: fmt.Sprintf("k%d", d.serial)}},
		new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(jwt.Claims{
		Subject:  id.String(),
		Audience: jwt.Audience{audience},
		Expiry:   jwt.NewNumericDate(time.Now().Add(5 * time.Minute)),
	}).Serialize()
}

func (d *domain) tell(check string, name spiffeid.TrustDomain, address string) {
	report.Run(check, func() (any, error) {
		document, err := d.bundle.Marshal()
		if err != nil {
			return nil, err
		}
		inside, err := d.token(spiffeid.RequireFromPath(name, "/payments/api"), "billing")
		if err != nil {
			return nil, err
		}
		outside, err := d.token(spiffeid.RequireFromPath(name, "/web"), "billing")
		if err != nil {
			return nil, err
		}
		return map[string]any{"address": address, "bundle": string(document), "inside": inside, "outside": outside}, nil
	})
}

func serve(name spiffeid.TrustDomain) {
	d := &domain{bundle: spiffebundle.New(name)}
	report.Must("authorities", func() (any, error) { return nil, d.rotate(name) })
	shown := d.svid
	handler, err := federation.NewHandler(name, d.bundle)
	report.Must("handler", func() (any, error) { return nil, err })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	report.Must("listener", func() (any, error) { return nil, err })
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &shown, nil },
		},
	}
	d.tell("listening", name, listener.Addr().String())
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if err := d.rotate(name); err != nil {
				report.Fail("rotated", "%v", err)
				continue
			}
			d.tell("rotated", name, listener.Addr().String())
		}
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		report.Fail("serving", "%v", err)
	}
}

func fetch(ctx context.Context, name spiffeid.TrustDomain, address string, endpointID spiffeid.ID, file string) {
	known, err := spiffebundle.Load(name, file)
	report.Must("bundle of the file", func() (any, error) { return nil, err })
	report.Run("bundle over https_spiffe", func() (any, error) {
		got, err := federation.FetchBundle(ctx, name, address, federation.WithSPIFFEAuth(known, endpointID))
		if err != nil {
			return nil, err
		}
		sequence, hasSequence := got.SequenceNumber()
		hint, hasHint := got.RefreshHint()
		return map[string]any{"sequence": sequence, "hint": hint.Seconds(), "x509": len(got.X509Authorities()), "jwt": len(got.JWTAuthorities())},
			report.Expect(hasSequence && hasHint && len(got.X509Authorities()) > 0 && len(got.JWTAuthorities()) > 0, "an incomplete bundle")
	})
	report.Run("another endpoint is refused", func() (any, error) {
		stranger := spiffeid.RequireFromSegments(name, "somebody", "else")
		if _, err := federation.FetchBundle(ctx, name, address, federation.WithSPIFFEAuth(known, stranger)); err != nil {
			return err.Error(), nil
		}
		return nil, errors.New("accepted")
	})
	report.Run("bundle through a watch", func() (any, error) {
		w := &watcher{got: make(chan *spiffebundle.Bundle, 1)}
		watching, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			_ = federation.WatchBundle(watching, name, address, w, federation.WithSPIFFEAuth(known, endpointID))
		}()
		select {
		case got := <-w.got:
			return w.next.Seconds(), report.Expect(!got.Empty(), "an empty bundle")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func watch(ctx context.Context, name spiffeid.TrustDomain, address string, endpointID spiffeid.ID, file string) {
	known, err := spiffebundle.Load(name, file)
	report.Must("bundle of the file", func() (any, error) { return nil, err })
	err = federation.WatchBundle(ctx, name, address, &reader{}, federation.WithSPIFFEAuth(known, endpointID))
	report.Fail("watching", "%v", err)
}

// reader tells how many authorities a bundle has that it has not seen.
type reader struct{ last *spiffebundle.Bundle }

func (r *reader) NextRefresh(time.Duration) time.Duration { return time.Second }

func (r *reader) OnUpdate(bundle *spiffebundle.Bundle) {
	if r.last != nil && r.last.Equal(bundle) {
		return
	}
	r.last = bundle
	report.Pass("bundle", map[string]any{"x509": len(bundle.X509Authorities())})
}

func (r *reader) OnError(err error) { fmt.Fprintln(os.Stderr, err) }

type watcher struct {
	got  chan *spiffebundle.Bundle
	next time.Duration
}

func (w *watcher) NextRefresh(hint time.Duration) time.Duration {
	w.next = hint
	return hint
}

func (w *watcher) OnUpdate(bundle *spiffebundle.Bundle) {
	select {
	case w.got <- bundle:
	default:
	}
}

func (w *watcher) OnError(err error) { fmt.Fprintln(os.Stderr, err) }

func dial(ctx context.Context, peer spiffeid.ID, address string, isWelcome bool) {
	source, err := workloadapi.NewX509Source(ctx)
	report.Must("X509Source", func() (any, error) { return nil, err })
	defer source.Close()
	config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(peer))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}
	response, err := client.Get("https://" + address + "/")
	if err == nil {
		response.Body.Close()
	}
	if isWelcome {
		report.Run("request", func() (any, error) { return nil, err })
		return
	}
	report.Run("the peer is refused", func() (any, error) {
		if err == nil {
			return nil, errors.New("accepted")
		}
		return err.Error(), nil
	})
}
