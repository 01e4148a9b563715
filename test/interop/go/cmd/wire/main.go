// Command wire compares our protocol definitions with those that the publishers' Go modules were built from: every
// message, field, enum value and method, in both directions.
//
//	wire DESCRIPTORS
//
// DESCRIPTORS is a serialised google.protobuf.FileDescriptorSet of our generated code.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"assay-interop/internal/report"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	_ "github.com/spiffe/go-spiffe/v2/exp/proto/spiffe/broker"
	_ "github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/agent/delegatedidentity/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/debug/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/localauthority/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/logger/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	_ "github.com/spiffe/spire-api-sdk/proto/spire/api/server/trustdomain/v1"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Packages that must be the same on both sides. The empty one is the SPIFFE Workload API.
var packages = []protoreflect.FullName{
	"",
	"spiffe.broker",
	"spire.api.agent.delegatedidentity.v1",
	"spire.api.types",
	"spire.api.server.agent.v1",
	"spire.api.server.bundle.v1",
	"spire.api.server.debug.v1",
	"spire.api.server.entry.v1",
	"spire.api.server.localauthority.v1",
	"spire.api.server.logger.v1",
	"spire.api.server.svid.v1",
	"spire.api.server.trustdomain.v1",
	"grpc.health.v1",
	"grpc.reflection.v1",
	"google.rpc",
	"envoy.config.core.v3",
	"envoy.extensions.transport_sockets.tls.v3",
	"envoy.service.discovery.v3",
	"envoy.service.secret.v3",
	"envoy.type.matcher.v3",
	"envoy.type.v3",
}

// Packages of which we define only what we use: whole declarations of google.rpc, and of Envoy's so much of each as we read or write.
func isPartial(name protoreflect.FullName) bool {
	return name == "google.rpc" || isNarrowed(name)
}

func isNarrowed(name protoreflect.FullName) bool {
	return strings.HasPrefix(string(name), "envoy.")
}

func main() {
	var ours *protoregistry.Files
	report.Must("our descriptors are complete", func() (any, error) {
		var err error
		ours, err = load(os.Args[1:])
		return nil, err
	})
	for _, name := range packages {
		theirs := describePackage(protoregistry.GlobalFiles, name)
		mine := describePackage(ours, name)
		compare(name, theirs, mine)
	}
	report.Exit()
}

func load(args []string) (*protoregistry.Files, error) {
	if len(args) != 1 {
		return nil, errors.New("usage: wire DESCRIPTORS")
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(&set)
}

// A description holds, by the full name of each message, enum or service, the sorted lines that say what is in it.
type description map[protoreflect.FullName][]string

func describePackage(files *protoregistry.Files, name protoreflect.FullName) description {
	d := description{}
	files.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
		// The registry's empty package holds whatever has none.
		if file.Package() == name {
			d.messages(file.Messages())
			d.enums(file.Enums())
			d.services(file.Services())
		}
		return true
	})
	return d
}

func (d description) add(name protoreflect.FullName, lines []string) {
	sort.Strings(lines)
	d[name] = lines
}

func (d description) messages(messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		message := messages.Get(i)
		var lines []string
		for j := range message.Fields().Len() {
			lines = append(lines, describeField(message.Fields().Get(j)))
		}
		d.add(message.FullName(), lines)
		d.messages(message.Messages())
		d.enums(message.Enums())
	}
}

func (d description) enums(enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		enum := enums.Get(i)
		lines := []string{fmt.Sprintf("closed %t", enum.IsClosed())}
		for j := range enum.Values().Len() {
			value := enum.Values().Get(j)
			lines = append(lines, fmt.Sprintf("%s = %d", value.Name(), value.Number()))
		}
		d.add(enum.FullName(), lines)
	}
}

func (d description) services(services protoreflect.ServiceDescriptors) {
	for i := range services.Len() {
		service := services.Get(i)
		var lines []string
		for j := range service.Methods().Len() {
			method := service.Methods().Get(j)
			lines = append(lines, fmt.Sprintf("rpc %s(stream %t %s) returns (stream %t %s)", method.Name(),
				method.IsStreamingClient(), method.Input().FullName(),
				method.IsStreamingServer(), method.Output().FullName()))
		}
		d.add(service.FullName(), lines)
	}
}

// All that decides how a field looks on the wire and in JSON.
func describeField(field protoreflect.FieldDescriptor) string {
	line := fmt.Sprintf("%s = %d: %s %s, json %s, presence %t, packed %t", field.Name(), field.Number(),
		field.Cardinality(), field.Kind(), field.JSONName(), field.HasPresence(), field.IsPacked())
	if field.IsMap() {
		return fmt.Sprintf("%s, map of %s to %s", line, field.MapKey().Kind(), target(field.MapValue()))
	}
	if oneof := field.ContainingOneof(); oneof != nil {
		line += fmt.Sprintf(", oneof %s", oneof.Name())
	}
	return line + ", of " + target(field)
}

func target(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Message() != nil:
		return string(field.Message().FullName())
	case field.Enum() != nil:
		return string(field.Enum().FullName())
	default:
		return field.Kind().String()
	}
}

func compare(name protoreflect.FullName, theirs, ours description) {
	check := string(name)
	if name == "" {
		check = "SPIFFE Workload API"
	}
	if len(theirs) == 0 || len(ours) == 0 {
		report.Fail(check, "%d definitions theirs, %d ours", len(theirs), len(ours))
		return
	}
	var differences []string
	lines := 0
	for declaration, wanted := range theirs {
		got, ok := ours[declaration]
		if !ok {
			if !isPartial(name) {
				differences = append(differences, fmt.Sprintf("%s: missing", declaration))
			}
			continue
		}
		lines += len(got)
		if !isNarrowed(name) {
			differences = append(differences, difference(declaration, "missing", wanted, got)...)
		}
		differences = append(differences, difference(declaration, "too many", got, wanted)...)
	}
	for declaration := range ours {
		if _, ok := theirs[declaration]; !ok {
			differences = append(differences, fmt.Sprintf("%s: not theirs", declaration))
		}
	}
	if len(differences) > 0 {
		sort.Strings(differences)
		report.Fail(check, "%v", differences)
		return
	}
	report.Pass(check, map[string]int{"declarations": len(ours), "members": lines})
}

// Lines of the one that the other lacks.
func difference(declaration protoreflect.FullName, word string, one, other []string) []string {
	known := map[string]bool{}
	for _, line := range other {
		known[line] = true
	}
	var differences []string
	for _, line := range one {
		if !known[line] {
			differences = append(differences, fmt.Sprintf("%s: %s: %s", declaration, word, line))
		}
	}
	return differences
}
