"""The command lines of a node's parts, with paths as the node sees them (setup.sh lays them out)."""

from . import cgroup, network

PROGRAM = "/run/node/programs/node"
FOLDER = "/run/node/folder"
SOCKET = "/run/containerd/containerd.sock"
_STORE = "http://127.0.0.1:2379"
_SERVICES = "10.96.0.0/16"
_KUBECONFIG = f"--kubeconfig={FOLDER}/kubeconfig"

_CONTAINERD = ("containerd", "--config=/run/node/etc/containerd.toml", "--log-level=warn")
_ETCD = (
    *(PROGRAM, "etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn"),
    *(f"--listen-client-urls={_STORE}", f"--advertise-client-urls={_STORE}"),
    "--listen-peer-urls=http://127.0.0.1:2380",
)
# Metrics adapters and their like answer for a part of the API: they are told by these who asks.
_AGGREGATION = (
    *(f"--proxy-client-cert-file={FOLDER}/pki/proxy.crt", f"--proxy-client-key-file={FOLDER}/pki/proxy.key"),
    *(f"--requestheader-client-ca-file={FOLDER}/pki/proxy.crt", "--requestheader-username-headers=X-Remote-User"),
    *("--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-"),
)
_API_SERVER = (
    *(PROGRAM, "apiserver", f"--etcd-servers={_STORE}", f"--advertise-address={network.NODE}"),
    *(f"--cert-dir={FOLDER}/pki", f"--token-auth-file={FOLDER}/pki/tokens.csv", "--authorization-mode=Node,RBAC"),
    *(f"--service-cluster-ip-range={_SERVICES}", "--service-account-issuer=https://kubernetes.default.svc"),
    *(f"--service-account-{use}-file={FOLDER}/pki/accounts.key" for use in ("key", "signing-key")),
    # By name the kubelet is found at 127.0.0.1.
    *("--kubelet-preferred-address-types=Hostname", "--allow-privileged", *_AGGREGATION),
)
_CONTROLLERS = (
    *(PROGRAM, "controllers", _KUBECONFIG, "--leader-elect=false", "--bind-address=127.0.0.1"),
    # By default 20 a second: a namespace that is deleted would keep everybody else's Deployments waiting.
    *("--kube-api-qps=500", "--kube-api-burst=1000"),
    *(f"--root-ca-file={FOLDER}/pki/apiserver.crt", "--use-service-account-credentials"),
    *(f"--service-account-private-key-file={FOLDER}/pki/accounts.key", "--flex-volume-plugin-dir=/var/lib/flex"),
)
_SCHEDULER = (PROGRAM, "scheduler", _KUBECONFIG, "--leader-elect=false", "--bind-address=127.0.0.1")
_KUBELET = (
    *(PROGRAM, "kubelet", "--config=/run/node/etc/kubelet.yaml", _KUBECONFIG),
    *("--hostname-override=node", f"--node-ip={network.NODE}", f"--cgroup-root=/{cgroup.NAME}"),
    # There is no name server: a look-up is refused at once instead of timing out.
    f"--cluster-dns={network.NODE}",
)
_PROXY = (PROGRAM, "proxy", "--config=/run/node/etc/proxy.yaml", "--hostname-override=node")

COMMANDS = {
    "containerd": _CONTAINERD,
    "etcd": _ETCD,
    "apiserver": _API_SERVER,
    "controllers": _CONTROLLERS,
    "scheduler": _SCHEDULER,
    "kubelet": _KUBELET,
    "proxy": _PROXY,
}
