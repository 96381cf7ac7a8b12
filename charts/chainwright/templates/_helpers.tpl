{{/* The text of a file of config/, for the release's namespace: (list $ "base/rbac.yaml") */}}
{{- define "chainwright.text" -}}
{{- $ := index . 0 -}}
{{- $path := printf "files/config/%s" (index . 1) -}}
{{- $text := $.Files.Get $path -}}
{{- if not $text }}{{ fail (printf "the chart lacks %s" $path) }}{{ end -}}
{{- $text | replace "namespace: tekton-chains" (printf "namespace: %s" $.Release.Namespace) -}}
{{- end }}

{{- define "chainwright.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The objects of a part, its Deployment with the values laid over it: (list $ "base/controller.yaml" $.Values.controller) */}}
{{- define "chainwright.part" -}}
{{- $ := index . 0 -}}
{{- $values := index . 2 -}}
{{- range splitList "\n---\n" (include "chainwright.text" (list $ (index . 1))) }}
{{- $object := fromYaml . }}
{{- if or (ne $object.kind "PodDisruptionBudget") $.Values.podDisruptionBudgets.enabled }}
---
{{ if eq $object.kind "Deployment" -}}
{{ include "chainwright.deployment" (list $ $object $values) }}
{{- else -}}
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A Deployment with the values laid over it: (list $ object values) */}}
{{- define "chainwright.deployment" -}}
{{- $ := index . 0 -}}
{{- $object := index . 1 -}}
{{- $values := index . 2 -}}
{{- $pod := $object.spec.template.spec -}}
{{- $container := first $pod.containers -}}
{{- $isMonitor := ne $object.metadata.namespace $.Release.Namespace -}}
{{- $own := include "chainwright.own" (list $ $isMonitor) | fromYaml -}}
{{- $_ := set $object.spec "replicas" $values.replicas -}}
{{- $_ := set $container "image" (include "chainwright.image" $) -}}
{{- $_ := set $container "args" (concat $container.args ($own.args | default list) $values.extraArgs) -}}
{{- $_ := set $container "env" (concat $container.env ($own.env | default list) $values.extraEnv) -}}
{{- $_ := set $container "volumeMounts" (concat $container.volumeMounts ($own.volumeMounts | default list)) -}}
{{- $_ := set $pod "volumes" (concat $pod.volumes ($own.volumes | default list)) -}}
{{- with $values.resources }}{{ $_ := set $container "resources" . }}{{ end -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $values $name }}{{ $_ := set $pod $name . }}{{ end }}
{{- end -}}
{{- with $.Values.imagePullSecrets }}{{ $_ := set $pod "imagePullSecrets" . }}{{ end -}}
{{ toYaml $object }}
{{- end }}

{{/* What a part has besides, as config/components adds it; the monitor its authorities alone: (list $ isMonitor) */}}
{{- define "chainwright.own" -}}
{{- $ := index . 0 -}}
{{- $isMonitor := index . 1 -}}
args:
  {{- if not (or $isMonitor (eq $.Release.Namespace "tekton-chains")) }}
  - --namespace={{ $.Release.Namespace }}
  {{- end }}
env:
  {{- if $.Values.privateCa.configMap }}
  - { name: SSL_CERT_FILE, value: /etc/chainwright/ca/ca.crt }
  {{- end }}
  {{- if not $isMonitor }}
  {{- if $.Values.registryCredentials.secret }}
  - { name: DOCKER_CONFIG, value: /etc/chainwright/registry }
  {{- end }}
  {{- if $.Values.trustedRoot.configMap }}
  - { name: COSIGN_TRUSTED_ROOT, value: /etc/chainwright/trusted-root/trusted_root.json }
  {{- end }}
  {{- with $.Values.rekorUrl }}
  - { name: COSIGN_REKOR_URL, value: {{ quote . }} }
  {{- end }}
  {{- end }}
volumeMounts:
  {{- if $.Values.privateCa.configMap }}
  - { name: private-ca, mountPath: /etc/chainwright/ca, readOnly: true }
  {{- end }}
  {{- if not $isMonitor }}
  {{- if $.Values.registryCredentials.secret }}
  - { name: registry-credentials, mountPath: /etc/chainwright/registry, readOnly: true }
  {{- end }}
  {{- if $.Values.trustedRoot.configMap }}
  - { name: trusted-root, mountPath: /etc/chainwright/trusted-root, readOnly: true }
  {{- end }}
  {{- end }}
volumes:
  {{- with $.Values.privateCa.configMap }}
  - { name: private-ca, configMap: { name: {{ . }} } }
  {{- end }}
  {{- if not $isMonitor }}
  {{- with $.Values.registryCredentials.secret }}
  - name: registry-credentials
    secret:
      secretName: {{ . }}
      items: [{ key: .dockerconfigjson, path: config.json }]
  {{- end }}
  {{- with $.Values.trustedRoot.configMap }}
  - { name: trusted-root, configMap: { name: {{ . }} } }
  {{- end }}
  {{- end }}
{{- end }}
