package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"assay-interop/internal/keys"
	"assay-interop/internal/report"
	"assay-interop/internal/server"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
)

type answer func(challenge []byte) ([]byte, error)

// Attests with a key of the agent's own, and connects with the SVID it got.
func (s *scene) attest(ctx context.Context, key crypto.Signer, kind string, payload []byte, respond answer) (*agent, error) {
	request, err := keys.Request(key, "")
	if err != nil {
		return nil, err
	}
	stream, err := agentv1.NewAgentClient(s.anonymous).AttestAgent(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_Params_{
		Params: &agentv1.AttestAgentRequest_Params{
			Data:   &types.AttestationData{Type: kind, Payload: payload},
			Params: &agentv1.AgentX509SVIDParams{Csr: request},
		},
	}})
	if err != nil {
		return nil, err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if result := response.GetResult(); result != nil {
			return s.admit(key, result)
		}
		if respond == nil {
			return nil, errors.New("a challenge where none was expected")
		}
		reply, err := respond(response.GetChallenge())
		if err != nil {
			return nil, err
		}
		err = stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_ChallengeResponse{ChallengeResponse: reply}})
		if err != nil {
			return nil, err
		}
	}
}

func (s *scene) admit(key crypto.Signer, result *agentv1.AttestAgentResponse_Result) (*agent, error) {
	svid, err := server.ParseSVID(result.Svid, key, s.bundle)
	if err != nil {
		return nil, err
	}
	a := &agent{id: svid.ID, key: key, svid: svid, reattestable: result.Reattestable}
	return a, s.connect(a)
}

func (s *scene) joinByToken(ctx context.Context) *agent {
	administrator := agentv1.NewAgentClient(s.admin)
	var token *types.JoinToken
	report.Must("join token: made", func() (any, error) {
		var err error
		token, err = administrator.CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 600})
		return nil, err
	})
	var joined *agent
	report.Must("join token: admits an agent", func() (any, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		if joined, err = s.attest(ctx, key, "join_token", []byte(token.Value), nil); err != nil {
			return nil, err
		}
		return nil, report.Expect(joined.id.Path() == "/spire/agent/join_token/"+token.Value && !joined.reattestable,
			"the ID does not follow from the token, or the agent is said to be reattestable")
	})
	report.Run("join token: does not admit a second key", func() (any, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		_, err = s.attest(ctx, key, "join_token", []byte(token.Value), nil)
		return server.Refused(err, codes.InvalidArgument)
	})
	report.Run("join token: an unknown one is refused", func() (any, error) {
		_, err := s.attest(ctx, joined.key, "join_token", []byte("00000000-0000-4000-8000-000000000000"), nil)
		return server.Refused(err, codes.InvalidArgument)
	})
	report.Run("an unknown node attestor is refused", func() (any, error) {
		_, err := s.attest(ctx, joined.key, "no_such_attestor", []byte("x"), nil)
		return server.Refused(err, codes.FailedPrecondition)
	})
	report.Run("the agent reports its version", func() (any, error) {
		_, err := agentv1.NewAgentClient(joined.connection).PostStatus(ctx, &agentv1.PostStatusRequest{AgentVersion: "interop"})
		if err != nil {
			return nil, err
		}
		seen, err := administrator.GetAgent(ctx, &agentv1.GetAgentRequest{Id: server.Message(joined.id)})
		if err != nil {
			return nil, err
		}
		serial := joined.svid.Certificates[0].SerialNumber.String()
		return seen.AgentVersion, report.Expect(seen.AgentVersion == "interop" && seen.AttestationType == "join_token" && seen.X509SvidSerialNumber == serial && !seen.Banned,
			"the administrator sees %v, the serial number is %s", seen, serial)
	})
	return joined
}

// An agent that joined by a token with an ID of its own choosing serves what is registered below that ID.
func (s *scene) joinUnderTwoNames(ctx context.Context) {
	report.Run("join token: the ID that came with it is a second name of the agent", func() (any, error) {
		name := spiffeid.RequireFromSegments(s.bundle.TrustDomain(), "interop", "second-name")
		token, err := agentv1.NewAgentClient(s.admin).CreateJoinToken(ctx, &agentv1.CreateJoinTokenRequest{Ttl: 60, AgentId: server.Message(name)})
		if err != nil {
			return nil, err
		}
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		joined, err := s.attest(ctx, key, "join_token", []byte(token.Value), nil)
		if err != nil {
			return nil, err
		}
		registered, err := s.register(ctx, name, 10_000, 10_001)
		if err != nil {
			return nil, err
		}
		entries, _, err := synchronise(ctx, joined)
		if err != nil {
			return nil, err
		}
		_, known := entries[registered[0].Id]
		return len(entries), report.Expect(known, "the entry below the second name is not among %d", len(entries))
	})
}

