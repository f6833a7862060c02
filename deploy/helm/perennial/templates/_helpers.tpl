{{- define "perennial.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "perennial.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "perennial.labels" -}}
{{ include "perennial.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "perennial.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* The files that a process needs: who is reached from outside, or only sets up, signs nothing and opens no key. */}}
{{- define "perennial.files" -}}
{{- $root := index . 0 }}{{ $signs := has (index . 1) (list "worker" "api") -}}
{{- $common := list "PERENNIAL_LEDGER_URL_FILE" "PERENNIAL_CODEC_KEYS_FILE" -}}
{{- range $name, $key := $root.Values.secret.files }}
{{- if or $signs (has $name $common) }}
{{ $name }}: {{ $key }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What every process is told: settings, where its secrets' files are, and how Temporal is reached. */}}
{{- define "perennial.environment" -}}
{{- $files := include "perennial.files" . | fromYaml }}{{ with index . 0 -}}
- name: TEMPORAL_ADDRESS
  value: {{ .Values.temporal.address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- if or .Values.temporal.tls .Values.temporal.tlsSecret .Values.temporal.apiKeySecret.name }}
- name: TEMPORAL_TLS
  value: "true"
{{- end }}
{{- with .Values.temporal.apiKeySecret }}
{{- if .name }}
- name: TEMPORAL_API_KEY # Temporal's own client reads it from here alone
  valueFrom:
    secretKeyRef: { name: {{ .name }}, key: {{ .key }} }
{{- end }}
{{- end }}
{{- if .Values.temporal.tlsSecret }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /run/secrets/temporal/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /run/secrets/temporal/tls.key
{{- end }}
{{- range $name, $key := $files }}
- name: {{ $name }}
  value: /run/secrets/perennial/{{ $key }}
{{- end }}
- name: PERENNIAL_DATA_FOLDER
  value: /tmp
- name: PERENNIAL_METRICS_ADDRESS
  value: "0.0.0.0:{{ .Values.monitoring.port }}"
{{- if .Values.releases.versioned }}
- name: PERENNIAL_WORKER_VERSIONING
  value: "true"
{{- end }}
{{- if .Values.releases.controller.enabled }}
- name: PERENNIAL_DEPLOYMENT_NAME # as the controller calls it
  value: {{ printf "%s/%s" .Release.Namespace (include "perennial.name" .) | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "perennial.mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: secrets, mountPath: /run/secrets/perennial, readOnly: true }
{{- if .Values.temporal.tlsSecret }}
- { name: temporal-tls, mountPath: /run/secrets/temporal, readOnly: true }
{{- end }}
{{- end -}}

{{- define "perennial.volumes" -}}
{{- $files := include "perennial.files" . | fromYaml }}{{ with index . 0 -}}
{{- if not (hasKey $files "PERENNIAL_LEDGER_URL_FILE") }}
{{- fail "secret.files: PERENNIAL_LEDGER_URL_FILE is missing, and a ledger in a pod's own file would be lost with the pod" }}
{{- end -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
- name: secrets
  secret:
    secretName: {{ required "secret.name: the Secret with the files of the settings is not named" .Values.secret.name }}
    defaultMode: 0440
    items:
      {{- range $key := values $files | sortAlpha }}
      - { key: {{ $key }}, path: {{ $key }} }
      {{- end }}
{{- if .Values.temporal.tlsSecret }}
- name: temporal-tls
  secret:
    secretName: {{ .Values.temporal.tlsSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end -}}

{{/* Of every pod: nobody's, with no way to the cluster's API. */}}
{{- define "perennial.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "perennial.container" -}}
image: {{ include "perennial.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* The pods of workers, of a Deployment or of the controller's. */}}
{{- define "perennial.worker.template" -}}
metadata:
  labels:
    {{- include "perennial.labels" . | nindent 4 }}
    app.kubernetes.io/component: worker
  {{- with .Values.worker.podAnnotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "perennial.pod" . | nindent 2 }}
  serviceAccountName: {{ include "perennial.name" . }}
  terminationGracePeriodSeconds: {{ .Values.worker.terminationGracePeriodSeconds }}
  {{- with .Values.worker.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.worker.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.worker.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "perennial.selector" . | nindent 10 }}
          app.kubernetes.io/component: worker
  containers:
    - name: worker
      {{- include "perennial.container" . | nindent 6 }}
      {{- if .Values.releases.controller.enabled }}
      # The controller names the release and the deployment that it is of, in variables of its own.
      command: [/bin/sh, -c]
      args:
        - >-
          PERENNIAL_BUILD_ID="$TEMPORAL_WORKER_BUILD_ID" PERENNIAL_DEPLOYMENT_NAME="$TEMPORAL_DEPLOYMENT_NAME"
          exec perennial worker
      {{- else }}
      args: [worker]
      {{- end }}
      env:
        - { name: PERENNIAL_HEALTH_HOST, value: "0.0.0.0" }
        - { name: PERENNIAL_HEALTH_PORT, value: "8603" }
        {{- include "perennial.environment" (list . "worker") | nindent 8 }}
      ports:
        - { name: health, containerPort: 8603 }
        - { name: metrics, containerPort: {{ .Values.monitoring.port }} }
      startupProbe:
        httpGet: { path: /live, port: health }
        periodSeconds: 5
        failureThreshold: 24
      livenessProbe:
        httpGet: { path: /live, port: health }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /ready, port: health }
        periodSeconds: 10
        timeoutSeconds: 5
      resources: {{ toYaml .Values.worker.resources | nindent 8 }}
      volumeMounts: {{ include "perennial.mounts" . | nindent 8 }}
  volumes: {{ include "perennial.volumes" (list . "worker") | nindent 4 }}
{{- end -}}

{{/* A server of ours: the API, or the receiver. */}}
{{- define "perennial.server" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $values := index . 2 -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "perennial.name" $root }}-{{ $name }}
  labels:
    {{- include "perennial.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      {{- include "perennial.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $name }}
  template:
    metadata:
      labels:
        {{- include "perennial.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $name }}
    spec:
      {{- include "perennial.pod" $root | nindent 6 }}
      serviceAccountName: {{ include "perennial.name" $root }}
      terminationGracePeriodSeconds: 15
      containers:
        - name: {{ $name }}
          {{- include "perennial.container" $root | nindent 10 }}
          args: [{{ $name }}]
          env:
            - { name: PERENNIAL_{{ upper $name }}_HOST, value: "0.0.0.0" }
            - { name: PERENNIAL_{{ upper $name }}_PORT, value: {{ $values.port | quote }} }
            {{- include "perennial.environment" (list $root $name) | nindent 12 }}
          ports:
            - { name: http, containerPort: {{ $values.port }} }
            - { name: metrics, containerPort: {{ $root.Values.monitoring.port }} }
          startupProbe:
            httpGet: { path: /health, port: http }
            periodSeconds: 5
            failureThreshold: 24
          livenessProbe:
            httpGet: { path: /health, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
          readinessProbe:
            httpGet: { path: /health, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
          resources: {{ toYaml $values.resources | nindent 12 }}
          volumeMounts: {{ include "perennial.mounts" $root | nindent 12 }}
      volumes: {{ include "perennial.volumes" (list $root $name) | nindent 8 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "perennial.name" $root }}-{{ $name }}
  labels:
    {{- include "perennial.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
spec:
  selector:
    {{- include "perennial.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
  ports:
    - { name: http, port: {{ $values.port }}, targetPort: http }
{{- end -}}
