{{- define "wattledger.labels" -}}
app.kubernetes.io/name: wattledger
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "wattledger.selector" -}}
app.kubernetes.io/name: wattledger
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "wattledger.environment" -}}
{{- range $name, $value := .Values.settings }}
- name: WATTLEDGER_{{ upper $name }}
  value: {{ $value | toString | quote }}
{{- end }}
- name: WATTLEDGER_DATA
  value: /var/lib/wattledger
- name: WATTLEDGER_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.secrets.database }}, key: database_url}}
{{- if and .Values.secrets.kafkaSasl (not .Values.settings.kafka_sasl_mechanism) }}
- name: WATTLEDGER_KAFKA_SASL_MECHANISM
  value: SCRAM-SHA-512
{{- end }}
{{- with .Values.secrets.kafkaSasl }}
- name: WATTLEDGER_KAFKA_SASL_USER
  valueFrom: {secretKeyRef: {name: {{ . }}, key: user}}
- name: WATTLEDGER_KAFKA_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}
{{- end }}
{{- with .Values.secrets.stripe }}
- name: WATTLEDGER_STRIPE_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: key}}
- name: WATTLEDGER_STRIPE_WEBHOOK_SECRET
  valueFrom: {secretKeyRef: {name: {{ . }}, key: webhook_secret, optional: true}}
- name: WATTLEDGER_STRIPE_PUBLISHABLE_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: publishable_key, optional: true}}
{{- end }}
{{- with .Values.secrets.mail }}
- name: WATTLEDGER_SMTP_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}
{{- end }}
{{- with .Values.secrets.webhook }}
- name: WATTLEDGER_WEBHOOK_SECRET
  valueFrom: {secretKeyRef: {name: {{ . }}, key: secret}}
{{- end }}
{{- if .Values.secrets.oidc }}
- name: WATTLEDGER_OIDC_CLIENT_SECRET_FILE
  value: /etc/wattledger/oidc/client_secret
{{- end }}
{{- if .Values.secrets.tls }}
- name: WATTLEDGER_TLS_CERTIFICATE
  value: /etc/wattledger/tls/tls.crt
- name: WATTLEDGER_TLS_KEY
  value: /etc/wattledger/tls/tls.key
{{- end }}
{{- if .Values.secrets.kafkaTls }}
- name: WATTLEDGER_KAFKA_CA_FILE
  value: /etc/wattledger/kafka/ca.crt
{{- if .Values.secrets.kafkaCertificate }}
- name: WATTLEDGER_KAFKA_CERTIFICATE_FILE
  value: /etc/wattledger/kafka/tls.crt
- name: WATTLEDGER_KAFKA_KEY_FILE
  value: /etc/wattledger/kafka/tls.key
{{- end }}
{{- end }}
{{- end }}

{{- define "wattledger.security" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Where a part keeps files, and the files of secrets that it alone reads: root, part. */}}
{{- define "wattledger.mounts" -}}
- {name: data, mountPath: /var/lib/wattledger}
- {name: tmp, mountPath: /tmp}
{{- if eq .part "stations" }}
- {name: edge, mountPath: /var/lib/wattledger/edge.secret, subPath: edge.secret, readOnly: true}
{{- end }}
{{- if and .root.Values.secrets.tls (has .part (list "stations" "interface")) }}
- {name: tls, mountPath: /etc/wattledger/tls, readOnly: true}
{{- end }}
{{- if and .root.Values.secrets.oidc (eq .part "interface") }}
- {name: oidc, mountPath: /etc/wattledger/oidc, readOnly: true}
{{- end }}
{{- if .root.Values.secrets.kafkaTls }}
- {name: kafka-tls, mountPath: /etc/wattledger/kafka, readOnly: true}
{{- end }}
{{- end }}

{{- define "wattledger.volumes" -}}
{{- $secrets := .root.Values.secrets -}}
- {name: data, emptyDir: {}}
- {name: tmp, emptyDir: {}}
{{- if eq .part "stations" }}
- {name: edge, secret: {secretName: {{ $secrets.edge }}, defaultMode: 0440}}
{{- end }}
{{- if and $secrets.tls (has .part (list "stations" "interface")) }}
- {name: tls, secret: {secretName: {{ $secrets.tls }}, defaultMode: 0440}}
{{- end }}
{{- if and $secrets.oidc (eq .part "interface") }}
- {name: oidc, secret: {secretName: {{ $secrets.oidc }}, defaultMode: 0440}}
{{- end }}
{{- with $secrets.kafkaTls }}
- {name: kafka-tls, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end }}

{{/* A service of a part: root, part, name, service (type, annotations), ports (name, port). */}}
{{- define "wattledger.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  labels:
    {{- include "wattledger.labels" .root | nindent 4 }}
  {{- with .service.annotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .service.type }}
  selector:
    {{- include "wattledger.selector" . | nindent 4 }}
  ports:
    {{- range .ports }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}}
    {{- end }}
{{- end }}

{{/* A deployment and its disruption budget: root, part, port of its metrics, further ports. */}}
{{- define "wattledger.part" -}}
{{- $values := index .root.Values .part }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  labels:
    {{- include "wattledger.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .part }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      {{- include "wattledger.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- include "wattledger.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .part }}
      {{- if .root.Values.scrapeAnnotations }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ .metrics | quote }}
      {{- end }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 30
      securityContext: {fsGroup: 10001}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations: {{ toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "wattledger.selector" . | nindent 14 }}
      containers:
        - name: {{ .part }}
          image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag }}"
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: ["run", {{ .part | quote }}]
          env:
            {{- include "wattledger.environment" .root | nindent 12 }}
          ports:
            - {name: metrics, containerPort: {{ .metrics }}}
            {{- range .ports }}
            - {name: {{ .name }}, containerPort: {{ .port }}}
            {{- end }}
          startupProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 2
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 10
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /readyz, port: metrics}
            periodSeconds: 5
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "wattledger.security" .root | nindent 12 }}
          volumeMounts:
            {{- include "wattledger.mounts" . | nindent 12 }}
      volumes:
        {{- include "wattledger.volumes" . | nindent 8 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  labels:
    {{- include "wattledger.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "wattledger.selector" . | nindent 6 }}
{{- end }}