func (s *scene) joinByPossession(ctx context.Context, chainFile, keyFile string, whenJoined func(*agent)) {
	var payload []byte
	var prove answer
	report.Must("x509pop: the node's certificate is readable", func() (any, error) {
		chain, err := keys.LoadChain(chainFile)
		if err != nil {
			return nil, err
		}
		signer, err := keys.LoadKey(keyFile)
		if err != nil {
			return nil, err
		}
		var certificates [][]byte
		for _, certificate := range chain {
			certificates = append(certificates, certificate.Raw)
		}
		payload, err = json.Marshal(map[string]any{"certificates": certificates})
		prove = func(challenge []byte) ([]byte, error) { return provePossession(signer, challenge) }
		return nil, err
	})
	join := func() (*agent, error) {
		key, err := keys.New()
		if err != nil {
			return nil, err
		}
		return s.attest(ctx, key, "x509pop", payload, prove)
	}
	var first *agent
	report.Must("x509pop: proves the node", func() (any, error) {
		var err error
		if first, err = join(); err != nil {
			return nil, err
		}
		return first.id.String(), report.Expect(strings.HasPrefix(first.id.Path(), "/spire/agent/x509pop/") && first.reattestable,
			"%s, reattestable: %t", first.id, first.reattestable)
	})
	whenJoined(first)
	report.Run("x509pop: a wrong proof is refused", func() (any, error) {
		wrong := func([]byte) ([]byte, error) {
			return []byte(`{"ecdsa_signature":{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","r":"AQ==","s":"AQ=="},"rsa_signature":null}`), nil
		}
		_, err := s.attest(ctx, first.key, "x509pop", payload, wrong)
		if _, other := server.Refused(err, codes.PermissionDenied); other == nil {
			return err.Error(), nil
		}
		return server.Refused(err, codes.InvalidArgument)
	})
	report.Run("x509pop: is told to attest again instead of renewing", func() (any, error) {
		request, err := keys.Request(first.key, "")
		if err != nil {
			return nil, err
		}
		_, err = agentv1.NewAgentClient(first.connection).RenewAgent(ctx, &agentv1.RenewAgentRequest{Params: &agentv1.AgentX509SVIDParams{Csr: request}})
		reason, ok := server.DenialReason(err)
		return reason.String(), report.Expect(ok && reason == types.PermissionDeniedDetails_AGENT_MUST_REATTEST, "%v", err)
	})
	report.Run("x509pop: the node has selectors", func() (any, error) {
		seen, err := agentv1.NewAgentClient(s.admin).GetAgent(ctx, &agentv1.GetAgentRequest{Id: server.Message(first.id)})
		if err != nil {
			return nil, err
		}
		return len(seen.Selectors), report.Expect(len(seen.Selectors) > 0 && seen.CanReattest, "%v", seen)
	})
	report.Run("x509pop: attests again under the same ID, and the older SVID ends", func() (any, error) {
		second, err := join()
		if err != nil {
			return nil, err
		}
		if second.id != first.id {
			return nil, fmt.Errorf("%s became %s", first.id, second.id)
		}
		if _, err := agentv1.NewAgentClient(second.connection).PostStatus(ctx, &agentv1.PostStatusRequest{}); err != nil {
			return nil, err
		}
		return s.denial(ctx, first, types.PermissionDeniedDetails_AGENT_NOT_ACTIVE)
	})
	report.Run("x509pop: after eviction the agent must attest, and may", func() (any, error) {
		current, err := join()
		if err != nil {
			return nil, err
		}
		if _, err := agentv1.NewAgentClient(s.admin).DeleteAgent(ctx, &agentv1.DeleteAgentRequest{Id: server.Message(current.id)}); err != nil {
			return nil, err
		}
		if _, err := s.denial(ctx, current, types.PermissionDeniedDetails_AGENT_NOT_ATTESTED); err != nil {
			return nil, err
		}
		_, err = join()
		return nil, err
	})
}

type nonce struct {
	Nonce []byte `json:"nonce"`
}

type rsaProof struct {
	Nonce     []byte `json:"nonce"`
	Signature []byte `json:"signature"`
}

type ecdsaProof struct {
	Nonce []byte `json:"nonce"`
	R     []byte `json:"r"`
	S     []byte `json:"s"`
}

// Signs SHA-256 over the challenge's nonce and one of our own, as x509pop asks.
func provePossession(signer crypto.Signer, challenge []byte) ([]byte, error) {
	var asked struct {
		RSA   *nonce `json:"rsa_signature"`
		ECDSA *nonce `json:"ecdsa_signature"`
	}
	if err := json.Unmarshal(challenge, &asked); err != nil {
		return nil, err
	}
	own := make([]byte, 32)
	if _, err := rand.Read(own); err != nil {
		return nil, err
	}
	var reply struct {
		RSA   *rsaProof   `json:"rsa_signature"`
		ECDSA *ecdsaProof `json:"ecdsa_signature"`
	}
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		if asked.RSA == nil {
			return nil, errors.New("the challenge is not for an RSA key")
		}
		digest := sha256.Sum256(append(asked.RSA.Nonce, own...))
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
		if err != nil {
			return nil, err
		}
		reply.RSA = &rsaProof{own, signature}
	case *ecdsa.PrivateKey:
		if asked.ECDSA == nil {
			return nil, errors.New("the challenge is not for an EC key")
		}
		digest := sha256.Sum256(append(asked.ECDSA.Nonce, own...))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		reply.ECDSA = &ecdsaProof{own, r.Bytes(), s.Bytes()}
	default:
		return nil, errors.New("neither an RSA nor an EC key")
	}
	return json.Marshal(reply)
}
