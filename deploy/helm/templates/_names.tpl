{{/* Names and labels that all objects share. */}}
{{- define "tallyhook.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* What finds the pods of a role: (dict "root" $ "role" "ingest"). */}}
{{- define "tallyhook.selector" -}}
app.kubernetes.io/name: tallyhook
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "tallyhook.labels" -}}
{{ include "tallyhook.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "tallyhook.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Settings of every process. */}}
{{- define "tallyhook.env" -}}
{{- if has "log" .Values.secretKeys }}
- {name: TALLYHOOK_LOG_FILE, value: /etc/tallyhook/secrets/log}
{{- else }}
- {name: TALLYHOOK_LOG, value: {{ required "log is where the records are" .Values.log | quote }}}
{{- end }}
{{- if has "store" .Values.secretKeys }}
- {name: TALLYHOOK_STORE_FILE, value: /etc/tallyhook/secrets/store}
{{- else }}
- {name: TALLYHOOK_STORE, value: {{ required "store is where the rows are" .Values.store | quote }}}
{{- end }}
{{- range without .Values.secretKeys "log" "store" }}
- {name: TALLYHOOK_{{ . | upper | replace "-" "_" }}_FILE, value: /etc/tallyhook/secrets/{{ . }}}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* What a pod is, whatever runs in it. */}}
{{- define "tallyhook.pod" -}}
serviceAccountName: {{ include "tallyhook.name" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: secrets
    secret:
      secretName: {{ required "existingSecret names the Secret with the webhook secret" .Values.existingSecret }}
      defaultMode: 0440
  - name: tmp
    emptyDir: {}
{{- end }}

{{- define "tallyhook.container" -}}
image: {{ include "tallyhook.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env: {{ include "tallyhook.env" . | nindent 2 }}
volumeMounts:
  - {name: secrets, mountPath: /etc/tallyhook/secrets, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}
