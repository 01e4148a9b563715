// Package server reaches a server with the public API: its local socket for administrators, its TLS port for agents.
package server

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// DialLocal connects to the server's local socket.
func DialLocal(path string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// DialAnonymous connects to the TLS port without a certificate. The server proves that it is the trust domain's server.
func DialAnonymous(address string, bundle *spiffebundle.Bundle) (*grpc.ClientConn, error) {
	config := tlsconfig.TLSClientConfig(bundle, tlsconfig.AuthorizeID(ID(bundle.TrustDomain())))
	return grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

// DialAs connects to the TLS port with an SVID.
func DialAs(address string, bundle *spiffebundle.Bundle, svid *x509svid.SVID) (*grpc.ClientConn, error) {
	config := tlsconfig.MTLSClientConfig(svid, bundle, tlsconfig.AuthorizeID(ID(bundle.TrustDomain())))
	return grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

// ID is the SPIFFE ID of a trust domain's servers.
func ID(trustDomain spiffeid.TrustDomain) spiffeid.ID {
	return spiffeid.RequireFromSegments(trustDomain, "spire", "server")
}

// GetBundle fetches the server's own bundle.
func GetBundle(ctx context.Context, connection grpc.ClientConnInterface) (*spiffebundle.Bundle, error) {
	message, err := bundlev1.NewBundleClient(connection).GetBundle(ctx, &bundlev1.GetBundleRequest{})
	if err != nil {
		return nil, err
	}
	return ParseBundle(message)
}

// ParseBundle reads a bundle message as go-spiffe would use it.
func ParseBundle(message *types.Bundle) (*spiffebundle.Bundle, error) {
	trustDomain, err := spiffeid.TrustDomainFromString(message.TrustDomain)
	if err != nil {
		return nil, err
	}
	bundle := spiffebundle.New(trustDomain)
	for _, authority := range message.X509Authorities {
		certificate, err := x509.ParseCertificate(authority.Asn1)
		if err != nil {
			return nil, err
		}
		bundle.AddX509Authority(certificate)
	}
	for _, authority := range message.JwtAuthorities {
		key, err := x509.ParsePKIXPublicKey(authority.PublicKey)
		if err != nil {
			return nil, err
		}
		if err := bundle.AddJWTAuthority(authority.KeyId, key); err != nil {
			return nil, err
		}
	}
	bundle.SetSequenceNumber(message.SequenceNumber)
	return bundle, nil
}

// ParseSVID joins an issued X509-SVID with its key and verifies it against the bundle.
func ParseSVID(message *types.X509SVID, key crypto.Signer, bundle *spiffebundle.Bundle) (*x509svid.SVID, error) {
	if message == nil {
		return nil, errors.New("no SVID in the answer")
	}
	svid := &x509svid.SVID{PrivateKey: key}
	for _, der := range message.CertChain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		svid.Certificates = append(svid.Certificates, certificate)
	}
	id, _, err := x509svid.Verify(svid.Certificates, bundle)
	if err != nil {
		return nil, err
	}
	if named := Name(message.Id); named != id.String() {
		return nil, fmt.Errorf("the answer names %s and the certificate %s", named, id)
	}
	if end := svid.Certificates[0].NotAfter.Unix(); end != message.ExpiresAt {
		return nil, fmt.Errorf("the answer ends at %d and the certificate at %d", message.ExpiresAt, end)
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(svid.Certificates[0].PublicKey) {
		return nil, errors.New("the certificate holds another key")
	}
	svid.ID = id
	return svid, nil
}

// Name is the text form of a SPIFFE ID message.
func Name(id *types.SPIFFEID) string {
	return fmt.Sprintf("spiffe://%s%s", id.GetTrustDomain(), id.GetPath())
}

// Message is the message form of a SPIFFE ID.
func Message(id spiffeid.ID) *types.SPIFFEID {
	return &types.SPIFFEID{TrustDomain: id.TrustDomain().Name(), Path: id.Path()}
}

// Refused checks that a call failed with a code, and gives the server's words.
func Refused(err error, code codes.Code) (any, error) {
	if err == nil {
		return nil, fmt.Errorf("accepted, expected %s", code)
	}
	if got := status.Code(err); got != code {
		return nil, fmt.Errorf("%s (%w), expected %s", got, err, code)
	}
	return status.Convert(err).Message(), nil
}

// DenialReason is the reason in the details of a refusal, if there is one.
func DenialReason(err error) (types.PermissionDeniedDetails_Reason, bool) {
	for _, detail := range status.Convert(err).Details() {
		if denied, ok := detail.(*types.PermissionDeniedDetails); ok {
			return denied.Reason, true
		}
	}
	return 0, false
}
