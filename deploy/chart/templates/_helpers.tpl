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
            - {name: data, mountPath: /var/lib/wattledger}
            - {name: tmp, mountPath: /tmp}
            {{- if eq .part "stations" }}
            - {name: edge, mountPath: /var/lib/wattledger/edge.secret, subPath: edge.secret, readOnly: true}
            {{- end }}
            {{- if .root.Values.secrets.kafkaTls }}
            - {name: kafka-tls, mountPath: /etc/wattledger/kafka, readOnly: true}
            {{- end }}
      volumes:
        - {name: data, emptyDir: {}}
        - {name: tmp, emptyDir: {}}
        {{- if eq .part "stations" }}
        - {name: edge, secret: {secretName: {{ .root.Values.secrets.edge }}, defaultMode: 0440}}
        {{- end }}
        {{- with .root.Values.secrets.kafkaTls }}
        - {name: kafka-tls, secret: {secretName: {{ . }}, defaultMode: 0440}}
        {{- end }}
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
