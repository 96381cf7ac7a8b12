{{- define "rekor.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "rekor.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ ternary .Values.images.rekor.tag .Values.images.rekorTiles.tag (eq .Values.version "v1") | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Labels that select the Pods of a component: (list $ "server") */}}
{{- define "rekor.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ $.Chart.Name }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Metadata of a Pod: (list $ "server") */}}
{{- define "rekor.podMetadata" -}}
{{- $ := index . 0 -}}
labels:
  {{- include "rekor.selector" . | nindent 2 }}
  {{- with $.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all Pods have in common: (list $ uid) */}}
{{- define "rekor.podSpec" -}}
{{- $ := index . 0 -}}
{{- $uid := index . 1 -}}
{{- with $.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $uid }}
  runAsGroup: {{ $uid }}
  fsGroup: {{ $uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with $.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "rekor.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  capabilities: { drop: [ALL] }
{{- end }}

{{/* Image and pull policy: (list $ "rekor") */}}
{{- define "rekor.image" -}}
{{- $ := index . 0 -}}
{{- $image := index $.Values.images (index . 1) -}}
image: {{ if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}{{ else }}{{ printf "%s:%s" $image.repository $image.tag }}{{ end }}
imagePullPolicy: {{ $.Values.imagePullPolicy }}
{{- end }}

{{- define "rekor.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "rekor.fullname" .)) }}
{{- end }}

{{- define "rekor.keySecret" -}}
{{- .Values.signer.existingSecret | default (printf "%s-signing-key" (include "rekor.fullname" .)) }}
{{- end }}

{{- define "rekor.postgresqlSecret" -}}
{{- .Values.postgresql.existingSecret | default (printf "%s-postgresql" (include "rekor.fullname" .)) }}
{{- end }}

{{- define "rekor.indexSecret" -}}
{{- .Values.index.existingSecret | default (printf "%s-redis" (include "rekor.fullname" .)) }}
{{- end }}

{{- define "rekor.postgresqlHost" -}}
{{- if .Values.postgresql.enabled }}{{ include "rekor.fullname" . }}-postgresql{{ else }}{{ .Values.postgresql.external.host }}{{ end }}
{{- end }}

{{- define "rekor.sslmode" -}}
{{- if .Values.postgresql.enabled }}disable{{ else }}{{ .Values.postgresql.external.sslmode }}{{ end }}
{{- end }}

{{/* True if there is a certificate authority to check the database's certificate with. */}}
{{- define "rekor.hasDatabaseCa" -}}
{{- if and (not .Values.postgresql.enabled) .Values.postgresql.external.caSecret }}true{{ end }}
{{- end }}

{{/* Where the database is, as PostgreSQL's own clients read it. The password is never part of arguments. */}}
{{- define "rekor.databaseEnv" -}}
- name: PGHOST
  value: {{ include "rekor.postgresqlHost" . | quote }}
- name: PGPORT
  value: {{ .Values.postgresql.port | quote }}
- name: PGUSER
  value: {{ .Values.postgresql.user | quote }}
- name: PGDATABASE
  value: {{ .Values.postgresql.database | quote }}
- name: PGSSLMODE
  value: {{ include "rekor.sslmode" . | quote }}
{{- if include "rekor.hasDatabaseCa" . }}
- name: PGSSLROOTCERT
  value: /etc/rekor/database-ca/ca.crt
{{- end }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef: { name: {{ include "rekor.postgresqlSecret" . }}, key: password }
{{- end }}

{{- define "rekor.databaseMounts" -}}
{{- if include "rekor.hasDatabaseCa" . }}
- { name: database-ca, mountPath: /etc/rekor/database-ca, readOnly: true }
{{- end }}
{{- end }}

{{- define "rekor.databaseVolumes" -}}
{{- if include "rekor.hasDatabaseCa" . }}
- name: database-ca
  secret:
    secretName: {{ .Values.postgresql.external.caSecret }}
    items: [{ key: ca.crt, path: ca.crt }]
{{- end }}
{{- end }}

{{/* Arguments that both Trillian servers have. */}}
{{- define "rekor.trillianArgs" -}}
- --storage_system=postgresql
- --postgresql_uri=postgresql://{{ .Values.postgresql.user }}@{{ include "rekor.postgresqlHost" . }}:{{ .Values.postgresql.port }}/{{ .Values.postgresql.database }}?sslmode={{ include "rekor.sslmode" . }}
{{- if include "rekor.hasDatabaseCa" . }}
- --postgresql_tls_ca=/etc/rekor/database-ca/ca.crt
{{- if eq (include "rekor.sslmode" .) "verify-full" }}
- --postgresql_verify_full
{{- end }}
{{- end }}
- --quota_system=noop
- --logtostderr
{{- end }}

{{/* True if the setup Job has anything to do with the Kubernetes API. */}}
{{- define "rekor.makesSecrets" -}}
{{- if or (ne .Values.signer.mode "kms") (and (eq .Values.version "v1") (or (and .Values.postgresql.enabled (not .Values.postgresql.existingSecret)) (and (eq .Values.index.type "redis") (not .Values.index.existingSecret)))) }}true{{ end }}
{{- end }}

{{- define "rekor.validate" -}}
{{- $v := .Values -}}
{{- if not $v.hostname }}{{ fail "hostname: name the host that clients will use; it cannot be changed later" }}{{ end }}
{{- if eq (not $v.tls.existingSecret) (not $v.tls.certManager.enabled) }}{{ fail "tls: give either existingSecret or certManager" }}{{ end }}
{{- if and $v.tls.certManager.enabled (not $v.tls.certManager.issuerRef.name) }}{{ fail "tls.certManager.issuerRef.name: name the issuer" }}{{ end }}
{{- if and (eq $v.signer.mode "secret") (not $v.signer.existingSecret) }}{{ fail "signer.existingSecret: name the Secret with the key" }}{{ end }}
{{- if and (eq $v.signer.mode "generate") $v.signer.existingSecret }}{{ fail "signer.existingSecret: a key that is generated lies in a Secret of the chart's name; for one of yours say mode: secret" }}{{ end }}
{{- if eq $v.signer.mode "kms" }}
{{- if not (and $v.signer.kmsUri $v.signer.publicKey) }}{{ fail "signer: kms needs kmsUri and publicKey" }}{{ end }}
{{- if eq $v.version "v2" }}{{ fail "signer.mode: the Rekor v2 that keeps its tiles in a folder takes its key from a file only" }}{{ end }}
{{- end }}
{{- if eq $v.version "v1" }}
{{- if and (not $v.postgresql.enabled) (not (and $v.postgresql.external.host $v.postgresql.existingSecret)) }}{{ fail "postgresql: an external database needs external.host, and existingSecret with its password" }}{{ end }}
{{- if and (not $v.postgresql.enabled) (hasPrefix "verify-" $v.postgresql.external.sslmode) (not $v.postgresql.external.caSecret) }}{{ fail "postgresql.external.caSecret: verifying the database's certificate needs the Secret with its authority" }}{{ end }}
{{- if and (eq $v.index.type "external") (not (and $v.index.external.host $v.index.existingSecret)) }}{{ fail "index: an external Redis needs external.host, and existingSecret with its password" }}{{ end }}
{{- if and (eq $v.index.type "mysql") (not $v.index.mysql.dsnSecret) }}{{ fail "index.mysql.dsnSecret: name the Secret with the dsn" }}{{ end }}
{{- end }}
{{- end }}
