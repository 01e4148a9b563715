// A verifier of JWTs that knows nothing of SPIFFE: the library behind Vault's JWT auth method, with the
// settings of a role: oidc_discovery_url, bound_issuer, bound_audiences, bound_subject.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"os"
	"strings"
	"time"

	"assay-interop/internal/report"

	"github.com/hashicorp/cap/jwt"
)

func main() {
	issuer := flag.String("issuer", "", "oidc_discovery_url")
	caFile := flag.String("ca", "", "file of the CA of the discovery URL")
	tokenFile := flag.String("token", "", "file of the token")
	audience := flag.String("audience", "", "audience of the token")
	subject := flag.String("subject", "", "subject of the token")
	algorithm := flag.String("algorithm", "", "algorithm of the token")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ca := read(*caFile)
	token := strings.TrimSpace(read(*tokenFile))
	keys, err := jwt.NewOIDCDiscoveryKeySet(ctx, *issuer, ca)
	report.Must("finds the keys by discovery", held(err))
	role := jwt.Expected{
		Issuer:            *issuer,
		Subject:           *subject,
		Audiences:         []string{*audience},
		SigningAlgorithms: []jwt.Alg{jwt.Alg(*algorithm)},
	}
	report.Must("admits the subject for the audience", held(validate(ctx, keys, token, role)))
	for name, change := range map[string]func(*jwt.Expected){
		"refuses another audience":  func(e *jwt.Expected) { e.Audiences = []string{"other"} },
		"refuses another subject":   func(e *jwt.Expected) { e.Subject = *subject + "x" },
		"refuses another issuer":    func(e *jwt.Expected) { e.Issuer = "https://other.test" },
		"refuses another algorithm": func(e *jwt.Expected) { e.SigningAlgorithms = []jwt.Alg{jwt.ES512} },
	} {
		changed := role
		change(&changed)
		report.Run(name, held(refused(validate(ctx, keys, token, changed))))
	}
	report.Run("refuses a changed token", held(refused(validate(ctx, keys, token[:len(token)-4]+"AAAA", role))))
	report.Run("refuses a server of another CA", held(otherAuthority(ctx, *issuer)))
	report.Exit()
}

func held(err error) func() (any, error) {
	return func() (any, error) { return nil, err }
}

func validate(ctx context.Context, keys jwt.KeySet, token string, role jwt.Expected) error {
	validator, err := jwt.NewValidator(keys)
	if err != nil {
		return err
	}
	_, err = validator.Validate(ctx, token, role)
	return err
}

func otherAuthority(ctx context.Context, issuer string) error {
	_, err := jwt.NewOIDCDiscoveryKeySet(ctx, issuer, "")
	var unknown x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	if errors.As(err, &unknown) || errors.As(err, &verification) {
		return nil
	}
	return refused(err)
}

func refused(err error) error {
	if err == nil {
		return errors.New("was admitted")
	}
	return nil
}

func read(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return string(content)
}
