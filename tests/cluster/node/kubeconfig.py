"""How clients log in to the API server: one token, which may do everything."""

import base64
import json
import os
import secrets
import ssl
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

from tests.servers import certificates

from . import network

SERVER = f"https://{network.NODE}:6443"


def create_keys(folder: Path) -> str:
    """Write the API server's list of tokens, the key that signs service accounts, and the certificate with which the
    API server introduces itself to those that it passes requests on to; the token."""
    folder.mkdir(mode=0o700)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    subprocess.run(["openssl", "genrsa", "-out", str(folder / "accounts.key"), "2048"], check=True, capture_output=True)
    certificates.create(folder / "proxy.crt", folder / "proxy.key")
    return token


def write(file: Path, certificate: Path, token: str) -> None:
    authority = base64.b64encode(certificate.read_bytes()).decode()
    named = {
        "clusters": {"cluster": {"server": SERVER, "certificate-authority-data": authority}},
        "users": {"user": {"token": token}},
        "contexts": {"context": {"cluster": "node", "user": "node"}},
    }
    entries = {plural: [{"name": "node", **entry}] for plural, entry in named.items()}
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "node", **entries}, output, indent=2)


def answers(certificate: Path, token: str) -> bool:
    """Whether the API server is ready to serve."""
    request = Request(f"{SERVER}/readyz", headers={"Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=5, context=ssl.create_default_context(cafile=certificate)) as response:
            return bool(response.status == 200)
    except OSError:
        return False
