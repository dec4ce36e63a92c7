#!/usr/bin/env bash
# The example in a cluster, as a user types it. `make cluster-demo` calls it with kubectl and helm on the PATH, the image in
# the cluster, and a database's login in DJ_*.
set -euo pipefail
cd "$(dirname "$0")/../.."

run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

# Tests may have brought the definition of PopulateJob before, with kubectl: it is this release's from now on.
run helm upgrade --install populate-operator charts/populate-operator \
  --namespace populate-operator --create-namespace --wait --take-ownership
kubectl get secret datajoint >/dev/null 2>&1 || run kubectl create secret generic datajoint \
  --from-literal="backend=$DJ_BACKEND" --from-literal="host=$DJ_HOST" --from-literal="port=$DJ_PORT" \
  --from-literal="user=$DJ_USER" --from-literal="password=$DJ_PASS" \
  ${DJ_DATABASE_NAME:+--from-literal="database=$DJ_DATABASE_NAME"}
run kubectl apply -f examples/cardio/populate.yaml

printf '\n$ kubectl get populatejobs --watch\n'
kubectl get populatejobs --watch & watch=$!
trap 'kill $watch' EXIT
kubectl wait pj/trace pj/summary --for=condition=Complete --timeout=300s >/dev/null
kubectl wait pj/heart-rate --for=condition=Failed --timeout=60s >/dev/null
kubectl wait pod --selector=datajoint.io/component=worker --for=delete --timeout=60s >/dev/null
kill $watch
trap - EXIT

run kubectl populate errors heart-rate

cat <<END

heart-rate ends as Failed, and rightly: in 28 of 404 windows the signal is too poor. All else is made.

Next:
  eval "\$(python -m tests.cluster status)"             kubectl and helm for this cluster, in this shell
  kubectl describe populatejob heart-rate              what happened, and how it stands
  kubectl populate retry heart-rate --all              try the failed windows again
  kubectl explain populatejob.spec                     every field
To take it away:
  kubectl delete -f examples/cardio/populate.yaml      the PopulateJobs and all that belongs to them
  make cluster-down                                    the cluster and its databases
END
