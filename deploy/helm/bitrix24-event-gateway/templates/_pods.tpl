{{/* What all pods have in common. Each takes a dictionary: root, part (its name), process (its values). */}}

{{- define "gateway.image" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (.process.image | default dict) -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Nothing of Kubernetes is needed inside; restricted by the standards of pod security. */}}
{{- define "gateway.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
serviceAccountName: {{ include "gateway.fullname" .root }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .process.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .process.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "gateway.selector" (list .root .part) | nindent 8 }}
{{- end }}

{{- define "gateway.podMetadata" -}}
labels: {{ include "gateway.labels" (list .root .part) | nindent 2 }}
annotations:
  checksum/settings: {{ .root.Values.settings | sha256sum }}
  {{- with .process.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "gateway.containerSettings" -}}
image: {{ include "gateway.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
workingDir: /var/lib/gateway
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- $unsaid := dict "requests" (dict "cpu" "50m" "memory" "64Mi") "limits" (dict "memory" "256Mi") }}
resources: {{ toYaml (.process.resources | default $unsaid) | nindent 2 }}
{{- end }}

{{- define "gateway.env" -}}
{{- $redis := mergeOverwrite (deepCopy .root.Values.redis) (.process.redis | default dict) -}}
- {name: GATEWAY_CONFIG, value: /etc/gateway/gateway.toml}
- {name: GATEWAY_LOG_FORMAT, value: json}
- {name: GATEWAY_REDIS_PARTITIONS, value: {{ .root.Values.partitions | quote }}}
- {name: GATEWAY_SPOOL_DIR, value: /var/lib/gateway/spool}
- {name: GATEWAY_AUDIT_DIR, value: /var/lib/gateway/audit}
- {name: GATEWAY_WAREHOUSE_WORK_DIR, value: /var/lib/gateway/warehouse}
- name: GATEWAY_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ $redis.secret }}, key: {{ $redis.key }}}}
{{- range .process.secrets }}
- name: {{ .env }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
{{- end }}
{{- end }}

{{- define "gateway.mounts" -}}
- {name: settings, mountPath: /etc/gateway, readOnly: true}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /var/lib/gateway}
{{- end }}

{{/* Those of a pod that keeps nothing; a volume claim of the name `data` takes the place of the last. */}}
{{- define "gateway.volumes" -}}
- name: settings
  configMap: {name: {{ include "gateway.fullname" .root }}-settings}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if not .process.storage }}
- name: data
  emptyDir: {sizeLimit: 64Mi}
{{- end }}
{{- end }}

{{/* Once it is up, /readyz decides whether it is sent anything, and /healthz whether it is started again. */}}
{{- define "gateway.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{- define "gateway.claim" -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .className }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .size }}}}
{{- end }}
