"""Certificates that vouch for themselves, for servers and clients on this machine."""

import subprocess
from pathlib import Path


def create(certificate: Path, key: Path, *hosts: str) -> None:
    """Write one that is valid for these hosts, where it is a server's. Needs openssl."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
    command += ["-subj", f"/CN={certificate.stem}", "-out", str(certificate), "-keyout", str(key)]
    names = ["-addext", "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)] if hosts else []
    subprocess.run([*command, *names], check=True, capture_output=True)
