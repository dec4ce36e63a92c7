{{- define "populate-operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "populate-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "populate-operator.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "populate-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "populate-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* All that the operator does to PopulateJobs and to what it makes for them. */}}
{{- define "populate-operator.rules" -}}
- apiGroups: [datajoint.io]
  resources: [populatejobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [datajoint.io]
  resources: [populatejobs/status]
  verbs: [patch]
- apiGroups: [datajoint.io]
  resources: [populatejobs/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete] # create: as a dry run only
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- define "populate-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "populate-operator.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "populate-operator.check" -}}
{{ include "populate-operator.name" . | trunc 57 | trimSuffix "-" }}-check
{{- end }}

{{- /* Others than the operator's: its selector must not find the check. */}}
{{- define "populate-operator.check-labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-check
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "populate-operator.check-hook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
