{{/* server.yaml: what the chart decides, and laid over it what server.config says. */}}
{{- define "assay.server.config" -}}
{{- $written := include "assay.server.written" . | fromYaml -}}
{{- toYaml (mergeOverwrite $written (deepCopy .Values.server.config)) -}}
{{- end -}}

{{- define "assay.server.written" -}}
trustDomain: {{ .Values.trustDomain }}
# Below the volume: its root belongs to the volume's maker.
dataDir: /var/lib/assay/server
listen:
  port: 8081
observability:
  # The kubelet probes and Prometheus scrapes over the pod's address; the network policy says who else may.
  address: 0.0.0.0
  port: 8082
log:
  {{- toYaml .Values.log | nindent 2 }}
nodeAttestors:
  k8s_psat:
    clusters:
      {{ .Values.clusterName }}:
        serviceAccounts: ["{{ .Release.Namespace }}:assay-agent"]
      {{- range $name, $cluster := .Values.server.clusters }}
      {{ $name }}:
        kubeconfig: /etc/assay-clusters/{{ $name }}/kubeconfig
        serviceAccounts: {{ toJson ($cluster.serviceAccounts | default (list (printf "%s:assay-agent" $.Release.Namespace))) }}
      {{- end }}
{{- if .Values.registrar.enabled }}
registrar:
  clusters:
    {{- range $name := prepend (keys .Values.server.clusters | sortAlpha) .Values.clusterName }}
    {{ $name }}:
      {{- toYaml (omit $.Values.registrar "enabled") | nindent 6 }}
      leaseNamespace: {{ $.Release.Namespace }}
    {{- end }}
{{- end }}
bundlePublishers:
  kubernetes:
    clusters:
      {{- range $name := prepend (keys .Values.server.clusters | sortAlpha) .Values.clusterName }}
      {{ $name }}:
        namespace: {{ $.Release.Namespace }}
        labelledNamespaces: {{ $.Values.bundle.namespaces }}
        {{- with $.Values.bundle.clusterTrustBundle }}
        clusterTrustBundle: {{ . }}
        {{- end }}
        # What is published goes with the chart.
        ownerClusterRole: assay-server
      {{- end }}
{{- end -}}

{{/* agent.yaml: what the chart decides, and laid over it what agent.config says. */}}
{{- define "assay.agent.config" -}}
{{- $written := include "assay.agent.written" . | fromYaml -}}
{{- toYaml (mergeOverwrite $written (deepCopy .Values.agent.config)) -}}
{{- end -}}

{{- define "assay.agent.written" -}}
trustDomain: {{ .Values.trustDomain }}
servers:
  {{- range .Values.agent.servers }}
  - {{ . | quote }}
  {{- else }}
  - assay-server.{{ .Release.Namespace }}.svc:{{ .Values.server.service.port }}
  {{- end }}
trustBundle:
  path: /etc/assay-bundle/bundle.pem
nodeAttestor:
  k8s_psat:
    cluster: {{ .Values.clusterName }}
state:
  path: /run/assay/agent/state
adminSocket:
  path: /run/assay/agent/admin.sock
workloadAttestors:
  k8s:
    namespaceLabels: {{ .Values.agent.namespaceLabels }}
    {{- if ne .Values.agent.podToken "off" }}
    podToken:
      mode: {{ .Values.agent.podToken }}
      folder: /run/assay/pod-tokens
    {{- end }}
    kubelet:
      {{- if eq .Values.agent.kubelet.verify "node" }}
      caFile: /etc/assay-kubelet/ca.crt
      {{- else }}
      caFile: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
      {{- end }}
  {{- if .Values.agent.unixSelectors }}
  unix:
    # Paths of programs mean something where the caller's root is the node's.
    hostRoot: /proc/1/root
  {{- end }}
workloadSocket:
  {{- if .Values.csi.enabled }}
  holder: /run/assay/holder/holder.sock
  {{- else }}
  path: /run/assay/workload/api.sock
  {{- end }}
observability:
  address: {{ .Values.agent.hostNetwork | ternary "127.0.0.1" "0.0.0.0" }}
  port: 8083
log:
  {{- toYaml .Values.log | nindent 2 }}
{{- end -}}

{{/* csi.yaml: what the chart decides, and laid over it what csi.config says. */}}
{{- define "assay.csi.config" -}}
{{- $written := include "assay.csi.written" . | fromYaml -}}
{{- toYaml (mergeOverwrite $written (deepCopy .Values.csi.config)) -}}
{{- end -}}

{{- define "assay.csi.written" -}}
driver:
  name: {{ .Values.csi.driverName }}
  kubeletDir: {{ .Values.csi.kubeletFolder }}
workloadSocket:
  path: /run/assay/workload/api.sock
holderSocket:
  path: /run/assay/holder/holder.sock
{{- if ne .Values.agent.podToken "off" }}
podTokens:
  folder: /run/assay/pod-tokens
{{- end }}
{{- if eq .Values.agent.podToken "fallback" }}
podSockets:
  folder: /run/assay/pods
{{- end }}
observability:
  address: 0.0.0.0
  port: 8084
log:
  {{- toYaml .Values.log | nindent 2 }}
{{- end -}}
